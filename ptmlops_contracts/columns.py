"""The columns that a person names for an upload: options of the command line, and metadata of the uploaded object.

Metadata of an S3 object is ASCII and has at most 2 KB, names included, so a column's name is percent-encoded (RFC 3986) there.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote

# The name of an option and of its metadata, and the column of ours that it names.
NAMED_COLUMNS = {"text": "text", "label": "label", "id": "complaint_id", "date": "received_at"}
# The columns of ours from which a label is read.
LABEL_COLUMNS = ("label", "fallback_label")
PREFIX = "ptmlops-"  # `x-amz-meta-ptmlops-text` as a header of HTTP
MAX_METADATA_BYTES = 2048


def to_metadata(named: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata of an upload for the columns that a person names.

    Args:
        named: by option, the name of the file's column; empty if the file has no such column.

    Example:
        `to_metadata({"text": "Descripción"})` returns `{"ptmlops-text": "Descripci%C3%B3n"}`.

    Raises:
        ValueError: the names are too long for metadata.
    """
    metadata = {f"{PREFIX}{option}": quote(name, safe="") for option, name in named.items()}
    size = sum(len(key) + len(value) for key, value in metadata.items())
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"the names of columns have {size:,} bytes as metadata, and S3 takes {MAX_METADATA_BYTES:,}")
    return metadata


def from_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return, for each column of ours that the metadata of an upload names, the file's column. An empty name is kept."""
    lower = {key.lower(): value for key, value in metadata.items()}
    return {
        ours: unquote(lower[f"{PREFIX}{option}"]) for option, ours in NAMED_COLUMNS.items() if f"{PREFIX}{option}" in lower
    }

"""An uploaded file. Any worker can read its bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3

from complaints_etl.readers.blocks import BLOCK_BYTES
from complaints_etl.readers.table import UnreadableFileError
from ptmlops_contracts.columns import from_metadata
from ptmlops_contracts.report import Reason


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One version of an uploaded file, or a table in it (`packed.tables_in`); `read(start, end)` returns the bytes of a range.

    Attributes:
        part_of: the key of the uploaded file, if this is a table in it.
        stream: returns all bytes in blocks, if that takes less time than reading ranges.
        workbook, sheet: the workbook, and the place of this sheet in it.
        follows: the sheet is read after another one of its workbook.
        refused: the reason code and the sentence if the file cannot be opened.
        named: for each column of ours that the person who uploaded the file named, the file's column; empty: it has none.
    """

    key: str
    version_id: str
    size: int
    read: Callable[[int, int], bytes]
    bucket: str = ""
    named: Mapping[str, str] = field(default_factory=dict)
    part_of: str = ""
    stream: Callable[[], Iterator[bytes]] | None = None
    workbook: SourceFile | None = None
    sheet: int | None = None
    follows: bool = False
    refused: tuple[Reason, str] | None = None

    def blocks(self) -> Iterator[bytes]:
        """Yield all bytes, a block at a time."""
        if self.stream:
            return self.stream()
        return (self.read(start, min(start + BLOCK_BYTES, self.size)) for start in range(0, self.size, BLOCK_BYTES))

    def require_opened(self) -> None:
        """Raise UnreadableFileError if the file could not be opened (`refused`)."""
        if self.refused:
            raise UnreadableFileError(*self.refused)


@cache
def _s3() -> Any:
    return boto3.client("s3")


def s3_reader(bucket: str, key: str, version_id: str) -> Callable[[int, int], bytes]:
    """Return a function that reads ranges of one version of an S3 object."""

    def read(start: int, end: int) -> bytes:
        if end <= start:
            return b""
        request = {"Bucket": bucket, "Key": key, "VersionId": version_id}
        body: bytes = _s3().get_object(**request, Range=f"bytes={start}-{end - 1}")["Body"].read()
        return body

    return read


def named_columns(s3: Any, bucket: str, key: str, version_id: str) -> dict[str, str]:
    """Return the columns that the metadata of an upload names, see `ptmlops_contracts.columns`."""
    return from_metadata(s3.head_object(Bucket=bucket, Key=key, VersionId=version_id).get("Metadata", {}))

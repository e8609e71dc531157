"""What the model registry stores of a version: the bytes that it is made of, and the last decision about it, as the service accepts them.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html: descriptions have at most 1,024 characters, none of
them a control character. A value of CustomerMetadataProperties has 1 to 256 characters: letters, digits, spaces and this punctuation.
(botocore's model has the same limits, and local AWS checks requests against it.)
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DESCRIPTION_CHARACTERS, METADATA_CHARACTERS, METADATA_PUNCTUATION = 1024, 256, "_.:/=+-@"
# Fields of CustomerMetadataProperties on the last decision. `decision` and `reason` are always the gate's.
DECIDED_BY, DECIDED_AT, DECIDED_REASON, OVERRIDE, CANARY = "decided_by", "decided_at", "decided_reason", "override", "canary"
GATE = "gate"  # `decided_by` of a version that no person has decided on

# Fields that pin the artifact that was evaluated: its object version in S3, its SHA-256 as hexadecimal digits, its size. AWS has no field
# for them: ModelDataUrl names no version, and SageMaker fetches what is there when a job starts.
ARTIFACT_VERSION, ARTIFACT_SHA256, ARTIFACT_BYTES = "artifact_version", "artifact_sha256", "artifact_bytes"
# A variable of the version's container: SHA-256 of the archive's manifest, which lists the SHA-256 of all other members.
MANIFEST_VARIABLE = "PTMLOPS_MANIFEST_SHA256"


@dataclass(frozen=True)
class Pin:
    """The artifact that a version was registered with.

    Attributes:
        version_id: its object version in S3; `null` in a bucket that keeps no versions.
        sha256: hexadecimal digits.
        bytes: its size, as text.
    """

    version_id: str
    sha256: str
    bytes: str

    def metadata(self) -> dict[str, str]:
        """Return the pin as fields of CustomerMetadataProperties."""
        return {ARTIFACT_VERSION: self.version_id, ARTIFACT_SHA256: self.sha256, ARTIFACT_BYTES: self.bytes}


def pin_of(package: Mapping[str, Any]) -> Pin | None:
    """Return the pin of a version as DescribeModelPackage describes it. A version that an earlier release registered has none."""
    metadata = package.get("CustomerMetadataProperties", {})
    if ARTIFACT_SHA256 not in metadata:
        return None
    return Pin(metadata.get(ARTIFACT_VERSION, ""), metadata[ARTIFACT_SHA256], metadata.get(ARTIFACT_BYTES, ""))


def artifact_uri(package: Mapping[str, Any]) -> str:
    """Return the address of a version's artifact."""
    return str(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])


def metadata_value(text: str) -> str:
    """Return a value that CustomerMetadataProperties accepts: other characters become spaces, and an empty text "none"."""
    kept = (
        character if unicodedata.category(character)[0] in "LZN" or character in METADATA_PUNCTUATION else " "
        for character in unicodedata.normalize("NFC", text)
    )
    return " ".join("".join(kept).split())[:METADATA_CHARACTERS].strip() or "none"


def description_value(text: str) -> str:
    """Return a value that ModelPackageDescription and ApprovalDescription accept: control characters become spaces."""
    kept = (" " if unicodedata.category(character)[0] == "C" else character for character in text)
    return "".join(kept)[:DESCRIPTION_CHARACTERS]

"""What the model registry stores of a version besides its artifact: the last decision about it, in the form that the service accepts.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html: descriptions have at most 1,024 characters, none of
them a control character. A value of CustomerMetadataProperties has 1 to 256 characters: letters, digits, spaces and this punctuation.
(botocore's model has the same limits, and local AWS checks requests against it.)
"""

from __future__ import annotations

import unicodedata

DESCRIPTION_CHARACTERS, METADATA_CHARACTERS, METADATA_PUNCTUATION = 1024, 256, "_.:/=+-@"
# Fields of CustomerMetadataProperties on the last decision. `decision` and `reason` are always the gate's.
DECIDED_BY, DECIDED_AT, DECIDED_REASON, OVERRIDE, CANARY = "decided_by", "decided_at", "decided_reason", "override", "canary"
GATE = "gate"  # `decided_by` of a version that no person has decided on


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

"""Read "Object Created" events of EventBridge, as SQS delivers them.

Source: "Amazon S3 event message structure for EventBridge" in the S3 user guide. Unlike in S3 event notifications, the key is
not URL-encoded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ptmlops_contracts.files import is_left_by_system


class MalformedArrivalError(ValueError):
    """A message is not an "Object Created" event. The text names the missing part and quotes nothing of the message."""


@dataclass(frozen=True, kw_only=True, order=True)
class FileVersion:
    """One version of one object in the raw bucket: the unit that is claimed and processed exactly once."""

    bucket: str
    key: str
    version_id: str
    size: int
    etag: str

    @property
    def name(self) -> str:
        """`bucket/key#version`, which never repeats."""
        return f"{self.bucket}/{self.key}#{self.version_id}"

    @property
    def is_passed_over(self) -> bool:
        """True for the zero-byte object that a console makes for a new folder, and for a file that a system left in a folder."""
        return (self.key.endswith("/") and self.size == 0) or is_left_by_system(self.key)


def parse_arrival(body: str) -> FileVersion:
    """Parse the body of one SQS message.

    Raises:
        MalformedArrivalError: it is not JSON, not an "Object Created" event, or lacks a part.
    """
    try:
        event = json.loads(body)
        kind = event["detail-type"]
        item = event["detail"]["object"]
        file = FileVersion(
            bucket=event["detail"]["bucket"]["name"],
            key=item["key"],
            # A bucket without versioning sends no version; S3 itself calls that version "null".
            version_id=item.get("version-id") or "null",
            size=int(item["size"]),
            etag=item["etag"],
        )
    except KeyError as error:
        raise MalformedArrivalError(f"{error} is missing") from None
    except (TypeError, ValueError, AttributeError):
        # The cause is not chained: it would quote the message, and with it the key.
        raise MalformedArrivalError("not an EventBridge event of S3") from None
    if kind != "Object Created":
        raise MalformedArrivalError("detail-type is not 'Object Created'")
    return file

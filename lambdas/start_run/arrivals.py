"""What arrived: EventBridge's "Object Created" events, as SQS hands them over, into files that a run can claim.

Source: "Amazon S3 event message structure for EventBridge" in the S3 user guide. Unlike S3's own notifications, these
carry the key as it is, not URL-encoded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime


class MalformedArrivalError(ValueError):
    """A message is not an "Object Created" event; the message names the part that is missing, never its content."""


@dataclass(frozen=True, kw_only=True, order=True)
class FileVersion:
    """One version of one object in the raw bucket: what is claimed, and processed exactly once."""

    bucket: str
    key: str
    version_id: str
    size: int
    etag: str

    @property
    def name(self) -> str:
        """`bucket/key#version`, which is unique for ever."""
        return f"{self.bucket}/{self.key}#{self.version_id}"


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A file version and when it was created (UTC)."""

    file: FileVersion
    time: datetime

    @property
    def is_folder(self) -> bool:
        """Consoles make a zero-byte object whose key ends in "/" when a person creates a folder: nothing to read."""
        return self.file.key.endswith("/") and self.file.size == 0


def arrival_from_body(body: str) -> Arrival:
    """One SQS message's body.

    Raises:
        MalformedArrivalError: it is not JSON, not an "Object Created" event, or lacks a part.
    """
    try:
        event = json.loads(body)
        kind = event["detail-type"]
        found = event["detail"]["object"]
        file = FileVersion(
            bucket=event["detail"]["bucket"]["name"],
            key=found["key"],
            # A bucket without versioning gives none; S3 itself calls that version "null".
            version_id=found.get("version-id") or "null",
            size=int(found["size"]),
            etag=found["etag"],
        )
        time = datetime.fromisoformat(event["time"]).astimezone(UTC)
    except KeyError as error:
        raise MalformedArrivalError(f"{error} is missing") from None
    except (TypeError, ValueError, AttributeError):
        # The cause is not chained: it would quote the message, and with it the key.
        raise MalformedArrivalError("not an EventBridge event of S3") from None
    if kind != "Object Created":
        raise MalformedArrivalError("detail-type is not 'Object Created'")
    return Arrival(file=file, time=time)


def run_id_of(arrivals: Iterable[Arrival]) -> str:
    """`YYYYMMDD-HHMMSS-xxxxxxxx`: the newest event's time, then what the files are. The same files give the same run."""
    arrivals = list(arrivals)
    newest = max(arrival.time for arrival in arrivals)
    names = "\n".join(sorted(arrival.file.name for arrival in arrivals))
    return f"{newest:%Y%m%d-%H%M%S}-{hashlib.sha256(names.encode()).hexdigest()[:8]}"

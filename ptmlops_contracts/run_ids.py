"""Run ids: `YYYYMMDD-HHMMSS-xxxxxxxx`, a UTC time and eight hexadecimal digits.

24 characters fit every name that is made from a run id (a tuning job's may have 32). Ids sort by time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime

# A run id in the language of IAM's patterns.
RUN_ID_PATTERN = "20??????-??????-????????"

_RUN_ID = re.compile(r"(\d{4})(\d\d)(\d\d)-\d{6}-[0-9a-f]{8}")


def make_run_id(newest: datetime, files: Iterable[str]) -> str:
    """Name a run after its files: the same files give the same id.

    Args:
        newest: when the newest file was created, in UTC.
        files: each file's `bucket/key#version`, in any order.
    """
    digest = hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()
    return f"{newest:%Y%m%d-%H%M%S}-{digest[:8]}"


def is_run_id(text: str) -> bool:
    """Return True if `text` has the form of a run id."""
    return _RUN_ID.fullmatch(text) is not None


def run_of_job(name: str) -> str:
    """Return the run id that the name of a SageMaker job begins with, or the name itself.

    Example: `run_of_job("20260715-093000-0123abcd-0-0-001-1a2b3c4d")` is `20260715-093000-0123abcd`.
    """
    match = _RUN_ID.match(name)
    return match[0] if match else name


def run_date(run_id: str) -> str:
    """Return the run's day in UTC, `YYYY-MM-DD`: the partition that holds its results.

    It comes from the id, so a redrive on a later day writes to the same place.

    Raises:
        ValueError: `run_id` is not a run id.
    """
    match = _RUN_ID.fullmatch(run_id)
    if match is None:
        raise ValueError(f"not a run id: {run_id!r}")
    return "-".join(match.groups())

"""Notices of a local AWS as text: what subscribers would have received by mail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_notices(file: Path) -> list[dict[str, Any]]:
    """Return the notices in the order of their delivery; none if the file does not exist."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]


def notice_lines(notice: dict[str, Any]) -> Iterator[str]:
    """Yield a notice's lines: time, subject and recipients, then the message. An alarm's message is what to do and why it was raised."""
    recipients = ", ".join(notice["recipients"]) or "nobody is subscribed"
    yield f"{notice['timestamp'][11:19]} {notice['subject'] or '(no subject)'} ({recipients})"
    for line in _message(notice["message"]):
        yield f"    {line}"


def _message(text: str) -> list[str]:
    try:
        alarm: Any = json.loads(text)
    except ValueError:
        return text.splitlines()
    if not isinstance(alarm, dict) or "AlarmName" not in alarm:
        return [text]
    return [str(alarm[key]) for key in ("AlarmDescription", "NewStateReason") if alarm.get(key)]

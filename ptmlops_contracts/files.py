"""Files that people may upload: endings, and the separators of CSV."""

from __future__ import annotations

SUPPORTED_ENDINGS = (".csv", ".tsv", ".jsonl", ".json", ".txt")  # each also with .gz behind it

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}  # a character, and its name for people


def file_ending(name: str) -> str | None:
    """Return the supported ending of a file's name, without `.gz`, or None."""
    lower = name.lower()
    unpacked = lower[: -len(".gz")] if lower.endswith(".gz") else lower
    return next((ending for ending in SUPPORTED_ENDINGS if unpacked.endswith(ending)), None)

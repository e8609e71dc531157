"""Every call of a command by the end-to-end tests, so that the last of them can tell which commands they have seen succeed and fail."""

from __future__ import annotations

from collections.abc import Sequence

from ptmlops.main import COMMANDS, RESTORE, REVIEW

NAMES = (
    *(name for commands in COMMANDS.values() for name in commands),
    *(f"review {name}" for name in REVIEW),
    *(f"restore {name}" for name in RESTORE),
)
# (command, whether it succeeded) of each call so far.
CALLS: set[tuple[str, bool]] = set()


def record(arguments: Sequence[str], exit_code: int) -> None:
    """Note a call. Help pages and calls that name no command count for nothing."""
    words = [str(word) for word in arguments]
    name = next((name for name in NAMES if words[: len(name.split())] == name.split()), None)
    if name and "--help" not in words:
        CALLS.add((name, exit_code == 0))

"""A lock on the folder of a local AWS: one command at a time starts and deploys there."""

from __future__ import annotations

import fcntl
from pathlib import Path


class FolderLock:
    """An exclusive lock on a file. The system releases it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")  # not inherited by programs that are started

    def take(self) -> bool:
        """Take the lock. Returns False if another command has it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            return False
        return True

    def release(self) -> None:
        """Release the lock. A second call does nothing."""
        self._file.close()

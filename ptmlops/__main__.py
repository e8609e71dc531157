"""Start `ptmlops`. Ctrl-C and a request to end are quiet from the first import on."""

from __future__ import annotations

import signal
import sys

INTERRUPTED, TERMINATED = 130, 143  # 128 + the number of the signal, as in a shell
ENDING = (signal.SIGTERM, signal.SIGHUP)


def _end(*_: object) -> None:
    """Leave the command, which ends what it started. A second request does not interrupt that."""
    for number in ENDING:
        signal.signal(number, lambda *_: None)
    sys.exit(TERMINATED)


def main() -> None:
    """Run the command line."""
    for number in ENDING:
        signal.signal(number, _end)
    try:
        from ptmlops.main import app  # inside `try`: a person may press Ctrl-C while Python still imports

        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()

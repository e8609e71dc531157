"""Start `ptmlops`. Ctrl-C and a request to end are quiet from the first import on."""

from __future__ import annotations

import signal
import sys

INTERRUPTED, TERMINATED = 130, 143  # 128 + the number of the signal, as in a shell


def main() -> None:
    """Run the command line."""
    for signal_number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, lambda *_: sys.exit(TERMINATED))
    try:
        from ptmlops.main import app  # inside `try`: a person may press Ctrl-C while Python still imports

        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()

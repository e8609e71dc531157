"""Where `ptmlops` begins: Ctrl-C and being told to end are quiet from the first import on."""

from __future__ import annotations

import signal
import sys

INTERRUPTED, TERMINATED = 130, 143  # as a shell names these ends


def main() -> None:
    """Run the command line; the imports take half a second, and a person may think again in it."""
    for which in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(which, lambda *_: sys.exit(TERMINATED))
    try:
        from ptmlops.main import app

        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()

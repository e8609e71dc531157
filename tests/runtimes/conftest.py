"""Tests of the units with the versions of the services' runtimes: in `make nightly` only, because each installs an environment."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("PTMLOPS_NIGHTLY") else ["test_*.py"]

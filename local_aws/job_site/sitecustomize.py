"""Hide the packages of this project from a job. Python runs this file when a process starts with its folder in PYTHONPATH.

A job or a function on AWS sees the libraries of its runtime and what it brings. Here it shares an interpreter with local AWS, beside which
this project is installed, so a file that the job forgot to bring would be found nevertheless.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

LIBRARIES = sysconfig.get_paths()["purelib"]
INSTALLED = {name for file in Path(LIBRARIES).glob("ptmlops-*.dist-info/top_level.txt") for name in file.read_text().split()}


class BroughtPackages:
    """Finds a package of this project only where a job may have brought it."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return where a package is, or None if it is not one of this project.

        Raises:
            ModuleNotFoundError: the job did not bring it.
        """
        if name not in INSTALLED:
            return None
        found = PathFinder.find_spec(name, [entry for entry in sys.path if entry != LIBRARIES], target)
        if found is None:
            raise ModuleNotFoundError(f"No module named {name!r}: the job does not bring it", name=name)
        return found


sys.meta_path.insert(0, BroughtPackages)

"""One synthesis of an environment on AWS, whose archives hold everything that AWS needs; and the state machine's definition."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stacks.conftest import Template, definition, kept_assembly, read_templates, templates

__all__ = ["definition", "templates"]


@dataclass(frozen=True)
class Assembly:
    """A synthesized environment: its templates, and the folder with its assets."""

    folder: Path
    templates: dict[str, Template]

    def asset(self, key: str) -> Path:
        """The file that is uploaded under a key, or an address that ends in it."""
        return self.folder / f"asset.{key.rpartition('/')[2]}"


@pytest.fixture(scope="session")
def assembly() -> Assembly:
    folder = kept_assembly("prod")
    return Assembly(folder, read_templates("prod", folder))

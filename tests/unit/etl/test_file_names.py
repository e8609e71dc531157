"""Files that systems and programs leave in a folder are known by their names, and complaints are not taken for them."""

from __future__ import annotations

import pytest

from ptmlops_contracts.files import is_left_by_system


@pytest.mark.parametrize(
    "key",
    [
        ".DS_Store", "agosto/.DS_Store", "agosto/Thumbs.db", "THUMBS.DB", "ehthumbs.db", "a/b/desktop.ini", "Desktop.ini",
        "~$resumen.xlsx", "agosto/~$quejas.csv", "._quejas.csv", "__MACOSX/agosto/._quejas.csv", "__MACOSX/quejas.csv",
        ".~lock.quejas.csv#", "$RECYCLE.BIN/quejas.csv", "@eaDir/quejas.csv", ".Trashes/x.csv", ".gitkeep", "quejas.csv:Zone.Identifier",
        "Icon\r", "~wrl0001.tmp",
    ],
)  # fmt: skip
def test_what_a_system_leaves_is_known_by_its_name(key: str) -> None:
    assert is_left_by_system(key)


@pytest.mark.parametrize(
    "key",
    [
        "quejas.csv", "agosto/quejas.csv.gz", "thumbs.csv", "desktop.csv", "mi~$.csv", "quejas ~1.csv", "~quejas.csv", ".quejas.csv",
        "icon.csv", "DS_Store.csv", "agosto.git/quejas.csv", "foto.png",
    ],
)  # fmt: skip
def test_files_of_people_are_not(key: str) -> None:
    assert not is_left_by_system(key)

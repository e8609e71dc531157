"""Files that people may upload: endings, the separators of CSV, and files that nobody uploads on purpose."""

from __future__ import annotations

import re

TEXT_ENDINGS = (".csv", ".tsv", ".jsonl", ".json", ".txt")  # each also with .gz behind it
WORKBOOK_ENDINGS, ARCHIVE_ENDINGS = (".xlsx", ".xlsm"), (".zip",)
SUPPORTED_ENDINGS = (*TEXT_ENDINGS, *WORKBOOK_ENDINGS, *ARCHIVE_ENDINGS)
# Tables, but in formats that are not read: these files are rejected, and not passed over like an image.
OTHER_SPREADSHEETS = (".xls", ".xlsb", ".xlt", ".ods", ".fods", ".numbers")
# The hidden sheet of a review list with the labels to choose from.
LABELS_SHEET = "ptmlops_labels"

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}  # a character, and its name for people

# What systems and programs leave in a folder, which `aws s3 sync` uploads with it: macOS, Windows, Linux, Office and LibreOffice's lock
# files, network storage, git.
_LEFT_FOLDERS = re.compile(
    r"(?i)(?:^|/)(?:__MACOSX|\.Spotlight-V100|\.Trashes|\.fseventsd|\.TemporaryItems|\$RECYCLE\.BIN|System Volume Information|@eaDir|\.git)/"
)
_LEFT_FILES = re.compile(
    r"(?i)(?:\._.*|\.DS_Store|\.localized|\.AppleDouble|Icon\r|(?:eh)?thumbs(?:_vista)?\.db(?::encryptable)?|desktop\.ini|~\$.*|\.~lock\..*#"
    r"|\.~.*|~.*\.tmp|\.directory|\.git(?:keep|ignore)|\.keep|folder\.jpg:.*|.*:Zone\.Identifier)"
)


def is_left_by_system(key: str) -> bool:
    """Return True for a file that a system or an office program made for itself: it is passed over like the marker of a folder.

    Example: `agosto/.DS_Store`, `agosto/Thumbs.db`, `agosto/~$resumen.xlsx`, `__MACOSX/._quejas.csv`.
    """
    return bool(_LEFT_FOLDERS.search(key) or _LEFT_FILES.fullmatch(key.rpartition("/")[2]))


def file_ending(name: str) -> str | None:
    """Return the supported ending of a file's name, without `.gz`, or None."""
    lower = name.lower()
    endings: tuple[str, ...] = SUPPORTED_ENDINGS
    if lower.endswith(".gz"):
        lower, endings = lower[: -len(".gz")], TEXT_ENDINGS
    return next((ending for ending in endings if lower.endswith(ending)), None)


def is_workbook(name: str) -> bool:
    """Return True for the name of an Excel workbook that is read, unless an office program left it."""
    return name.lower().endswith(WORKBOOK_ENDINGS) and not is_left_by_system(name)


def is_packed(name: str) -> bool:
    """Return True for the name of a file with several tables: a workbook or a zip archive."""
    return is_workbook(name) or (file_ending(name) in ARCHIVE_ENDINGS and not is_left_by_system(name))

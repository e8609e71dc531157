"""Clean a cell that is not a complaint's text: a label, an id, a column that goes along."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from html import unescape

# Placeholders for a missing value. Cleaning shortens `-----` to `---`, so the forms of three characters are enough.
BLANKS = ("none", "null", "nan", "na", "n/a", "#n/a", "n/d", "s/d", "-", "--", "---", "===", "___", "***", "...", "???")

# Characters that Windows-1252 has for bytes that Latin-1 leaves to control characters.
_OWN = bytes(range(0x80, 0xA0)).decode("cp1252", "ignore")
_LATIN_1 = str.maketrans(_OWN, _OWN.encode("cp1252").decode("latin-1"))
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]{2,}")
_ENTITY = re.compile(r"&#?\w{1,8};")


def is_blank(cell: str) -> bool:
    """Return True for an empty cell or a placeholder such as `N/A`."""
    return not cell or cell.casefold() in BLANKS


def clean_cell(cell: str) -> str:
    """Repair wrongly decoded characters and HTML references, drop invisible characters, and make white space single.

    Example:
        `"Cr\u00c3\u00a9dito&nbsp; "` becomes `Crédito`.
    """
    plain = cell
    if not cell.isascii():
        for _ in range(2):  # some cells were decoded wrongly twice
            plain = _BEYOND_ASCII.sub(_read_again, plain)
    if "&" in plain:
        plain = _ENTITY.sub(lambda match: unescape(match[0]), plain)
    if not plain.isascii():
        plain = "".join(sign for sign in plain if sign.isascii() or unicodedata.category(sign) != "Cf")
    return unicodedata.normalize("NFC", " ".join(plain.split()))


def _read_again(match: re.Match[str]) -> str:
    """Decode UTF-8 that was read as Windows-1252; return anything else as it is."""
    with contextlib.suppress(UnicodeError):
        return match[0].translate(_LATIN_1).encode("latin-1").decode()
    return match[0]

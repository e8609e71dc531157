"""Repair bytes of Mac Roman or of DOS that were read as Windows-1252: `tŽcnica` becomes `técnica`, `operaci¢n` becomes `operación`."""

from __future__ import annotations

import re

# What Windows-1252 shows for the bytes 80 to FF; its five undefined bytes are control characters.
_SHOWN = [bytes([octet]).decode("cp1252", "ignore") or chr(octet) for octet in range(0x80, 0x100)]


def _table(code_page: str, *, letters: str = "") -> dict[int, str]:
    """Return what each character of Windows-1252 was in another code page, for all bytes or for those of some letters."""
    meant = bytes(range(0x80, 0x100)).decode(code_page)
    return {ord(shown): letter for shown, letter in zip(_SHOWN, meant, strict=True) if not letters or letter in letters}


_LETTERS = "áéíóúüñãõâêôàç"
_MAC, _MAC_LETTERS, _DOS_LETTERS = (
    _table("mac_roman"),
    _table("mac_roman", letters=_LETTERS),
    _table("cp850", letters=_LETTERS),
)
# No word has these signs between small letters, nor these small letters between capitals; and words end in "ción".
# An apostrophe (í), a dash (ó, ñ) and œ (ú) are letters only beside such evidence.
_IS_MAC = re.compile(
    r"(?<=[a-z])Ž(?=[a-z])|(?<=[b-df-hj-np-tv-z])‡(?=[a-z])|(?<=[a-z][cs]i)—n(?:es)?\b|(?<=[A-Z])[ƒ„](?=[A-Z])|(?<=[A-Z][CS]I)îN\b"
)
_IS_DOS = re.compile(r"(?<=[a-z][cs]i)¢n(?:es)?\b|(?<=[a-z])¤(?=[aeiou])")
_CORRECT = re.compile("[áéíóúñ]")
_AT_AN_END = "Ž‡œ"  # also letters at the end of a word, where a dash or an apostrophe may be meant
_IN_A_WORD, _IN_A_DOS_WORD = (
    re.compile(rf"(?<=[^\W\d_])(?:[{re.escape(''.join(map(chr, letters)))}](?=[^\W\d_])|[{_AT_AN_END}])")
    for letters in (_MAC_LETTERS, _DOS_LETTERS)
)


def repair_code_pages(text: str) -> str:
    """Return the text with misread letters repaired, if a word of it shows that its bytes were misread."""
    if _IS_MAC.search(text):
        if not _CORRECT.search(text):
            return text.translate(_MAC)  # all of it was misread: the text's own dashes and quotes look otherwise
        return _IN_A_WORD.sub(lambda letter: letter[0].translate(_MAC_LETTERS), text)
    if _IS_DOS.search(text):
        return _IN_A_DOS_WORD.sub(lambda letter: letter[0].translate(_DOS_LETTERS), text)
    return text

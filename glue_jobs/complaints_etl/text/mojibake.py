"""Repair UTF-8 that was read as Windows-1252 or Latin-1: `quÃ©` becomes `qué`."""

from __future__ import annotations

import re

# Windows-1252 has its own characters for 27 of the bytes 80 to 9F. The other five, and all 32 in Latin-1, are control characters.
_WINDOWS = bytes(range(0x80, 0xA0)).decode("cp1252", "ignore")
_LATIN_1 = _WINDOWS.encode("cp1252").decode("latin-1")
_TO_LATIN_1 = str.maketrans(_WINDOWS, _LATIN_1)
_TO_WINDOWS = str.maketrans(_LATIN_1, _WINDOWS)

LEADS = "ÂÃÅÆËâïð"  # what the first byte of a character looks like
_LEAD = re.compile(f"[{LEADS}]")
_NEXT = rf"[\x80-\xBF{_WINDOWS}]"  # what any other byte of a character looks like
_LOWER = "".join(letter for letter in map(chr, range(0x80)) if letter.islower()) + "ß-öø-ÿ"
# Characters of Latin-1, typographic marks, symbols, emoji, and what texts consist of that were misread twice. Other letters than LEADS
# may end a word before quotation marks (`QUÉ”`) and are no evidence. Ã is one only if no closing mark follows (`IRMÃ”`), or if the
# letters beside it show that it is not the end of a word.
_CLOSING = "’”…–—›»"
_MISREAD = re.compile(
    rf"Â{_NEXT}|Ã(?![{_CLOSING}]){_NEXT}|(?:(?<=[{_LOWER}])Ã|Ã(?=.[^\W\d_]))[{_CLOSING}]"
    rf"|Å[’“\x92\x93\xA0¡¸½¾]|Æ[’\x92]|Ë[†œ\x86\x9C]|(?:[âï]|ð[Ÿ\x9D\x9F]|ó\xA0(?=\x81)){_NEXT}{{2}}"
)
# Windows-1252 has nothing for the last byte of ”, and some programs drop it.
_HALF_A_QUOTE = re.compile(r"â€(?=[\s.,;:!?)]|\Z)")


def repair_mojibake(text: str) -> str:
    """Return the text with misread characters decoded; texts that were misread twice are decoded twice.

    Example:
        `repair_mojibake("El crÃ©dito â€œfÃ¡cilâ€")` returns `El crédito “fácil”`.
    """
    for _ in range(2):
        if not _LEAD.search(text):
            return text
        text = _MISREAD.sub(_decode, text)
    return _HALF_A_QUOTE.sub("”", text)


def _decode(match: re.Match[str]) -> str:
    try:
        character = match[0].translate(_TO_LATIN_1).encode("latin-1").decode()
    except UnicodeDecodeError:
        return match[0]
    # Control characters that Latin-1 has where Windows-1252 has marks were meant as those marks.
    return character.translate(_TO_WINDOWS)

"""Clean texts and cells: the one definition of a clean text, applied once, before anything else looks at it."""

from __future__ import annotations

import re
from unicodedata import category, normalize

import numpy as np

from complaints_etl.text.decoding import ENCODED, decode
from complaints_etl.text.mail import remove_mail_parts
from complaints_etl.text.markup import remove_tags

_CONTROL = (
    "\x00-\x08\x0e-\x1f\x7f\x80-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069"
    "\ufeff\ufff9-\ufffb"
)
_INVISIBLE = re.compile(f"[{_CONTROL}]")
# A text without any of these is left as it is by all steps of `_repair`.
_REPAIRABLE = re.compile(f"[{_CONTROL}{ENCODED}<\r\u200d\u0300-\u036f]")
_JOINER = re.compile("\u200d")

_REPEATED_MARK = re.compile(r"([!?.,;:*=_\-])\1{3,}")
_REPEATED_LETTER = re.compile(r"(?![Xx])([^\W\d_])\1{3,}")  # masks (XXXX) keep their length

# A text that is cut must not end in part of a number, which redaction would not recognise. It loses at most this many characters.
_LONGEST_NUMBER = 60
_BETWEEN_DIGITS = r"[\s().,+/\-]{0,3}+"
_PART_OF_A_NUMBER_OR_WORD = re.compile(
    rf"(?s)(?=.{{1,41}}\Z)(?:(?<=\s)[^\s\d]*+|(?<![\s\d().,+/\-]))\d(?:{_BETWEEN_DIGITS}\d)*(?:{_BETWEEN_DIGITS}|\S*+)\Z"
    r"|(?<=\s)\S+\Z"
)


def clean_text(text: str, *, max_characters: int) -> tuple[str, bool]:
    """Clean a complaint's text. Accents, ñ, currency signs and emoji stay.

    Wrong decoding is repaired. HTML, mail parts and invisible characters are removed. A mark is repeated three times at most, a letter
    twice. White space is single.

    Args:
        text: as its file has it.
        max_characters: a longer text is cut before the word or number that the limit goes through.

    Returns:
        The clean text, and whether it was cut.

    Example:
        `clean_text("El crÃ©dito&nbsp;<b>no</b> sirve!!!!!", max_characters=500)` returns `("El crédito no sirve!!!", False)`.
    """
    if _REPAIRABLE.search(text):
        text = _remove_invisible(remove_tags(_decode(text)))
    text = remove_mail_parts(text)
    text = " ".join(text.split())
    if _has_repeats(text):
        text = _REPEATED_LETTER.sub(r"\1\1", _REPEATED_MARK.sub(r"\1\1\1", text))
    return (text, False) if len(text) <= max_characters else (_cut(text, max_characters), True)


def clean_cell(cell: str) -> str:
    """Clean a cell that is not a complaint's text: a label, an id, a carried column. Tags, mail parts and repetitions stay.

    Example:
        `clean_cell("CrÃ©dito&nbsp; ")` returns `Crédito`.
    """
    if _REPAIRABLE.search(cell):
        cell = _remove_invisible(_decode(cell))
    return " ".join(cell.split())


def _decode(text: str) -> str:
    return normalize("NFC", decode(text))


def _remove_invisible(text: str) -> str:
    text = _INVISIBLE.sub("", text)
    if "\u200d" in text:
        text = _JOINER.sub(_joined, text)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _joined(joiner: re.Match[str]) -> str:
    """Keep a zero-width joiner between two signs of an emoji, and nowhere else."""
    text, at = joiner.string, joiner.start()
    before, after = text[max(at - 1, 0) : at], text[at + 1 : at + 2]
    is_within_emoji = before and after and (before == "\ufe0f" or category(before) in ("So", "Sk")) and category(after) == "So"
    return joiner[0] if is_within_emoji else ""


def _has_repeats(text: str) -> bool:
    """Return True if a character may occur four times in a row. This takes a quarter of the time of a regular expression."""
    octets = np.frombuffer(
        text.encode("latin-1", "replace"), np.uint8
    )  # others become `?`: too many are found rather than too few
    same = octets[1:] == octets[:-1]
    return bool((same[2:] & same[1:-1] & same[:-2]).any())


def _cut(text: str, max_characters: int) -> str:
    kept = max(max_characters - _LONGEST_NUMBER, 0)
    # One character over the limit shows whether a word ends there.
    end = _PART_OF_A_NUMBER_OR_WORD.sub("", text[kept : max_characters + 1])
    return (text[:kept] + end)[:max_characters].rstrip()

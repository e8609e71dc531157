"""SECRET: PINs, one-time codes and the digits on the back of a card, a few words after their keyword.

Positive: `el código que me llegó fue 834112`. Negative: `error code 40312`, `la clave cambió en 2019`, `PIN por 20000 pesos`.
"""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON, any_of
from complaints_etl.redaction.kinds.passwords import SECRET_PREFIXES
from complaints_etl.redaction.kinds.phrases import (
    LONG_GAP,
    NOT_QUANTITY,
    PASSWORD_GAP,
    YEAR,
    before_quantity,
    last_word,
    placeholder,
)
from complaints_etl.redaction.rule import Rule

_SENT = re.compile(rf"(?i){LEXICON.pattern('codes', 'sent')}")
_ENDS = r"(?![\w]|[.,:/\-]\d)"
_FOUR_TO_EIGHT = rf"(?P<value>\d{{3}}[ \-]\d{{3}}|\d{{4,8}}){_ENDS}{NOT_QUANTITY}"
_PIN = any_of(term for section in ("passwords", "pins", "one_time_codes") for term in LEXICON.terms(section, "near"))


def _is_code(match: re.Match[str]) -> bool:
    """Return True for a PIN or a code, False for a quantity, or for a year without a verb before it."""
    if before_quantity(match) or match["value"].endswith("000"):
        return False
    return not YEAR.fullmatch(match["value"]) or last_word(match) in ("es", "is", "era", "was", "fue")


def _is_sent_code(match: re.Match[str]) -> bool:
    """Return True for a code of six digits, or one that was sent, read or dictated."""
    if not _is_code(match):
        return False
    begin, end = max(match.start() - 40, 0), match.end("keep")
    return sum(map(str.isdigit, match["value"])) == 6 or bool(_SENT.search(match.string, begin, end))


RULES = (
    Rule(
        name="card code near keyword",
        type="SECRET",
        example="el código de seguridad que tiene es 934",
        prefixes=SECRET_PREFIXES,
        min_digits=3,
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{LEXICON.pattern('card_codes', 'near')})\b{PASSWORD_GAP})(?P<value>\d{{3,4}}){_ENDS}{NOT_QUANTITY}"
        ),
        accepts=_is_code,
    ),
    Rule(
        name="PIN near keyword",
        type="SECRET",
        example="the PIN I typed was 4821",
        prefixes=SECRET_PREFIXES,
        min_digits=4,
        pattern=re.compile(rf"(?i)(?P<keep>\b(?:{_PIN})\b{LONG_GAP}){_FOUR_TO_EIGHT}"),
        accepts=_is_code,
    ),
    Rule(
        name="code near keyword",
        type="SECRET",
        example="el código que me llegó fue 834112",
        prefixes=SECRET_PREFIXES,
        min_digits=4,
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{LEXICON.pattern('codes', 'near')})\b(?! (?:{LEXICON.pattern('codes', 'not_near')})){LONG_GAP}){_FOUR_TO_EIGHT}"
        ),
        accepts=_is_sent_code,
    ),
    Rule(
        name="code near a card",
        type="SECRET",
        example="<CARD>, código 934",
        contains="<CARD>",
        min_digits=3,
        positions=lambda text: placeholder("CARD", text),
        pattern=re.compile(
            rf"(?i)(?P<keep><CARD>[^\d<\n]{{0,40}}\b(?:{LEXICON.pattern('card_codes', 'beside_card')})\b[^\d<\n]{{0,12}})(?P<value>\d{{3,4}}){_ENDS}{NOT_QUANTITY}"
        ),
        accepts=_is_code,
    ),
)

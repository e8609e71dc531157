"""What several kinds share: the words between a keyword and its number, what cannot follow a number, and checks by context."""

from __future__ import annotations

import re

from complaints_etl.lexicon import CURRENCY_CODES, LEXICON, any_of
from complaints_etl.redaction.checksums import digits_of
from complaints_etl.redaction.rule import Rule
from complaints_etl.redaction.scanner import ScannedText, find_all

_MONEY = any_of((*LEXICON.terms("quantities", "money"), rf"(?:{any_of(CURRENCY_CODES)})\b", "%"))
_COUNTED = LEXICON.pattern("quantities", "counted")
# Not before "pesos", "USD", "%": the number is a sum.
NOT_MONEY = rf"(?!\s*(?:{_MONEY}))"
# Nor before "días", "times", or more digits.
NOT_QUANTITY = rf"(?![ \-]?\d)(?!\s*(?:{_COUNTED}|{_MONEY}))"
CURRENCY_BEFORE = any_of((*CURRENCY_CODES, "US"))

# Between a keyword and the number right behind it: " de la ", " is ", ": ", " No. ", " #".
LINK = (
    r"(?:\s*(?:de|del|bajo|la|el|al|mi|my|the|es|is|was|fue|con|with|n[uú]mero|number|nro|num|no|n(?![a-z])|°|º|o(?![a-z])|#|:|=|,|\.|-|"
    r"ending|id|code|c[oó]digo)){0,6}?\s*\(?"
)
# The words between a keyword and its number. They have no digits, are in the same sentence, and none refers to another number.
# Example: " que abrí con ustedes, ".
_BETWEEN = rf"[^\w<>$€.!?\n]{{1,3}}(?!(?:{LEXICON.pattern('impersonal', 'between')})\b)[^\W\d_]+"
GAP, LONG_GAP = (rf"(?:{_BETWEEN}){{0,{words}}}?[^\w<>$€.!?\n]{{1,3}}" for words in (6, 9))
# A question may precede a password: "my old password? it was …". Its figures distinguish it from words.
PASSWORD_GAP = LONG_GAP.replace(".!?", ".!")
# Between two numbers of one kind: " y no ", " instead of ".
ANOTHER = (
    r"(?:[ ,;/]*\b(?:y|e|o|and|or|vs|versus|que|es|is|was|era|fue|la|el|the|my|mi|m[ií][ao]|en|vez|lugar|de|instead|of|no|not|sino|but|pero|"
    r"a|to|puso|pone|put|nuev[oa]|new|otr[oa]|other|another|then|luego|despu[eé]s|anterior|previous)\b){1,8}[ ,;:]+"
)

YEAR = re.compile(r"(?:19|20)\d\d")
DATE = re.compile(r"(?:\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[-/]\d{1,2}[-/](?:\d{4}|\d{2}))")
_NOT_BEFORE_A_NAME = re.compile(f"(?i)(?:{any_of((*LEXICON.terms('prepositions', 'adjacent'), *CURRENCY_CODES, 'us'))})")


def placeholder(kind: str, text: ScannedText) -> list[int]:
    """Return the positions of placeholders of a kind, which have replaced values already."""
    return find_all(text.text, (f"<{kind}>",))


def another(kind: str, form: str, *, name: str, example: str) -> Rule:
    """Make the rule for a second number of a kind, after a replaced one: `the account <ACCOUNT> and not 456…`."""
    return Rule(
        name=name,
        type=kind,
        example=example,
        contains=f"<{kind}>",
        positions=lambda text: placeholder(kind, text),
        min_digits=6,
        pattern=re.compile(rf"(?i)(?P<keep><{kind}>{ANOTHER})(?P<value>{form})(?![\w]|[.,]\d){NOT_QUANTITY}"),
        accepts=is_personal,
    )


def last_word(match: re.Match[str]) -> str:
    """Return the word right before the value, in lower case."""
    return match["keep"].rstrip(" ,:(\"'-").rpartition(" ")[2].lower()


def before_quantity(match: re.Match[str]) -> bool:
    """Return True if the word before the value is one that precedes sums, times and quantities: `por`, `since`, `USD`."""
    return _NOT_BEFORE_A_NAME.fullmatch(last_word(match)) is not None


def is_personal(match: re.Match[str]) -> bool:
    """Return True for a number a few words after its keyword, unless it looks like a sum or a date."""
    value = match["value"]
    return not digits_of(value).endswith("000") and not DATE.fullmatch(value) and not before_quantity(match)

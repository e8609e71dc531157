"""The one definition of clean text: Spark SQL expressions, applied once, in Prepare."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from html.entities import name2codepoint

from pyspark.sql import Column
from pyspark.sql import functions as F

from complaints_etl.oddities import REPEATED, SPACES, UNUSUAL
from complaints_etl.places import Starts, Text

# What UTF-8 read as Windows-1252 or Latin-1 looks like, for the characters of Spanish and the usual punctuation.
_MOJIBAKE = {
    bad: good
    for good in "áéíóúüñÁÉÍÓÚÜÑ¿¡«»€–—‘’“”…°ºª·çàèãõ"
    for bad in (good.encode().decode("cp1252", "ignore"), good.encode().decode("latin-1"))
    if len(bad) > 1
}
# HTML 4's names, and the numbers that HTML 5 reads as Windows-1252; other numbers are computed.
_ENTITIES = {f"&{name};": chr(code) for name, code in name2codepoint.items()} | {"&apos;": "'"}
_ENTITIES |= {f"&#{code};": unescape(f"&#{code};") for code in range(128, 160)}
_ENTITY = r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]+\d?);"
# Names of HTML only: what a person or redaction puts between angle brackets stays.
_TAG = (
    r"(?is)<(script|style)\b.*?</\1\s*>|<!--.*?-->|</?(?:a|abbr|address|article|b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|"
    r"font|footer|form|h[1-6]|head|header|hr|html|i|img|input|label|li|link|meta|o:p|ol|p|pre|s|section|small|span|strike|strong|"
    r"sub|sup|table|tbody|td|th|thead|title|tr|tt|u|ul)(?:\s[^<>]*)?/?>"
)
_CONTROL = (
    r"[\x00-\x08\x0E-\x1F\x7F\x80-\x84\x86-\x9F\u00AD\u061C\u180E\u200B\u200C\u200E\u200F\u202A-\u202E\u2060-\u2064\u2066-\u2069"
    r"\uFEFF\uFFF9-\uFFFB]"
)
# Single characters of Latin-1 are one look into a table to Java; ranges and what is beyond cost several for each character of a text.
_WHITE = r"[ \t\n\x0B\f\r\x85\xA0]"
_SPACES = rf"{_WHITE}{{2,}}|[\t\n\x0B\f\r\x85\xA0]"  # all but single spaces, which may stay
_OTHER_WHITE = r"[\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+"
# A joiner belongs between two signs of an emoji, and nowhere else in these languages.
_JOINED = r"([\p{So}\p{Sk}\uFE0F])\u200D(?=\p{So})"
_QUOTED_HEADER = (
    r"(?m)^[\s>]*(?:(?:De|From|Para|To|Enviado|Sent|Fecha|Date|Asunto|Subject|CC):\s.{0,120}"
    r"|-{2,}\s*(?:Mensaje original|Mensaje reenviado|Original Message|Forwarded message)\s*-{2,}"
    r"|(?:El|On)\s.{5,150}\s(?:escribió|wrote):\s*)$"
)
# What follows the separator is a signature only when it is short: some draw a line in the middle of a complaint.
_SIGNATURE = r"(?s)\n--\s*\n.{0,400}\z"
# A text that is cut may not end in half of a number, which redaction would not know.
_HALF = r"[\s\d().+\-]+\S{0,60}\z"


def _given(value: Column, then: Callable[[Column], Column]) -> Column:
    """`then(value)` with the value computed once, however often `then` names it."""
    return F.transform(F.array(value), then)[0]


def clean(text: Column, oddities: Column, *, max_characters: int) -> Column:
    """Cleaned text: mojibake repaired, entities and tags gone, control characters gone, white space single, cut to length.

    Accents, ñ, currency signs and emoji stay. One character over the limit stays too where the text was cut, so that it can be
    told (`cut`).

    Args:
        text: as it came, without white space around it.
        oddities: which steps the text needs (int, oddities.py); the others would leave it as it is.
        max_characters: the length cap.
    """

    def needed(steps: int) -> Column:
        # An unusual text needs all: what comes out of an entity or a tag may be white space or a letter more.
        return oddities.bitwiseAND(UNUSUAL | steps) != 0

    plain = F.when(needed(0), _repaired(text)).otherwise(text)
    plain = _given(plain, lambda t: F.when(needed(SPACES) & _may_hold_mail_parts(t), _without_mail_parts(t)).otherwise(t))
    plain = _given(plain, lambda t: F.when(needed(REPEATED), _without_repeats(t)).otherwise(t))
    plain = _given(plain, lambda t: F.when(needed(0), F.regexp_replace(t, _OTHER_WHITE, " ")).otherwise(t))
    plain = _given(plain, lambda t: F.when(needed(SPACES), F.regexp_replace(t, _SPACES, " ")).otherwise(t))
    most = max_characters + 1
    return _given(F.trim(plain), lambda t: F.when(_may_exceed(t, most), F.substring(t, 1, most)).otherwise(t))


def exceeds(text: Column, characters: int) -> Column:
    """Whether a text has more characters: they are counted, which takes as long as reading them, only if it has as many bytes."""
    return _may_exceed(text, characters) & (F.length(text) > characters)


def _may_exceed(text: Column, characters: int) -> Column:
    return F.octet_length(text) > characters


def cut(text: Column, *, max_characters: int) -> Column:
    """Cleaned text of at most so many characters, without the word or number that the cut goes through."""
    short = F.substring(text, 1, max_characters)
    return F.when(exceeds(text, max_characters), F.regexp_replace(short, _HALF, "")).otherwise(text)


def _repaired(text: Column) -> Column:
    repaired = _given(text, lambda t: F.when(t.rlike("[ÃâÂ]"), _without_mojibake(t)).otherwise(t))
    repaired = _given(repaired, lambda t: F.when(t.rlike(_ENTITY), _without_entities(t)).otherwise(t))
    repaired = _given(repaired, lambda t: F.when(F.contains(t, F.lit("<")), F.regexp_replace(t, _TAG, " ")).otherwise(t))
    repaired = F.regexp_replace(repaired, _CONTROL, "")
    repaired = _given(repaired, lambda t: F.when(F.contains(t, F.lit("\u200d")), _without_joiners(t)).otherwise(t))
    return F.regexp_replace(repaired, r"\r\n?", "\n")


def _without_mojibake(text: Column) -> Column:
    for bad, good in sorted(_MOJIBAKE.items(), key=lambda pair: -len(pair[0])):
        text = F.replace(text, F.lit(bad), F.lit(good))
    return text


def _without_joiners(text: Column) -> Column:
    marked = F.regexp_replace(text, _JOINED, "$1\ue003")
    return F.replace(F.replace(marked, F.lit("\u200d"), F.lit("")), F.lit("\ue003"), F.lit("\u200d"))


def _may_hold_mail_parts(text: Column) -> Column:
    """Headers end in or hold a colon or two dashes, signatures begin with two: where neither stands, no pattern is tried."""
    return F.contains(text, F.lit("\n")) & (F.contains(text, F.lit(":")) | F.contains(text, F.lit("--")))


def _without_mail_parts(text: Column) -> Column:
    own = F.regexp_replace(F.regexp_replace(text, _SIGNATURE, ""), _QUOTED_HEADER, " ")
    # A complaint that is nothing but such lines is one all the same.
    return _given(own, lambda t: F.when(t.rlike(r"[\p{L}\p{N}]{3}"), t).otherwise(text))


def _without_entities(text: Column) -> Column:
    """Named and numeric character references as what they stand for; "&" comes last, or "&amp;lt;" would become "<"."""
    # One literal: as an expression a pair, the map would be most of the plan that Spark goes through again and again.
    names = F.str_to_map(
        F.lit("\1".join(f"{name}\2{stands_for}" for name, stands_for in _ENTITIES.items())), F.lit("\1"), F.lit("\2")
    )

    def character(entity: Column) -> Column:
        digits = F.regexp_extract(entity, r"^&#[xX]?([0-9a-fA-F]+);$", 1)
        is_hex = F.lower(F.substring(entity, 3, 1)) == "x"
        code = F.when(is_hex, F.lower(digits)).otherwise(F.conv(digits, 10, 16))
        computed = F.decode(F.unhex(F.lpad(code, 8, "0")), "UTF-32BE")
        return F.coalesce(F.element_at(names, entity), F.when(digits != "", computed), entity)

    found = F.array_except(F.array_distinct(F.regexp_extract_all(text, F.lit(f"({_ENTITY})"), 1)), F.array(F.lit("&amp;")))
    plain = F.aggregate(found, text, lambda done, entity: F.replace(done, entity, character(entity)))
    return F.replace(plain, F.lit("&amp;"), F.lit("&"))


def _without_repeats(text: Column) -> Column:
    """Marks at most three in a row, letters two; a mask (XXXX) stays as long as it is."""
    return F.regexp_replace(F.regexp_replace(text, r"([!?.,;:*=_\-])\1{3,}", "$1$1$1"), r"([\p{L}&&[^Xx]])\1{3,}", "$1$1")


def tokens(text: Column, classes: Column) -> Column:
    """array<string>: words in lower case; amounts, numbers, placeholders and masks as <amount>, <number>, <TYPE>, <mask>.

    Args:
        text: cleaned and redacted.
        classes: what it may hold of SUM, MASK and DIGIT (int, `classes_of`): the others are not searched for.
    """
    marked = text
    for needed, pattern, token in _CLASSES:
        marked = _given(marked, _marked(classes.bitwiseAND(needed) != 0, pattern, token))
    return F.regexp_extract_all(F.lower(marked), F.lit(r"<[a-z_]+>|[\p{L}\p{M}\p{N}]+"), 0)


def _marked(needed: Column, pattern: str, token: str) -> Callable[[Column], Column]:
    return lambda text: F.when(needed, F.regexp_replace(text, pattern, f" {token} ")).otherwise(text)


SUM, MASK, DIGIT = 1, 2, 4
CODES = Starts("cop", "usd", "eur")
# Each begins with what few characters are, and looks back only from there: Java tries a pattern at every character of a text.
_BEHIND_A_WORD = r"(?<![\p{L}\p{M}\p{N}_]"
_CLASSES = (
    (
        SUM,
        rf"(?:[$€]\s?|[CUE]{_BEHIND_A_WORD}[CUE])(?:OP|SD|UR)\s{{0,2}}(?:[$€]\s?)?|U{_BEHIND_A_WORD}U)S[$€]\s?)\d[\d.,]*",
        "<amount>",
    ),
    (MASK, rf"[Xx]{_BEHIND_A_WORD}[Xx])[Xx]+\b(?:/[Xx]{{2,}})*", "<mask>"),
    (DIGIT, r"\d(?<![\p{L}\d]\d)[\d.,/\-]*(?![\p{L}\d])", "<number>"),
)


def classes_of(seen: Text) -> int:
    """What `tokens` must look for in a text, redacted or not: placeholders are none of it."""
    found = MASK if "xx" in seen.folded else 0
    if seen.first_digit < 0:
        return found
    a_sum = "$" in seen.text or "€" in seen.text or seen.may_hold(CODES)
    return found | DIGIT | (SUM if a_sum else 0)

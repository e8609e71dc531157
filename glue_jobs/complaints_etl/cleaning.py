"""The one definition of clean text: Spark SQL expressions, applied once, in Prepare."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from html.entities import name2codepoint

from pyspark.sql import Column
from pyspark.sql import functions as F

from complaints_etl.oddities import REPEATED, SPACES, UNUSUAL
from complaints_etl.redaction.scanner import Prefixes, ScannedText

# Windows-1252 has characters of its own for 27 of the bytes 80 to 9F; what stands for the others are Latin-1's control characters.
_OWN = bytes(range(0x80, 0xA0)).decode("cp1252", "ignore")
_OWN_BYTES = _OWN.encode("cp1252").decode("latin-1")
_NEXT = rf"[\x80-\xBF{_OWN}]"  # what any byte but the first of a character looks like
# UTF-8 read as Windows-1252 or Latin-1: Latin-1, typographic marks, symbols, emoji, and what twice read ones are made of.
# Other letters than these may end a word before quotation marks (QUÉ”…) and are no sign of it; Ã may before some (IRMÃ”).
_LEADS = "ÂÃÅÆËâïð"
_CLOSING = "’”…–—›»"
_MOJIBAKE = (
    rf"(?:Â{_NEXT}|Ã(?![{_CLOSING}]){_NEXT}|(?:(?<=\p{{Ll}})Ã|Ã(?=.\p{{L}}))[{_CLOSING}]"
    rf"|Å[’“\x92\x93\xA0¡¸½¾]|Æ[’\x92]|Ë[†œ\x86\x9C]|(?:[âï]|ð[Ÿ\x9D\x9F]|ó\xA0(?=\x81)){_NEXT}{{2}}){{1,50}}+"
)
_HALF_A_QUOTE = r"â€(?=[\s.,;:!?)]|\z)"  # Windows-1252 has nothing for the last byte of ”, and some programs drop it
# HTML 4's names, and the numbers that HTML 5 reads as Windows-1252; other numbers are computed.
_ENTITIES = {f"&{name};": chr(code) for name, code in name2codepoint.items()} | {"&apos;": "'"}
_ENTITIES |= {f"&#{code};": unescape(f"&#{code};") for code in range(128, 160)}
_ENTITY = r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8}\d{0,2});"
# Tags with names of HTML, and nothing but attributes in them: what else stands between angle brackets is the writer's.
# No pattern looks beyond the next "<" of its kind, or a text of nothing else would take its length's square.
_ATTRIBUTES = (
    r"""(?:\s++(?:[\w:.-]++\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+'|[^\s<>"']++)"""
    r"""|(?:checked|compact|disabled|hidden|multiple|noshade|nowrap|readonly|required|selected)(?=[\s/>])))*+\s*+/?>"""
)
_INLINE = rf"(?i)</?(?:a|b|em|font|i|span|strong|u){_ATTRIBUTES}"
_BLOCK = (
    r"(?i)<(script|style)\b[^<>]*+>[^<]*+(?:<(?!/?\1\b)[^<]*+)*+</\1\s*+>|<!--[^<-]*+(?:(?!-->|<!--)[<-][^<-]*+)*+-->"
    r"|</?(?:abbr|address|article|big|blockquote|body|br|center|code|dd|div|dl|dt|footer|form|h[1-6]|head|header|hr|html|img|input|"
    r"label|li|link|meta|o:p|ol|p|pre|s|section|small|strike|sub|sup|table|tbody|td|th|thead|title|tr|tt|ul)" + _ATTRIBUTES
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
_SENDERS = ("De", "From", "Para", "To", "Enviado", "Enviado el", "Sent")
_HEADER_NAME = rf"[ \t>]*+({'|'.join(_SENDERS)}|Fecha|Date|Asunto|Subject|CC|Cc):[ \t]"
_HEADERS = rf"(?md)^{_HEADER_NAME}.{{0,120}}+$(?:\n{_HEADER_NAME}.{{0,120}}+$)++"
_NOT_THE_SUBJECT = rf"(?md)^(?:[ \t>]*+(?:Asunto|Subject):[ \t]|{_HEADER_NAME}.*+$)"
_QUOTE_BEGINS = (
    r"(?md)^[ \t>]*+(?:-{2,}+[ \t]*+(?:Mensaje original|Mensaje reenviado|Original Message|Forwarded message)[ \t]*+-{2,}+"
    r"|(?:El|On)\s.{5,150}\s(?:escribió|wrote):)[ \t]*+$"
)
# Some draw a line in the middle of a complaint. A signature has few words a line, and those are names, titles, numbers, addresses:
# a word of over three letters in small ones, or in capitals, may be the complaint's.
_SEPARATOR = r"(?md)^--[ \t]*+$"
_SIGNED = r"(?:(?=\S{0,60}@|www\.|https?:)\S++|(?:\p{Lu}\p{Ll}++|\p{L}{1,3}(?!\p{L})|[^\p{L}\s])++)"
_SIGNATURE = (
    r"(?md)\n--[ \t]*+\n(?=[\s\S]{0,250}\z)"
    rf"(?:(?=.{{1,80}}$)[ \t]*+{_SIGNED}(?:[ \t]++{_SIGNED}){{0,7}}+(?<!\p{{Ll}}[.!?])[ \t]*+(?:\n|\z)){{1,6}}+\s*+\z"
)
# A text that is cut may not end in half of a number, which redaction would not know, nor lose more than the longest number or word.
_LONGEST = 60
_BETWEEN_FIGURES = r"[\s().,+/\-]{0,3}+"
_HALF = (
    rf"(?s)(?=.{{1,41}}\z)(?:(?<=\s)[^\s\d]*+|(?<![\s\d().,+/\-]))\d(?:{_BETWEEN_FIGURES}\d)*+(?:{_BETWEEN_FIGURES}|\S*+)\z"
    r"|(?<=\s)\S+\z"
)


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
    plain = _given(plain, lambda t: F.when(needed(SPACES) & _may_contain_mail_parts(t), _without_mail_parts(t)).otherwise(t))
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
    sure = max(max_characters - _LONGEST, 0)
    # One character over the limit tells whether a word ends there.
    end = F.regexp_replace(F.substring(text, sure + 1, max_characters + 1 - sure), _HALF, "")
    short = F.rtrim(F.substring(F.concat(F.substring(text, 1, sure), end), 1, max_characters))
    return F.when(exceeds(text, max_characters), short).otherwise(text)


def _replaced(text: Column, pattern: str, then: Callable[[Column], Column]) -> Column:
    """Each match of the pattern as what `then` makes of it: one pass, however many different ones there are."""
    between, found = F.split(text, pattern), F.regexp_extract_all(text, F.lit(pattern), 0)
    parts = F.zip_with(between, found, lambda part, match: F.concat(part, F.coalesce(then(match), F.lit(""))))
    return F.when(text.rlike(pattern), F.array_join(parts, "")).otherwise(text)


def _repaired(text: Column) -> Column:
    repaired = _given(text, lambda t: F.when(t.rlike(f"[{_LEADS}]"), _without_mojibake(t)).otherwise(t))
    repaired = _given(repaired, lambda t: _replaced(t, _ENTITY, _character))
    repaired = _given(repaired, lambda t: F.when(F.contains(t, F.lit("<")), _without_tags(t)).otherwise(t))
    repaired = F.regexp_replace(repaired, _CONTROL, "")
    repaired = _given(repaired, lambda t: F.when(F.contains(t, F.lit("\u200d")), _without_joiners(t)).otherwise(t))
    return F.regexp_replace(repaired, r"\r\n?", "\n")


def _without_mojibake(text: Column) -> Column:
    for _ in range(2):  # texts are read wrongly twice, too
        text = _given(text, lambda t: _replaced(t, _MOJIBAKE, _read_again))
    return F.regexp_replace(text, _HALF_A_QUOTE, "”")


def _read_again(mojibake: Column) -> Column:
    octets = F.encode(F.translate(mojibake, _OWN, _OWN_BYTES), "ISO-8859-1")
    # Control characters that Latin-1 has where Windows-1252 has marks were meant as those marks.
    return F.translate(F.decode(octets, "UTF-8"), _OWN_BYTES, _OWN)


def _without_tags(text: Column) -> Column:
    """Inline tags stand in the middle of words."""
    return F.regexp_replace(F.regexp_replace(text, _BLOCK, " "), _INLINE, "")


def _without_joiners(text: Column) -> Column:
    marked = F.regexp_replace(text, _JOINED, "$1\ue003")
    return F.replace(F.replace(marked, F.lit("\u200d"), F.lit("")), F.lit("\ue003"), F.lit("\u200d"))


def _may_contain_mail_parts(text: Column) -> Column:
    """Headers end in or hold a colon or two dashes, signatures begin with two: where neither stands, no pattern is tried."""
    return F.contains(text, F.lit("\n")) & (F.contains(text, F.lit(":")) | F.contains(text, F.lit("--")))


def _without_mail_parts(text: Column) -> Column:
    is_signed_once = F.size(F.split(text, _SEPARATOR)) == 2
    own = F.when(is_signed_once, F.regexp_replace(text, _SIGNATURE, "")).otherwise(text)
    own = _given(own, lambda t: _replaced(t, _HEADERS, _without_headers))
    own = F.regexp_replace(own, _QUOTE_BEGINS, " ")
    # A complaint that is nothing but such lines is one all the same.
    return _given(own, lambda t: F.when(t.rlike(r"[\p{L}\p{N}]{3}"), t).otherwise(text))


def _without_headers(lines: Column) -> Column:
    """The subject alone, if the lines are a mail's header and not a form's: they have different names, and one has a sender's."""
    names = F.regexp_extract_all(lines, F.lit(rf"(?md)^{_HEADER_NAME}"), 1)
    is_header = (F.size(F.array_distinct(names)) > 1) & F.arrays_overlap(names, F.array(*map(F.lit, _SENDERS)))
    return F.when(is_header, F.regexp_replace(lines, _NOT_THE_SUBJECT, "")).otherwise(lines)


def _character(entity: Column) -> Column:
    """What a named or numeric character reference stands for; itself, if for nothing."""
    # One literal: as an expression a pair, the map would be most of the plan that Spark goes through again and again.
    names = F.str_to_map(
        F.lit("\1".join(f"{name}\2{stands_for}" for name, stands_for in _ENTITIES.items())), F.lit("\1"), F.lit("\2")
    )
    digits = F.regexp_extract(entity, r"^&#[xX]?([0-9a-fA-F]+);$", 1)
    is_hex = F.lower(F.substring(entity, 3, 1)) == "x"
    code = F.when(is_hex, F.lower(digits)).otherwise(F.conv(digits, 10, 16))
    computed = F.decode(F.unhex(F.lpad(code, 8, "0")), "UTF-32BE")
    return F.coalesce(F.element_at(names, entity), F.when(digits != "", computed), entity)


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
CODES = Prefixes("cop", "usd", "eur")
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


def classes_of(seen: ScannedText) -> int:
    """What `tokens` must look for in a text, redacted or not: placeholders are none of it."""
    found = MASK if "xx" in seen.folded else 0
    if seen.first_digit < 0:
        return found
    a_sum = "$" in seen.text or "€" in seen.text or seen.may_contain(CODES)
    return found | DIGIT | (SUM if a_sum else 0)

"""The one definition of clean text: Spark SQL expressions, applied once, in Prepare."""

from __future__ import annotations

from html import unescape
from html.entities import name2codepoint

from pyspark.sql import Column
from pyspark.sql import functions as F

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
_SPACE = r"[\s\x0B\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+"
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


def clean(text: Column, *, max_characters: int) -> Column:
    """Cleaned text: mojibake repaired, entities and tags gone, control characters gone, white space single, cut to length.

    Accents, ñ, currency signs and emoji stay. One character over the limit stays too where the text was cut, so that it can be
    told (`cut`). Each repair that few texts need is paid only by those that show the sign of needing it.
    """
    # Sixty replacements.
    repaired = text
    for bad, good in sorted(_MOJIBAKE.items(), key=lambda pair: -len(pair[0])):
        repaired = F.replace(repaired, F.lit(bad), F.lit(good))
    text = F.when(text.rlike("[ÃâÂ]"), repaired).otherwise(text)
    text = F.when(text.rlike(_ENTITY), _without_entities(text)).otherwise(text)
    text = F.when(F.contains(text, F.lit("<")), F.regexp_replace(text, _TAG, " ")).otherwise(text)
    text = F.regexp_replace(text, _CONTROL, "")
    joined = F.replace(F.regexp_replace(text, _JOINED, "$1\ue003"), F.lit("\u200d"), F.lit(""))
    joined = F.replace(joined, F.lit("\ue003"), F.lit("\u200d"))
    text = F.when(F.contains(text, F.lit("\u200d")), joined).otherwise(text)
    text = F.regexp_replace(text, r"\r\n?", "\n")
    own = F.regexp_replace(F.regexp_replace(text, _SIGNATURE, ""), _QUOTED_HEADER, " ")
    # A complaint that is nothing but such lines is one all the same.
    text = F.when(F.contains(text, F.lit("\n")) & own.rlike(r"\w{3}"), own).otherwise(text)
    text = F.regexp_replace(text, r"([!?.,;:*=_\-])\1{3,}", "$1$1$1")
    text = F.regexp_replace(text, r"(\p{L})\1{3,}", "$1$1")
    text = F.trim(F.regexp_replace(text, _SPACE, " "))
    return F.substring(text, 1, max_characters + 1)


def cut(text: Column, *, max_characters: int) -> Column:
    """Cleaned text of at most so many characters, without the word or number that the cut goes through."""
    short = F.substring(text, 1, max_characters)
    return F.when(F.length(text) > max_characters, F.regexp_replace(short, _HALF, "")).otherwise(text)


def _without_entities(text: Column) -> Column:
    """Named and numeric character references as what they stand for; "&" comes last, or "&amp;lt;" would become "<"."""
    names = F.create_map(*[F.lit(part) for pair in _ENTITIES.items() for part in pair])

    def character(entity: Column) -> Column:
        digits = F.regexp_extract(entity, r"^&#[xX]?([0-9a-fA-F]+);$", 1)
        is_hex = F.lower(F.substring(entity, 3, 1)) == "x"
        code = F.when(is_hex, F.lower(digits)).otherwise(F.conv(digits, 10, 16))
        computed = F.decode(F.unhex(F.lpad(code, 8, "0")), "UTF-32BE")
        return F.coalesce(F.element_at(names, entity), F.when(digits != "", computed), entity)

    found = F.array_except(F.array_distinct(F.regexp_extract_all(text, F.lit(f"({_ENTITY})"), 1)), F.array(F.lit("&amp;")))
    plain = F.aggregate(found, text, lambda done, entity: F.replace(done, entity, character(entity)))
    return F.replace(plain, F.lit("&amp;"), F.lit("&"))


def tokens(text: Column) -> Column:
    """array<string>: words in lower case; amounts, numbers, placeholders and masks as <amount>, <number>, <TYPE>, <mask>."""
    marked = F.regexp_replace(text, r"(?:[$€]|\b(?:COP|USD|EUR|US\$)\s?\$?)\s?\d[\d.,]*", " \ue000 ")
    marked = F.regexp_replace(marked, r"\b[Xx]{2,}\b(?:/[Xx]{2,})*", " \ue001 ")
    marked = F.regexp_replace(marked, r"(?<![\p{L}\d])\d[\d.,/\-]*(?![\p{L}\d])", " \ue002 ")
    found = F.regexp_extract_all(F.lower(marked), F.lit(r"(<[a-z_]+>|[\uE000-\uE002]|[\p{L}\p{M}\p{N}]+)"), 1)
    classes = F.create_map(
        F.lit("\ue000"), F.lit("<amount>"), F.lit("\ue001"), F.lit("<mask>"), F.lit("\ue002"), F.lit("<number>")
    )
    return F.transform(found, lambda token: F.coalesce(F.element_at(classes, token), token))

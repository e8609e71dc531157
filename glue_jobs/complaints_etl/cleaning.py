"""The one definition of clean text: Spark SQL expressions, applied once, in Prepare."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as F

# What UTF-8 read as Latin-1 looks like, for the characters of Spanish and the usual punctuation.
_MOJIBAKE = {
    bad: good for good in "áéíóúüñÁÉÍÓÚÜÑ¿¡«»€–—‘’“”…°º" if (bad := good.encode().decode("cp1252", "ignore")) and len(bad) > 1
}
_ENTITIES = {"&nbsp;": " ", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&apos;": "'", "&amp;": "&"}
# Placeholders that redaction writes look like tags; a tag has a lower-case letter or a slash after its bracket.
_TAG = r"</?[a-z][a-z0-9]*(\s[^<>]*)?/?>"
_CONTROL = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F\u00AD\u200B-\u200F\u202A-\u202E\u2060\uFEFF]"
_QUOTED_HEADER = r"(?m)^\s*>?\s*(De|From|Para|To|Enviado|Sent|Asunto|Subject|CC):\s.*$"
_SIGNATURE = r"(?s)\n--\s*\n.*$"
# A search over a text costs microseconds, and each of the steps below is for few texts: one search tells which texts need several.
_UNUSUAL = _CONTROL[:-1] + r"ÃâÂ&<\r]"
_REPEATED = r"(\S)\1{3}"
_SPACES = r"(?: [\s\u00A0]+|[\t\n\x0B\f\r\u00A0][\s\u00A0]*)"  # all but single spaces, which may stay


def _given(value: Column, then: Callable[[Column], Column]) -> Column:
    """`then(value)` with the value computed once, however often `then` names it."""
    return F.transform(F.array(value), then)[0]


def clean(text: Column, *, max_characters: int) -> Column:
    """Cleaned text: mojibake repaired, entities and tags gone, control characters gone, white space single, cut to length.

    Accents, ñ, currency signs and emoji stay. Source of the mojibake table: UTF-8 bytes read as Windows-1252.
    """
    plain = _given(text, lambda t: F.when(t.rlike(_UNUSUAL), _repaired(t)).otherwise(t))
    plain = _given(plain, lambda t: F.when(F.contains(t, F.lit("\n")), _without_mail_parts(t)).otherwise(t))
    plain = _given(plain, lambda t: F.when(t.rlike(_REPEATED), _without_repeats(t)).otherwise(t))
    return F.substring(F.trim(F.regexp_replace(plain, _SPACES, " ")), 1, max_characters)


def _repaired(text: Column) -> Column:
    repaired = text
    for bad, good in sorted(_MOJIBAKE.items(), key=lambda pair: -len(pair[0])):
        repaired = F.replace(repaired, F.lit(bad), F.lit(good))
    for entity, character in _ENTITIES.items():
        repaired = F.replace(repaired, F.lit(entity), F.lit(character))
    repaired = F.regexp_replace(repaired, _TAG, " ")
    repaired = F.regexp_replace(repaired, _CONTROL, "")
    return F.regexp_replace(repaired, r"\r\n?", "\n")


def _without_mail_parts(text: Column) -> Column:
    return F.regexp_replace(F.regexp_replace(text, _SIGNATURE, ""), _QUOTED_HEADER, " ")


def _without_repeats(text: Column) -> Column:
    return F.regexp_replace(F.regexp_replace(text, r"([!?.,;:*=_\-])\1{3,}", "$1$1$1"), r"(\p{L})\1{3,}", "$1$1")


def tokens(text: Column) -> Column:
    """array<string>: words in lower case; amounts, numbers, placeholders and masks as <amount>, <number>, <TYPE>, <mask>."""
    marked = _given(text, lambda t: F.when(t.rlike(r"[\d$€]|[Xx]{2}"), _marked(t)).otherwise(t))
    classes = F.create_map(
        F.lit("\ue000"), F.lit("<amount>"), F.lit("\ue001"), F.lit("<mask>"), F.lit("\ue002"), F.lit("<number>")
    )

    def split(marked: Column) -> Column:
        found = F.regexp_extract_all(F.lower(marked), F.lit(r"(<[a-z_]+>|[\uE000-\uE002]|[\p{L}\p{M}\p{N}]+)"), 1)
        named = F.transform(found, lambda token: F.coalesce(F.element_at(classes, token), token))
        return F.when(marked.rlike("[\ue000-\ue002]"), named).otherwise(found)

    return _given(marked, split)


def _marked(text: Column) -> Column:
    marked = F.regexp_replace(text, r"(?:[$€]|\b(?:COP|USD|EUR|US\$)\s?\$?)\s?\d[\d.,]*", " \ue000 ")
    marked = F.regexp_replace(marked, r"\b[Xx]{2,}\b(?:/[Xx]{2,})*", " \ue001 ")
    return F.regexp_replace(marked, r"(?<![\p{L}\d])\d[\d.,/\-]*(?![\p{L}\d])", " \ue002 ")

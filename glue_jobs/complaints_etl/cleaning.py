"""The one definition of clean text: Spark SQL expressions, applied once, in Prepare."""

from __future__ import annotations

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


def clean(text: Column, *, max_characters: int) -> Column:
    """Cleaned text: mojibake repaired, entities and tags gone, control characters gone, white space single, cut to length.

    Accents, ñ, currency signs and emoji stay. Source of the mojibake table: UTF-8 bytes read as Windows-1252.
    """
    # Thirty replacements, paid only by the few texts that show the sign of needing them.
    repaired = text
    for bad, good in sorted(_MOJIBAKE.items(), key=lambda pair: -len(pair[0])):
        repaired = F.replace(repaired, F.lit(bad), F.lit(good))
    text = F.when(text.rlike("[ÃâÂ]"), repaired).otherwise(text)
    plain = text
    for entity, character in _ENTITIES.items():
        plain = F.replace(plain, F.lit(entity), F.lit(character))
    text = F.when(F.contains(text, F.lit("&")), plain).otherwise(text)
    text = F.regexp_replace(text, _TAG, " ")
    text = F.regexp_replace(text, _CONTROL, "")
    text = F.regexp_replace(text, r"\r\n?", "\n")
    text = F.regexp_replace(text, _SIGNATURE, "")
    text = F.regexp_replace(text, _QUOTED_HEADER, " ")
    text = F.regexp_replace(text, r"([!?.,;:*=_\-])\1{3,}", "$1$1$1")
    text = F.regexp_replace(text, r"(\p{L})\1{3,}", "$1$1")
    text = F.trim(F.regexp_replace(text, r"[\s\u00A0]+", " "))
    return F.substring(text, 1, max_characters)


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

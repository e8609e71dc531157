"""Personal data → typed placeholders, by Spark SQL expressions, before a text leaves Prepare. Amounts and dates stay."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

# In this order: what is longer or better marked goes first, so that a part of it is not taken for something else.
PATTERNS: dict[str, str] = {
    "EMAIL": r"[\p{L}0-9._%+\-]+@[\p{L}0-9\-]+(\.[\p{L}0-9\-]+)+",
    "URL_QUERY": r"(https?://[^\s?]+)\?[^\s]+",
    "IBAN": r"\b[A-Z]{2}\d{2}( ?[A-Z0-9]{4}){3,7}( ?[A-Z0-9]{1,3})?\b",
    "CARD": r"(?<![\d.,$])(?:\d[ \-]?){12,18}\d(?![\d.,]*\d)",
    "NIT": r"(?i)\bnit\.?\s*(?:n[°ºo.]*\s*)?:?\s*\d{3}[.\s]?\d{3}[.\s]?\d{3}\s*-?\s*\d\b",
    "CEDULA": r"(?i)\b(?:c\.?\s?c\.?|c[eé]dula(?: de ciudadan[ií]a)?|documento|identificaci[oó]n|ID number|SSN)"
    r"\s*(?:n[°ºo.]*|number|no\.?|es|is|:|#)*\s*\d[\d.\-\s]{4,13}\d",
    "PHONE": r"(?<![\d.,$])(?:\+\d{1,3}[\s\-.]?)?(?:\(\d{1,4}\)[\s\-.]?)?(?:3\d{2}[\s\-.]?\d{3}[\s\-.]?\d{4}|\d{3}[\-.\s]\d{3}[\-.\s]\d{4})"
    r"(?![\d,]*\d)",
    "IP": r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b",
    "ACCOUNT": r"(?i)\b(?:cuenta|account|cta)\.?\s*(?:de ahorros|corriente|n[úu]mero|number|n[°ºo.]*|no\.?|:|#)*\s*\d{6,20}\b",
    "SECRET": r"(?i)\b(?:clave|contrase[ñn]a|password|pin|c[oó]digo de seguridad|cvv)\s*(?:es|is|:|=)\s*\S{3,}",
}


def redact(text: Column) -> Column:
    """The text with every find replaced by `<TYPE>`. Colombian and international forms; see docs/prepare.md for the measure."""
    for name, pattern in PATTERNS.items():
        # Of an address only the query goes: the site says what the complaint is about.
        text = F.regexp_replace(text, pattern, f"$1<{name}>" if name == "URL_QUERY" else f"<{name}>")
    return text


def redaction_counts(text: Column) -> Column:
    """map<string,int>: how many placeholders of each type the redacted text holds; types with none are left out."""
    counts = [
        F.struct(F.lit(name).alias("key"), F.size(F.regexp_extract_all(text, F.lit(f"(<{name}>)"), 1)).alias("value"))
        for name in PATTERNS
    ]
    return F.map_from_entries(F.filter(F.array(*counts), lambda entry: entry["value"] > 0))

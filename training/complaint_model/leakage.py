"""Find held-out rows that training saw, and identify a holdout."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from complaint_model.records import Labelled

WORD = re.compile(r"\w+")


def leaked_rows(train: Sequence[Labelled], holdout: Sequence[Labelled]) -> list[bool]:
    """Return for each held-out row whether training saw it: the same near-duplicate group, or the same words in the same order."""
    groups = {row.group for row in train}
    seen = {_words(row.text) for row in train} - {""}  # texts without a word are not copies of each other
    return [row.group in groups or _words(row.text) in seen for row in holdout]


def holdout_fingerprint(rows: Sequence[Labelled]) -> str:
    """Return the SHA-256 of the holdout's ids, labels and texts, in any order."""
    parts = sorted(
        hashlib.sha256(f"{row.complaint_id}\0{row.label}\0{row.text}".encode("utf-8", "surrogatepass")).digest()
        for row in rows
    )
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _words(text: str) -> str:
    """Return the words in order, in lower case and without accents or punctuation."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(WORD.findall("".join(character for character in plain if not unicodedata.combining(character))))

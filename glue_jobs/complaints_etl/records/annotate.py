"""Annotate raw rows in one pass over each text: clean and redact it, and find its language, entities, tokens and signature.

The pass is Python on Arrow batches, in the same worker that reads the files: a text is sent to the JVM once, when it is
finished. docs/decisions/0014-one-pass-over-a-text.md has the measurement against Spark SQL.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa

from complaints_etl import entities
from complaints_etl.minhash import signature
from complaints_etl.records.identifiers import carried as redact_carried
from complaints_etl.records.labels import LabelMap
from complaints_etl.redaction import PREFIXES, Redacted, redact, redact_and_list
from complaints_etl.redaction.scanner import prefix_index
from complaints_etl.text.blank import is_blank
from complaints_etl.text.cleaning import clean_cell, clean_text
from complaints_etl.text.language import UNDETERMINED, identify_language
from complaints_etl.text.tokens import tokens
from ptmlops_contracts.report import NOT_A_COMPLAINT, Reason

MIN_TEXT_CHARACTERS = 3

_ENTITIES = pa.struct(
    [
        ("amounts", pa.list_(pa.struct([("value", pa.decimal128(20, 2)), ("currency", pa.string())]))),
        ("dates", pa.list_(pa.date32())),
        *((name, pa.list_(pa.string())) for name in ("references", "products", "channels")),
    ]
)
# Column, its type in Arrow, its type in Spark SQL.
_KEPT = (
    ("source_index", pa.int32(), "int"),
    ("part", pa.int32(), "int"),
    ("row_number", pa.int64(), "bigint"),
    ("line_number", pa.int64(), "bigint"),
    ("source_file", pa.string(), "string"),
    ("source_version", pa.string(), "string"),
    ("original_id", pa.string(), "string"),
    ("label_original", pa.string(), "string"),
    ("received_at", pa.timestamp("us", "UTC"), "timestamp"),
    ("unread_date", pa.bool_(), "boolean"),
    ("rounded_id", pa.bool_(), "boolean"),
)
_ADDED = (
    ("reason", pa.string(), "string"),
    ("detail", pa.string(), "string"),
    ("record", pa.string(), "string"),
    ("label", pa.string(), "string"),
    ("unknown_label", pa.string(), "string"),
    ("text", pa.string(), "string"),
    ("truncated", pa.bool_(), "boolean"),
    ("characters", pa.int32(), "int"),
    ("language", pa.string(), "string"),
    ("language_confidence", pa.float64(), "double"),
    ("other_language", pa.bool_(), "boolean"),
    (
        "entities",
        _ENTITIES,
        "struct<amounts:array<struct<value:decimal(20,2),currency:string>>,dates:array<date>,references:array<string>,"
        "products:array<string>,channels:array<string>>",
    ),
    ("redactions", pa.map_(pa.string(), pa.int32()), "map<string,int>"),
    ("token_text", pa.string(), "string"),  # tokens with a space between them: a third of the bytes of an array
    ("signature", pa.list_(pa.int32()), "array<int>"),
)
_CARRIED = ("carried", pa.map_(pa.string(), pa.string()), "map<string,string>")
_COLUMNS = (*_KEPT, *_ADDED, _CARRIED)
_SCHEMA = pa.schema([(name, kind) for name, kind, _ in _COLUMNS])
ANNOTATED_SCHEMA = ", ".join(f"{name} {kind}" for name, _, kind in _COLUMNS)


@dataclass(frozen=True, kw_only=True)
class AnnotationOptions:
    """The settings that annotation needs. They are sent to the workers.

    Attributes:
        languages: expected languages; a text in another one is flagged.
        products: names of products to look for.
        channels: names of channels to look for.
        salt: for the hashes of reference numbers.
        max_text_characters: longer texts are cut.
        labels: maps labels to canonical ones.
        reject_unknown_labels: reject a row with a label that is not in the map.
    """

    languages: tuple[str, ...]
    products: tuple[str, ...]
    channels: tuple[str, ...]
    salt: str
    max_text_characters: int
    labels: LabelMap
    reject_unknown_labels: bool


def annotate(batches: Iterable[pa.RecordBatch], options: AnnotationOptions) -> Iterator[pa.RecordBatch]:
    """Yield annotated rows (ANNOTATED_SCHEMA) of raw rows (RAW_SCHEMA).

    A rejected row has an empty text, and its `record` redacted; an accepted row has no `record`.
    """
    for batch in batches:
        if not batch.num_rows:
            continue
        gc.disable()  # many small objects live as long as the batch: scanning them repeatedly takes a tenth of the time
        try:
            annotated = _annotate_batch(batch, options)
        finally:
            gc.enable()
        yield annotated


def _annotate_batch(raw: pa.RecordBatch, options: AnnotationOptions) -> pa.RecordBatch:
    columns = {name: raw.column(name) for name in raw.schema.names}
    cells = (columns[name].to_pylist() for name in ("raw_text", "label_read", "reason", "detail", "record"))
    rows = [_check(row, options) for row in zip(*cells, strict=True)]
    products, channels = entities.Names.of(options.products), entities.Names.of(options.channels)
    index = prefix_index((*PREFIXES, *entities.PREFIXES, products.prefixes, channels.prefixes))
    scanned = index.scan([row["text"] for row in rows])
    received = columns["received_at"].cast(pa.date32()).to_pylist()
    redacted = redact_and_list(scanned)
    for row, text, without, day in zip(rows, scanned, redacted, received, strict=True):
        extracted = entities.extract(
            text,
            language=(identified := identify_language(text.text))[0],
            received=day,
            products=products,
            channels=channels,
            salt=options.salt,
            references=without[2],
        )
        row.update(_described(without, identified, extracted, options))
        # Only labelled rows are split, so only they need a group of near-copies.
        row["signature"] = None if row["label"] is None else signature(row["text"])
    carried = _redact_values(columns["carried_raw"])
    for place, row in enumerate(rows):
        if row["record"]:
            before, after = (dict(cells[place].as_py() or ()) for cells in (columns["carried_raw"], carried))
            row["record"] = _redact_record(row["record"], before, after, options.max_text_characters)
    arrays = [columns[name] for name, *_ in _KEPT]
    arrays += [pa.array([row[name] for row in rows], kind) for name, kind, _ in _ADDED]
    return pa.RecordBatch.from_arrays([*arrays, carried], schema=_SCHEMA)


def _redact_record(record: str, cells: Mapping[str, str], redacted_cells: Mapping[str, str], max_characters: int) -> str:
    """Return the original text of a rejected row without personal data, at most `max_characters` of it.

    Args:
        record: the row as the file has it.
        cells: those of the carried columns by name, if the row could be read.
        redacted_cells: the same cells, redacted with the names of their columns.
        max_characters: a longer record is cut.
    """
    for column, cell in cells.items():
        if redacted_cells[column] == cell:
            continue
        written = [form for form in _forms(cell) if form in record]
        if not written:  # the file writes it in another way: nothing of the record can be trusted to be without it
            record = json.dumps(dict(redacted_cells), ensure_ascii=False)
            break
        for form in written:
            record = record.replace(form, redacted_cells[column])
    record = record[:max_characters]
    redacted, counts = redact(clean_cell(record))
    whole = redacted if counts else record
    # Then cell by cell: a number beside a comma looks like a part of an amount.
    return "".join(part if part in _SEPARATORS else redact(part)[0] for part in _BETWEEN_CELLS.split(whole))


def _forms(cell: str) -> set[str]:
    """Return how CSV and JSON may write a cell, without the quotes around it."""
    escaped = {json.dumps(cell, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    return {cell, cell.replace('"', '""'), *escaped, *(form.replace("/", "\\/") for form in escaped)}


def _check(row: tuple[str | None, ...], options: AnnotationOptions) -> dict[str, Any]:
    """Return a row's clean text and label, or the reason to reject the row."""
    text, label_cell, reason, detail, record = row
    clean, truncated = clean_text(text or "", max_characters=options.max_text_characters)
    label, unknown = options.labels.resolve(label_cell)
    if reason is None and (len(clean) < MIN_TEXT_CHARACTERS or is_blank(clean)):
        reason, detail = str(Reason.EMPTY_TEXT), "the text column holds no text"
    elif reason is None and label_cell is not None and label_cell.lower() == NOT_A_COMPLAINT:
        reason, detail, label, unknown = str(Reason.NOT_A_COMPLAINT), "a person decided so", None, None
    elif reason is None and unknown is not None and options.reject_unknown_labels:
        reason, detail = str(Reason.UNKNOWN_LABEL), "its label is not in the label map"
    return {
        "reason": reason,
        "detail": detail,
        "record": record if reason else None,
        "label": label,
        "unknown_label": unknown,
        "text": "" if reason else clean,
        "truncated": truncated,
    }


def _described(
    without: Redacted, identified: tuple[str, float], extracted: entities.Entities, options: AnnotationOptions
) -> dict[str, Any]:
    """Return the redacted text, its language, entities, tokens, and how many values were redacted."""
    redacted, counts, _ = without
    language, confidence = identified
    return {
        "text": redacted,
        "characters": len(redacted),
        "language": language,
        "language_confidence": confidence,
        "other_language": language != UNDETERMINED and language not in options.languages,
        "entities": {
            **extracted._asdict(),
            "amounts": [{"value": value, "currency": code} for value, code in extracted.amounts],
        },
        "redactions": list(counts.items()),
        "token_text": " ".join(tokens(redacted)),
    }


_SEPARATORS = ",;\t|"
_BETWEEN_CELLS = re.compile(rf"([{_SEPARATORS}])")

_SHORT = 64  # characters; longer values are rarely repeated
_redact_carried_once = lru_cache(maxsize=50_000)(redact_carried)


def _redact_values(carried: pa.MapArray) -> pa.MapArray:
    """Redact the values of the carried columns. Results for short values are cached, because most are repeated often."""
    pairs = zip(carried.keys.to_pylist(), carried.items.to_pylist(), strict=True)
    items = [(_redact_carried_once if len(value) < _SHORT else redact_carried)(name, value) for name, value in pairs]
    return pa.MapArray.from_arrays(carried.offsets, carried.keys, pa.array(items, pa.string()))

"""What the jobs write for each other: Parquet, read and written in batches, and JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from ptmlops.erasure.formats import Doomed, Found, Stored, lines
from ptmlops.erasure.person import Facts, Place
from ptmlops.erasure.texts import fingerprint

_BATCH = 10_000
_COLUMNS = (
    "run_id", "source_file", "source_version", "row_number", "line_number", "complaint_id", "original_id", "text",
    "carried", "record", "fingerprint",
)  # fmt: skip


def parquet_rows(stored: Stored) -> Iterator[Found]:
    """Yield the rows of records, rejected rows, predictions, an index, or a query's result."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(stored.path)
    names = file.schema_arrow.names
    ours = [name for name in _COLUMNS if name in names]
    others = [] if ours else list(names)  # a query's result, with columns of its own
    number = 0
    for batch in file.iter_batches(batch_size=_BATCH, columns=ours or others):
        for row in batch.to_pylist():
            number += 1
            yield Found("", number, 1, _facts(row, stored))


def _facts(row: Mapping[str, Any], stored: Stored) -> Facts:
    text = row.get("text") or ""
    place = None
    if row.get("source_file") and row.get("line_number") is not None and "row_number" in row:
        place = Place(row["source_file"], row.get("source_version"), row["line_number"], row["row_number"])
    carried = dict(row.get("carried") or ())
    cells = {**carried, **{name: str(value) for name, value in row.items() if isinstance(value, str | int)}}
    record = row.get("record") or ""
    known = row.keys() & set(_COLUMNS)
    loose = () if known else tuple(value for value in row.values() if isinstance(value, str))
    return Facts(
        ids=tuple(filter(None, (row.get(name) for name in ("complaint_id", "original_id")))),
        texts=(text,) if text else (),
        loose=loose,
        cells=cells,
        fingerprint=row.get("fingerprint") or (fingerprint(text) if text else None),
        place=place,
        run=row.get("run_id") or stored.run,
        record=record,
        is_unread=bool(record) and not carried,
    )


def parquet_without(stored: Stored, doomed: Mapping[str, Doomed], out: IO[bytes]) -> None:
    """Write a Parquet file without some rows: the same schema, metadata, compression and values, other bytes."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = doomed[""].numbers()
    file = pq.ParquetFile(stored.path)
    metadata = file.metadata
    compression = metadata.row_group(0).column(0).compression.lower() if metadata.num_row_groups else "snappy"
    with pq.ParquetWriter(
        out,
        file.schema_arrow,
        compression="none" if compression == "uncompressed" else compression,
        use_deprecated_int96_timestamps=any(
            file.schema.column(place).physical_type == "INT96" for place in range(len(file.schema))
        ),
        use_compliant_nested_type=False,
    ) as writer:
        above = 0
        for batch in file.iter_batches(batch_size=_BATCH):
            kept = np.ones(batch.num_rows, bool)
            for number in numbers.intersection(range(above + 1, above + batch.num_rows + 1)):
                kept[number - above - 1] = False
            above += batch.num_rows
            if kept.any():
                writer.write_batch(batch.filter(pa.array(kept)))


def line_rows(stored: Stored) -> Iterator[Found]:
    """Yield the objects of a JSON Lines file."""
    with stored.path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield Found("", number, 1, _line_facts(line, stored))


def _line_facts(line: bytes, stored: Stored) -> Facts:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return Facts(record=line.decode("utf-8", "replace"), is_unread=True, run=stored.run)
    text, id_ = value.get("text") or "", value.get("complaint_id") or ""
    return Facts(
        ids=(id_,) if id_ else (),
        texts=(text,) if text else (),
        cells={name: cell for name, cell in value.items() if isinstance(cell, str)},
        fingerprint=fingerprint(text) if text else None,
        run=stored.run,
    )


def lines_without(stored: Stored, doomed: Mapping[str, Doomed], out: IO[bytes]) -> None:
    """Write a JSON Lines file without some lines. The others are the same bytes."""
    with stored.path.open("rb") as file:
        blocks: Sequence[bytes] | Iterator[bytes] = iter(lambda: file.read(4 * 1024**2), b"")
        lines.drop_lines(blocks, out, doomed[""].numbers(), encoding="utf-8", newline="\n", keep_ends=False)

"""JSON Lines: one object per line, its keys as columns and its values as texts, numbers as they are written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Self

from complaints_etl.readers.encoding import LONE_SURROGATE, reject_bytes
from complaints_etl.readers.header import check_column_count, fold, unique_name
from complaints_etl.readers.table import MAX_CELL_CHARACTERS, FileFormat, Row, UnreadableFileError
from ptmlops_contracts.report import Reason

_AROUND = "\ufeff\r\n \t"
_TOO_MUCH = "a number in it is too long, or it is nested too deeply"


def looks_like_json_lines(lines: Sequence[str]) -> bool:
    """Return True if every one of these lines is a JSON object."""
    return bool(lines) and all(line.lstrip("\ufeff ").startswith("{") and isinstance(_parse(line), dict) for line in lines)


def holds_list(line: str) -> bool:
    """Return True if a line is an object that contains a list of objects."""
    value = _parse(line)
    lists = [item for item in value.values() if isinstance(item, list)] if isinstance(value, dict) else []
    return any(item and all(isinstance(each, dict) for each in item) for item in lists)


def find_keys(lines: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Return the keys of all lines' objects as they are written, their names, and the first line that is not empty."""
    return find_keys_of((line.strip(), _parse(line)) for line in lines)


def find_keys_of(records: Iterable[tuple[str, object]]) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Return the keys of all objects as they are written, their names, and the first record that is not empty.

    Keys that differ in case or accents only are one column, named as the first of them.

    Args:
        records: the text and the value of each.

    Raises:
        UnreadableFileError: no line is an object, or there are too many keys.
    """
    names: dict[str, str] = {}
    keys: list[str] = []
    first = ""
    for record, value in records:
        first = first or record
        if isinstance(value, dict):
            check_column_count(len(value))
            for key in map(_without_surrogates, value):
                if (folded := _fold(key)) not in names:
                    names[folded] = unique_name(key, names.values())
                    keys.append(key)
            check_column_count(len(names))
    if not names:
        message = "no line of it is a JSON object: it needs one complete object per line, or a list of objects"
        raise UnreadableFileError(Reason.NOT_JSON_LINES, message)
    return tuple(keys), tuple(names.values()), first


def read_rows(lines: Iterable[str], file_format: FileFormat) -> Iterator[Row]:
    """Yield the rows of a file. A line ends with a newline only: JSON may hold U+2028 as it is."""
    return rows_of(
        (
            (place, record, partial(_parse, record))
            for place, line in enumerate(lines, start=1)
            if (record := line.strip(_AROUND))
        ),
        file_format,
    )


def rows_of(records: Iterable[tuple[int, str, Callable[[], object]]], file_format: FileFormat) -> Iterator[Row]:
    """Yield a row per record: its line, its text, and a function that returns its value."""
    names = {_fold(key): name for key, name in zip(file_format.header_cells, file_format.header, strict=True)}
    for number, (place, record, parse) in enumerate(records, start=1):
        if file_format.broken and LONE_SURROGATE.search(record):
            yield reject_bytes(number, place, record)
            continue
        try:
            yield Row(number, place, _values(parse(), names), record=record)
        except _RejectedLineError as error:
            yield Row(number, place, {}, error.reason, str(error), record)


class _RejectedLineError(Exception):
    """A line is not a row. The message has the reason."""

    def __init__(self, message: str, reason: Reason = Reason.MALFORMED_ROW) -> None:
        super().__init__(message)
        self.reason = reason


def _values(value: object, names: Mapping[str, str]) -> dict[str, str]:
    """Return the object's values by column name. Of a key in two spellings, the value that is not empty counts.

    Raises:
        _RejectedLineError: `value` is not an object, a key has two values, or a value is too long.
    """
    if not isinstance(value, dict):
        raise _RejectedLineError(value if isinstance(value, str) and value else "the line is not a JSON object")
    values: dict[str, str] = {}
    try:
        cells = [(_without_surrogates(key), _cell(given)) for key, given in value.items()]
    except RecursionError:
        raise _RejectedLineError(_TOO_MUCH) from None
    for key, cell in cells:
        name = names.get(_fold(key), key)
        if values.setdefault(name, cell) != cell:
            if values[name] and cell:
                raise _RejectedLineError("a key is in the object twice, in two spellings")
            values[name] = values[name] or cell
    if max(map(len, values.values()), default=0) > MAX_CELL_CHARACTERS:
        raise _RejectedLineError(f"a value has over {MAX_CELL_CHARACTERS:,} characters", Reason.TOO_LONG)
    return values


def _fold(key: str) -> str:
    return fold(key) or key


class _WrittenNumber(float):
    """A number that keeps how it was written: 1.10 is an account's name as often as an amount."""

    written: str

    def __new__(cls, written: str) -> Self:
        number = super().__new__(cls, written)
        number.written = written
        return number


class RepeatedKeyError(ValueError):
    """An object has a key twice, so its value is ambiguous."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise RepeatedKeyError
    return value


decoder = json.JSONDecoder(object_pairs_hook=_object, parse_float=_WrittenNumber)


def _parse(line: str) -> dict[str, object] | str | None:
    """Return the line's object, a sentence about what is wrong with it, or None if it is another JSON value."""
    try:
        value: Any = decoder.decode(line.strip(_AROUND))
    except RepeatedKeyError:
        return "a key is in the object twice"
    except json.JSONDecodeError as error:
        return f"not JSON at character {error.pos + 1} of the line"
    except (ValueError, RecursionError):
        return _TOO_MUCH
    return value if isinstance(value, dict) else None


def _cell(value: object) -> str:
    if isinstance(value, str):
        return _without_surrogates(value)
    return "" if value is None else _without_surrogates(_json(value))


def _json(value: object) -> str:
    """Return what json.dumps returns, but with numbers as they were written."""
    if isinstance(value, _WrittenNumber):
        return value.written
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    if isinstance(value, dict):
        return (
            "{" + ", ".join([f"{json.dumps(key, ensure_ascii=False)}: {_json(given)}" for key, given in value.items()]) + "}"
        )
    return json.dumps(value, ensure_ascii=False)


def _without_surrogates(text: str) -> str:
    """Replace lone surrogates: JSON can write them, and no encoding can carry them on."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

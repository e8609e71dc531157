"""The class of a text's length, as Spark computes it for the report's groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from complaints_etl.prepare import Prepared

LENGTHS = {
    "up_to_50": (20, 49, 50),
    "over_50": (51, 100),
    "over_100": (101, 200),
    "over_200": (201, 499, 500),
    "over_500": (501, 1_000),
    "over_1000": (1_001, 2_000),
    "over_2000": (2_001, 5_000),
    "over_5000": (5_001, 10_000),
    "over_10000": (10_001, 10_051, 20_000),
}


def test_a_length_is_counted_in_its_class(run: Callable[..., Any]) -> None:
    texts = [_text(length) for lengths in LENGTHS.values() for length in lengths]
    prepared = run({"lengths.csv": "\n".join(["text", *texts]).encode()})
    assert isinstance(prepared, Prepared)
    assert prepared.report["characters"] == {name: len(lengths) for name, lengths in LENGTHS.items()}


def _text(length: int) -> str:
    """Return words that cleaning leaves as they are."""
    return ("la tarjeta no pasa y nadie responde " * (length // 36 + 1))[: length - 1] + "x"

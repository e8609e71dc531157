"""Read the fields of an evaluation, and collect checks with a sentence each.

A field that is missing, of another type or out of range is a failed check.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A larger number is not a count of rows.
LARGEST = 10**9
# Evaluate rounds to six decimals: numbers that should be equal may be this far apart.
ROUNDING = 1e-5
LONGEST_NAME = 60  # characters in a sentence
SHA256 = re.compile(r"[0-9a-f]{64}")
ABSENT: Mapping[str, Any] = {}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One entry of `checks` in promotion.json: a sentence, and the number that was checked with its limit, if there is one."""

    name: str
    value: float | None
    limit: float | None
    passed: bool
    message: str


class Checks:
    """The checks of an evaluation, collected while its fields are read.

    A method that reads a field returns None (`part`: ABSENT) after a failed check. Its arguments are the JSON object `source`, the
    `name` of the field, and its `owner` in the sentence: "the candidate" gives "the candidate's accuracy is missing".

    Attributes:
        made: All checks so far.
    """

    def __init__(self) -> None:
        self.made: list[Check] = []

    def add(self, name: str, value: float | None, limit: float | None, sentence: str, *, passed: bool) -> None:
        self.made.append(Check(name=name, value=value, limit=limit, passed=passed, message=sentence))

    def refuse(self, name: str, sentence: str) -> None:
        """Add a failed check without a number."""
        self.add(name, None, None, sentence, passed=False)

    def part(self, source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """Return a nested object, or ABSENT."""
        value = source.get(name)
        if isinstance(value, Mapping):
            return value
        self.refuse(name, f"the evaluation has no {name}")
        return ABSENT

    def number(self, source: Mapping[str, Any], name: str, owner: str, *, low: float = 0, high: float = 1) -> float | None:
        value = source.get(name)
        if value is None:
            self.refuse(name, f"{owner}'s {name} is missing")
        elif not is_number(value):
            self.refuse(name, f"{owner}'s {name} is not a number")
        elif not low <= value <= high:  # true for NaN too, and for integers of any size
            self.refuse(name, f"{owner}'s {name} is not a number from {low:g} to {high:g}")
        else:
            return float(value)
        return None

    def count(self, source: Mapping[str, Any], name: str, owner: str, *, low: int = 0, high: int = LARGEST) -> int | None:
        value = self.number(source, name, owner, low=low, high=high)
        if value is not None and not value.is_integer():
            self.refuse(name, f"{owner}'s {name} is {value:g}, not a whole number")
            return None
        return None if value is None else int(value)

    def interval(self, source: Mapping[str, Any], name: str, owner: str, *, lowest: int) -> tuple[float, float] | None:
        match source.get(name):
            case [low, high] if is_number(low) and is_number(high) and lowest <= low <= high <= 1:
                return float(low), float(high)
        self.refuse(name, f"{owner}'s {name} is not a pair of numbers from {lowest} to 1, the lower one first")
        return None

    def text(self, source: Mapping[str, Any], name: str, owner: str) -> str | None:
        value = source.get(name)
        if isinstance(value, str) and value:
            return value
        self.refuse(name, f"{owner}'s {name} is missing or not text")
        return None

    def fingerprint(self, source: Mapping[str, Any], name: str, owner: str) -> None:
        value = self.text(source, name, owner)
        if value is not None and not SHA256.fullmatch(value):
            self.refuse(name, f"{owner}'s {name} is not a SHA-256 digest")


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def distinct(value: float, limit: float) -> tuple[str, str]:
    """Format both numbers with so many decimals that they look different, at least three."""
    digits = next((n for n in range(3, 17) if value == limit or f"{value:.{n}f}" != f"{limit:.{n}f}"), 17)
    return f"{value:.{digits}f}", f"{limit:.{digits}f}"


def short_name(name: str, longest: int = LONGEST_NAME) -> str:
    """Return a name for use in a sentence: on one line, and cut to `longest` characters."""
    text = " ".join("".join(character if character.isprintable() else " " for character in name).split())
    return text[: longest - 1] + "…" if len(text) > longest else text or "(no name)"

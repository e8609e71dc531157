"""Read the lexicon: the words of redaction rules, entities, column names, blank cells and letters."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any, Self

from complaints_etl.text.normalize import fold

LANGUAGES = ("es", "en", "pt")
CURRENCY_CODES = ("COP", "USD", "EUR", "MXN", "GBP", "CLP", "PEN")  # ISO 4217

# Uses of a keyword. `words` of a section belong to each of them.
KEYWORD_USES = {
    "adjacent": "the value stands right behind the keyword",
    "near": "the value stands a few words behind it, in the same sentence",
    "context": "the keyword stands anywhere around the value",
    "glued": "the value is typed behind it without a space",
    "spelled": "the value is spelled out behind it",
    "column": "the name of a column",
}
# Lists with a use of their own, which the module that reads them explains.
OTHER_LISTS = (
    "before", "hashed", "states", "firsts", "sent", "not_near", "beside_card", "between", "version", "address", "distinctive", "other",
    "money", "counted", "errors", "services", "typed", "greetings", "closings", "connectives",
    "placeholders", "spreadsheet_errors", "answers", "complaints", "texts", "categories", "fillers", "subjects", "pointers", "alone",
    "inside", "places", "suffixes", "not_in", "storms", "quarters", "capitals", "legal", "behind",
)  # fmt: skip
TABLES = ("dates", "numbers", "currencies")

_ACCENTED = re.compile(r"\[[^\]]*\]|[áéíóúüñ]")
_LOOK_BEHIND = re.compile(r"(?:\(\?<[!=][^()]*\))+")
_LITERAL = re.compile(r"(?:[a-z0-9 /\-']|\\\.)+(?![?*{])")
_LOOK_AHEAD = re.compile(r"\(\?!.*?\)")
_GROUP = re.compile(r"\[[^\]]*\]|\((?:\?:|\?[=!]|\?<[=!])?[^()]*\)")


def any_of(patterns: Iterable[str]) -> str:
    """Return the alternation of patterns: `a|b`, or one that matches nothing if there are none."""
    return "|".join(dict.fromkeys(patterns)) or "(?!)"


@dataclass(frozen=True)
class Lexicon:
    """The sections of all languages, merged: lists are concatenated in the order of LANGUAGES, tables united.

    Example: with `[identity] words = ["cédula"]` and `near = ["doc"]`, `pattern("identity", "near")` is `c[eé]dula|doc`, and
    `prefixes("identity")` is `("cedula", "doc")`.
    """

    sections: Mapping[str, Mapping[str, Any]]

    @classmethod
    def load(cls) -> Self:
        """Read and check the files of this package, also from inside an archive.

        Raises:
            ValueError: a list is unknown, or an entry is not a pattern that begins with two letters or digits.
        """
        sections: dict[str, dict[str, Any]] = {}
        for language in LANGUAGES:
            file = resources.files(__package__ or "").joinpath(f"{language}.toml")
            for name, section in tomllib.loads(file.read_text(encoding="utf-8")).items():
                merged = sections.setdefault(name, {})
                for key, value in section.items():
                    if name not in TABLES:
                        _check(f"{language}.toml [{name}] {key}", key, value)
                    merged[key] = _merged(merged.get(key), value)
        return cls(sections)

    def terms(self, section: str, use: str) -> tuple[str, ...]:
        """Return the patterns of a section for one use; `words` come first if it is a use of keywords."""
        lists = self.sections[section]
        words = lists.get("words", []) if use in KEYWORD_USES else []
        return tuple(_accents_optional(term) for term in (*words, *lists.get(use, [])))

    def pattern(self, section: str, use: str = "words") -> str:
        """Return the terms of a section for one use as an alternation, for a case-insensitive pattern."""
        return any_of(self.terms(section, use))

    def prefixes(self, *sections: str) -> tuple[str, ...]:
        """Return what the keywords of sections begin with, folded. Keywords of `context` are left out: nothing begins with them."""
        lists = [self.sections[section] for section in sections]
        terms = [term for known in lists for key, terms in known.items() if key not in _NO_PREFIX for term in terms]
        return tuple(dict.fromkeys(map(_prefix, terms)))

    @cached_property
    def months(self) -> dict[str, int]:
        """Number of each month, by its name and its abbreviations."""
        names = enumerate(self.sections["dates"]["months"])
        return {name: place % 12 + 1 for place, written in names for name in written.split()}

    @cached_property
    def weekdays(self) -> dict[str, int]:
        """Number of each weekday (Monday is 0), by its folded name."""
        return {fold(name): place % 7 for place, name in enumerate(self.sections["dates"]["weekdays"])}

    @cached_property
    def days_ago(self) -> dict[str, int]:
        """Days since each named day, by its folded name."""
        return {fold(_LOOK_AHEAD.sub("", name)): days for name, days in self.sections["dates"]["days_ago"].items()}

    @cached_property
    def named_day(self) -> str:
        """The alternation of the named days, longest first."""
        names: list[str] = sorted(self.sections["dates"]["days_ago"], key=len, reverse=True)
        return any_of(map(_accents_optional, names))

    def date_units(self) -> dict[str, str]:
        """Return the alternation of each unit of time: days, weeks, months, years."""
        return {unit: any_of(map(_accents_optional, names)) for unit, names in self.sections["dates"]["units"].items()}

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Value of each small number, by its name."""
        return dict(self.sections["numbers"])

    @cached_property
    def currencies(self) -> dict[str, str]:
        """The alternation of each currency's names, by its ISO code."""
        return {code: any_of(map(_accents_optional, names)) for code, names in self.sections["currencies"].items()}


def _merged(known: Any, value: Any) -> Any:
    """Return lists concatenated, tables united by key, and single values as a list of one per language."""
    if isinstance(value, dict):
        return {key: _merged((known or {}).get(key), item) for key, item in value.items()} | {
            key: item for key, item in (known or {}).items() if key not in value
        }
    if isinstance(value, str):
        value = [value]
    return [*known, *value] if isinstance(known, list) else value


_NO_PREFIX = frozenset({"context", "glued", "column", *OTHER_LISTS} - {"before", "firsts"})


def _accents_optional(pattern: str) -> str:
    """Make accents optional in a pattern, except in character classes: `cédula` → `c[eé]dula`."""
    return _ACCENTED.sub(lambda match: match[0] if match[0][0] == "[" else f"[{fold(match[0])}{match[0]}]", pattern)


def _prefix(term: str) -> str:
    r"""Return the literal that a pattern begins with, folded: `(?<!por )tel(?:éfono)?s?` → `tel`, `pwd?` → `pw`."""
    match = _LITERAL.match(_LOOK_BEHIND.sub("", fold(term), count=1))
    return match[0].replace("\\", "") if match else ""


def _check(place: str, key: str, terms: Any) -> None:
    if key != "words" and key not in KEYWORD_USES and key not in OTHER_LISTS:
        raise ValueError(
            f"{place} is not a list of the lexicon; the lists are words, {', '.join((*KEYWORD_USES, *OTHER_LISTS))}"
        )
    for term in terms:
        bare = term
        while (inner := _GROUP.sub("", bare)) != bare:
            bare = inner
        if "|" in bare:
            raise ValueError(f"{place}: write {term!r} as several entries")
        if key not in _NO_PREFIX and len(_prefix(term)) < 2:
            raise ValueError(f"{place}: {term!r} must begin with two letters or digits")
        try:
            re.compile(_accents_optional(term))
        except re.error as error:
            raise ValueError(f"{place}: {term!r} is not a regular expression: {error}") from None


LEXICON = Lexicon.load()

"""What is known of a person's rows: it decides which rows are theirs, and grows with each row that is found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, TypeVar

from ptmlops.erasure.texts import KnownTexts, fingerprint, letters, long_enough, redact_as_prepare
from ptmlops_contracts.live import LONG_ID_CHARACTERS

Fact = TypeVar("Fact")
_MADE_ID = re.compile(r"c-[0-9a-f]{16}")
_FIGURES = re.compile(r"[\d.,\-/ ]+")
_LEAST_FIGURES = 6  # of a value that is compared without what separates its figures
_LEAST_IN_RECORD = 5  # characters of a value that is looked for in a record without columns
_REDACTED = re.compile("<[A-Z][A-Z_]*>")


class Place(NamedTuple):
    """Where a row was read from: the table, its version, the row's line and number.

    `version` is None in lists that do not name it. `number` is None if rows of the version were erased before: numbers have shifted since,
    and lines have not.
    """

    file: str
    version: str | None
    line: int
    number: int | None


@dataclass(slots=True, kw_only=True)
class Facts:
    """What a row says about whose it is.

    Attributes:
        ids: the complaint's id, as it was given and as it was made. The id of a complaint that it repeats is not one of them: of a short text, that
            may be another person's.
        texts: its text, in each way in which it may be written elsewhere.
        loose: cells of which nobody knows whether they are ids or texts. Nothing is learned from them.
        originals: True if the texts are not redacted.
        cells: its cells by column, for `--where`.
        fingerprint: of its text.
        place: where it was read from.
        run: the run that wrote the row, or None for an upload.
        record: its original bytes as text, if it was rejected.
        is_unread: nobody could split the record into cells.
        is_excerpt: the text is a part of the row's text.
    """

    ids: Sequence[str] = ()
    texts: Sequence[str] = ()
    loose: Sequence[str] = ()
    originals: bool = False
    cells: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str | None = None
    place: Place | None = None
    run: str | None = None
    record: str = ""
    is_unread: bool = False
    is_excerpt: bool = False


class Person:
    """The rows of one person, as far as they are known.

    Attributes:
        version: grows with each new fact. A row that was read before may be the person's after it.
        named: what the operator named.
    """

    def __init__(
        self,
        *,
        ids: Iterable[str] = (),
        where: Iterable[tuple[str, str]] = (),
        texts: Iterable[str] = (),
        max_text_characters: int,
        same_text: bool = True,
    ) -> None:
        """Begin with what the operator named.

        Args:
            ids: complaint ids.
            where: columns and the value that the person has there.
            texts: complaints, as the person wrote them.
            max_text_characters: `complaints.max_text_characters` of the environment.
            same_text: follow the texts of rows that are found.
        """
        self.version = 0
        self.ids: set[str] = set()
        self.fingerprints: set[str] = set()
        self._in_index: set[str] = set()  # also those of short texts, which are not followed
        self._excerpts: set[str] = set()  # letters of short texts
        self._in_file: set[tuple[str, str]] = set()
        self._in_run: set[tuple[str, str]] = set()
        self._places: set[Place] = set()
        self._lines: set[tuple[str, str | None, int]] = set()
        self._records: set[tuple[str, bytes]] = set()
        self._texts, self._max_characters = KnownTexts(), max_text_characters
        self._same_text = True
        self._where = [(fold_name(column), fold_value(value)) for column, value in where]
        self._named_ids = {id_.strip() for id_ in ids}
        self.ids.update(self._named_ids)
        for text in texts:
            self._learn_text(text, original=True, named=True)
        self._same_text = same_text

    def owns(self, facts: Facts) -> bool:
        """Return True for a row of the person."""
        if facts.is_excerpt:
            return any(self._texts.excerpted_in(text) or letters(text) in self._excerpts for text in facts.texts)
        if facts.fingerprint is not None:
            known = self.fingerprints if facts.texts else self._in_index
            if facts.fingerprint in known:
                return True
        if facts.place is not None and self._knows_place(facts.place, facts.record):
            return True
        if any(self._knows_id(id_, facts) for id_ in facts.ids):
            return True
        if self._where and any(self._matches(name, value) for name, value in facts.cells.items()):
            return True
        if any(text in self._texts for text in facts.texts) or any(
            (len(cell) >= LONG_ID_CHARACTERS and cell in self.ids) or cell in self._texts for cell in facts.loose
        ):
            return True
        return facts.is_unread and self._is_in_record(facts.record)

    def learn(self, facts: Facts) -> None:
        """Learn from a row of the person."""
        if facts.is_excerpt:
            return
        place = facts.place
        for id_ in facts.ids:
            if _REDACTED.search(id_):
                continue
            if len(id_) >= LONG_ID_CHARACTERS or _MADE_ID.fullmatch(id_):
                self._add(self.ids, id_)
                continue
            if place:
                self._add(self._in_file, (place.file, id_))
            if facts.run:
                self._add(self._in_run, (facts.run, id_))
        if place and place.version:
            self._add(self._places, place)
            self._add(self._lines, place[:3])
        if place and facts.record:
            self._add(self._records, (place.file, _digest(facts.record)))
        for text in facts.texts:
            self._learn_text(text, original=facts.originals)

    def _add(self, known: set[Fact], fact: Fact) -> None:
        if fact not in known:
            known.add(fact)
            self.version += 1

    def _learn_text(self, text: str, *, original: bool, named: bool = False) -> None:
        redacted = redact_as_prepare(text, self._max_characters) if original else text
        print_ = fingerprint(redacted)
        self._add(self._in_index, print_)
        is_short = not long_enough(redacted) and not long_enough(text)
        if is_short and letters(redacted):
            self._excerpts.add(letters(redacted))
        if named or (self._same_text and not is_short):
            self._add(self.fingerprints, print_)
            for form in dict.fromkeys((text, redacted)):
                self.version += self._texts.add(form)

    def _knows_id(self, id_: str, facts: Facts) -> bool:
        if id_ in self.ids:
            return True
        in_file = facts.place is not None and (facts.place.file, id_) in self._in_file
        return in_file or (facts.run is not None and (facts.run, id_) in self._in_run)

    def _knows_place(self, place: Place, record: str) -> bool:
        if place.version is None:
            return bool(record) and (place.file, _digest(record)) in self._records
        if place.number is None:
            return place[:3] in self._lines
        return place in self._places or place._replace(number=None) in self._places

    def _matches(self, name: str, value: str) -> bool:
        column = fold_name(name)
        return any(column == wanted and fold_value(value) == expected for wanted, expected in self._where)

    def _is_in_record(self, record: str) -> bool:
        """Return True if a record has a named value or text. Short values may be anything there, except for an id in front."""
        values = {value for _, value in self._where} | self._named_ids
        begins = record.lstrip("\ufeff \"'")
        return (
            any(len(value) >= _LEAST_IN_RECORD and _is_word_in(value, record) for value in values)
            or any(begins.startswith(id_) and not begins[len(id_) : len(id_) + 1].isalnum() for id_ in self._named_ids)
            or self._texts.within(record)
        )


@lru_cache(maxsize=10_000)
def fold_name(name: str) -> str:
    """Return a column's name as Prepare compares names: without case, accents and marks."""
    from complaints_etl.readers.header import fold

    return fold(name).replace(" ", "").strip("¿?¡!*:")


def fold_value(value: str) -> str:
    """Return a value as values are compared: without case and white space around; figures without what separates them.

    Example: `1.032.445.667` and ` 1032445667` are one value, and so are `Ana@Example.com` and `ana@example.com`.
    """
    from complaints_etl.spreadsheet import active

    folded = " ".join(unicodedata.normalize("NFKC", active(value)).casefold().split())
    if _FIGURES.fullmatch(folded) and len(figures := re.sub(r"\D", "", folded)) >= _LEAST_FIGURES:
        return figures
    return folded


def _is_word_in(value: str, record: str) -> bool:
    """Return True if a value is in a record, and no letter or figure is beside it."""
    folded = unicodedata.normalize("NFKC", record).casefold()
    wanted = re.escape(value.casefold())
    if value.isdigit() and len(value) >= _LEAST_FIGURES:
        wanted = r"[.,\- ]?".join(value)
    return bool(value) and re.search(rf"(?<![^\W_]){wanted}(?![^\W_])", folded) is not None


def _digest(record: str) -> bytes:
    return sha256(record.strip().encode("utf-8", "replace")).digest()[:16]

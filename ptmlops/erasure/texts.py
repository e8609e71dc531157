"""Compare texts by their letters outside of placeholders, so that a text and its redacted forms are the same complaint."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

# Shorter texts ("mala atención") are written by many people.
LEAST_WORDS = 5
_PLACEHOLDER = re.compile(r"<[A-Z][A-Z_]*>")
_OTHERS = re.compile("[^a-z]+")
_WORD = re.compile(r"[^\W_]+")
_LEAD = 12  # letters, by which known texts are looked up
# Of the letters of an original, a redacted form keeps at least so many. Else it would be the form of too many originals.
_LEAST_KEPT = 0.4


def letters(text: str) -> str:
    """Return a text's ASCII letters in lower case, without accents: what stays the same however a text is encoded and cleaned."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
    return _OTHERS.sub("", text.lower())


def fingerprint(redacted: str) -> str:
    """Return the fingerprint of a redacted text, as Prepare makes it (`sha2(lower(text), 256)`)."""
    return hashlib.sha256(redacted.lower().encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True)
class Shape:
    """A text's letters.

    Attributes:
        pieces: the letters between placeholders; the first and the last may be empty.
        words: how many words the text has.
    """

    pieces: tuple[str, ...]
    words: int

    @classmethod
    def of(cls, text: str) -> Shape:
        """Return the shape of a text, redacted or not."""
        parts = _PLACEHOLDER.split(text) if "<" in text else [text]
        return cls(tuple(map(letters, parts)), sum(len(_WORD.findall(part)) for part in parts))

    @cached_property
    def joined(self) -> str:
        """The letters of all pieces."""
        return "".join(self.pieces)

    def is_form_of(self, other: Shape) -> bool:
        """Return True if the pieces follow each other in the other text, from its beginning to its end."""
        first, last, whole = self.pieces[0], self.pieces[-1], other.joined
        if len(self.joined) < _LEAST_KEPT * len(whole) or not whole.startswith(first) or not whole.endswith(last):
            return False
        return self._follow(whole) and (len(self.pieces) > 1 or len(first) == len(whole))

    def is_within(self, whole: str) -> bool:
        """Return True if the pieces follow each other anywhere in these letters."""
        return self._follow(whole)

    def _follow(self, whole: str) -> bool:
        place = 0
        for piece in self.pieces:
            at = whole.find(piece, place)
            if at < 0:
                return False
            place = at + len(piece)
        return True


class KnownTexts:
    """Texts of the person, looked up by how they begin."""

    def __init__(self) -> None:
        self._known: set[Shape] = set()
        self._by_lead: dict[str, list[Shape]] = {}
        self._without_lead: list[Shape] = []

    def add(self, text: str) -> bool:
        """Add a text. Returns False if it is too short to say whose it is, or known already."""
        shape = Shape.of(text)
        if shape.words < LEAST_WORDS or shape in self._known:
            return False
        self._known.add(shape)
        if len(shape.pieces[0]) >= _LEAD:
            self._by_lead.setdefault(shape.pieces[0][:_LEAD], []).append(shape)
        else:
            self._without_lead.append(shape)
        return True

    def __contains__(self, text: str) -> bool:
        """Return True for a text that is the same as a known one, or a redacted form of it, or the original of it."""
        if not self._known or len(text) < LEAST_WORDS:
            return False
        shape = Shape.of(text)
        if shape.words < LEAST_WORDS:
            return False
        return any(shape.is_form_of(known) or known.is_form_of(shape) for known in self._candidates(shape))

    def within(self, record: str) -> bool:
        """Return True if a record that nobody could split into cells holds a known text."""
        if not self._known:
            return False
        whole = letters(record)
        return any(shape.is_within(whole) for shape in self._known)

    def excerpted_in(self, excerpt: str) -> bool:
        """Return True if an excerpt is a part of a known text."""
        part = Shape.of(excerpt)
        return part.words >= LEAST_WORDS and any(
            part.is_within(known.joined) or part.joined in known.joined for known in self._known
        )

    def _candidates(self, shape: Shape) -> Iterator[Shape]:
        yield from self._without_lead
        if len(shape.pieces[0]) >= _LEAD:
            yield from self._by_lead.get(shape.pieces[0][:_LEAD], ())
        else:  # it begins with a placeholder, or soon has one
            for shapes in self._by_lead.values():
                yield from shapes


def redact_as_prepare(text: str, max_characters: int) -> str:
    """Return a text as Prepare cleans and redacts it."""
    from complaints_etl.redaction import redact
    from complaints_etl.text.cleaning import clean_text

    return redact(clean_text(text, max_characters=max_characters)[0])[0]


def long_enough(text: str) -> bool:
    """Return True if a text has enough words to say whose it is."""
    return Shape.of(text).words >= LEAST_WORDS

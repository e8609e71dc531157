"""Find new themes: words that are in more of a run's uncertain complaints than the model's training explains.

The least certain complaints are compared with the least certain training rows (training's term profile). For each word and pair of words:

```
a of N complaints and b of M training rows have it
p = P(X >= a), X ~ Binomial(a + b, N / (N + M))       exact, given a + b (Przyborowski and Wilenski, 1940)
```

Bonferroni's correction keeps the probability of any false theme in a run below ALPHA, if complaints are drawn as the training rows were.
A theme is a significant term with the others that are in the same complaints. docs/decisions/0024-new-themes-are-words-in-excess.md
compares this with alternatives.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from complaints_etl.publish.marks import marked_parts
from complaints_etl.publish.model_terms import Ints, Terms, find_terms

Floats = NDArray[np.float64]

# Probability of a false theme per run. It is below the wanted 0.01, because complaints share phrases more than independent draws would.
ALPHA = 0.002
MIN_COMPLAINTS = 5  # of a term and of a theme: a term of fewer could identify a person
MIN_LIFT = 2  # half of the complaints with a term are in excess, or more
MAX_COMPLAINTS = 20_000  # that are compared: a sample of more
MAX_CHARACTERS = 4_000  # of a text
MAX_THEMES, SHOWN_TERMS = 10, 5
SAME_SHARE = 0.5  # of a term's complaints that a theme has: the term belongs to it
# Two texts with so many pairs in common, and so large a share of the shorter text's, are made from one template.
COPIED_PAIRS, COPIED_SHARE = 30, 0.2
_TESTED_FOR_COPIES = 100  # terms


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Training's counts (complaint_model.term_profile)."""

    buckets: Ints  # ascending
    rows: Ints
    size: int
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A complaint that the model is not certain of, for its group of near-copies. The text is redacted."""

    group_id: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Complaints about something that training does not explain.

    Attributes:
        number: 1 for the most significant one.
        terms: its most distinctive terms, as most complaints write them.
        groups: those of the complaints that have one of its terms.
        complaints: how many different ones, an estimate if only a sample was compared.
        expected: how many training would explain.
        example: the complaint with most of the terms.
    """

    number: int
    terms: Sequence[str]
    groups: Sequence[str]
    complaints: int
    expected: int
    example: Candidate

    @property
    def name(self) -> str:
        """Return the terms in one string: the value of the column `theme`."""
        return ", ".join(self.terms)


def read_profile(content: bytes | None) -> Profile | None:
    """Return the profile from term_profile.npz. There is none for models of earlier versions."""
    if content is None:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return Profile(
            buckets=arrays["buckets"].astype(np.int64),
            rows=arrays["rows"].astype(np.int64),
            size=int(arrays["size"]),
            confidence=float(arrays["confidence"]),
        )


def find_themes(candidates: Sequence[Candidate], profile: Profile, *, sampled: float = 1.0) -> list[Theme]:
    """Return the themes, the most significant first.

    Args:
        candidates: complaints whose confidence is at most the profile's, one of each group of near-copies.
        profile: of the model that answered.
        sampled: the share of all such complaints that `candidates` is.
    """
    if len(candidates) < MIN_COMPLAINTS or not profile.size:
        return []
    search = _Search(find_terms([candidate.text for candidate in candidates]), len(candidates), profile)
    themes: list[Theme] = []
    taken = np.zeros(len(candidates), dtype=bool)
    for terms in search.groups():
        rows = search.rows_of(terms)
        rows = rows[~taken[rows]]
        if len(rows) < MIN_COMPLAINTS:
            continue
        taken[rows] = True
        counts = Counter(row for term in terms for row in search.rows_of([term]).tolist())
        example = max(rows.tolist(), key=lambda row: (counts[row], -len(candidates[row].text), -row))
        texts = [candidates[row].text for row in rows.tolist()]
        explained = min(float(search.expected[terms].max()), len(rows))
        themes.append(
            Theme(
                number=len(themes) + 1,
                terms=_shown(search.terms.names, terms, texts),
                groups=[candidates[row].group_id for row in rows.tolist()],
                complaints=round(len(rows) / sampled),
                expected=round(explained / sampled),
                example=candidates[example],
            )
        )
        if len(themes) == MAX_THEMES:
            break
    return themes


class _Search:
    """The significant terms of the candidates."""

    def __init__(self, terms: Terms, texts: int, profile: Profile) -> None:
        self.terms = terms
        order = np.argsort(terms.term, kind="stable")
        self._rows = terms.document[order]
        self._starts = np.searchsorted(terms.term[order], np.arange(len(terms.names) + 1))
        self._texts, self._size = texts, profile.size
        self._found, self._known = np.diff(self._starts), _look_up(terms.buckets, profile)
        self.expected = self._known / profile.size * texts
        self._pairs: dict[int, set[int]] = {}

    def rows_of(self, terms: Sequence[int]) -> Ints:
        """Return the candidates that have one of the terms."""
        parts = [self._rows[self._starts[term] : self._starts[term + 1]] for term in terms]
        return np.unique(np.concatenate(parts))

    def groups(self) -> list[list[int]]:
        """Return the significant terms, those of the same candidates together; the most significant terms first."""
        groups: list[tuple[list[int], set[int]]] = []
        for term in self._significant():
            rows = set(self.rows_of([term]).tolist())
            for members, covered in groups:
                if len(rows & covered) >= SAME_SHARE * len(rows):
                    members.append(term)
                    covered.update(rows)
                    break
            else:
                groups.append(([term], rows))
        return [members for members, _ in groups]

    def _significant(self) -> list[int]:
        tested = np.flatnonzero(self._found >= MIN_COMPLAINTS)
        level = math.log(ALPHA / max(len(tested), 1))
        frequent = tested[self._found[tested] >= np.maximum(MIN_COMPLAINTS, MIN_LIFT * self.expected[tested])]
        chances = {int(term): self._log_chance(int(self._found[term]), int(self._known[term])) for term in frequent}
        found = sorted((chance, term) for term, chance in chances.items() if chance <= level)[:_TESTED_FOR_COPIES]
        return [term for _, term in found if self._is_significant_without_copies(term, level)]

    def _is_significant_without_copies(self, term: int, level: float) -> bool:
        """Judge a term again, with texts from one template counted as one: a single campaign is not a theme."""
        different: list[set[int]] = []
        rows = self.rows_of([term])[: 2 * _TESTED_FOR_COPIES]
        scale = self._found[term] / len(rows)
        for row in rows.tolist():
            pairs = self._pairs_of(row)
            if not any(
                len(pairs & other) > max(COPIED_PAIRS, COPIED_SHARE * min(len(pairs), len(other))) for other in different
            ):
                different.append(pairs)
        count = int(len(different) * scale)
        return len(different) >= MIN_COMPLAINTS and self._log_chance(count, int(self._known[term])) <= level

    def _pairs_of(self, row: int) -> set[int]:
        if row not in self._pairs:
            first, last = np.searchsorted(self.terms.document, (row, row + 1))
            terms = self.terms.term[first:last]
            self._pairs[row] = {term for term in terms.tolist() if " " in self.terms.names[term]}
        return self._pairs[row]

    def _log_chance(self, found: int, known: int) -> float:
        """Return ln P(X >= found), X ~ Binomial(found + known, N / (N + M))."""
        return log_upper_tail(found, found + known, self._texts / (self._texts + self._size))


def log_upper_tail(least: int, draws: int, chance: float) -> float:
    """Return ln P(X >= least) for X ~ Binomial(draws, chance).

    Sums the terms from `least` on, each from the one before: they fall fast if `least` is above the mean, as it is for a term in excess.
    """
    if least <= 0:
        return 0.0
    first = (
        math.lgamma(draws + 1) - math.lgamma(least + 1) - math.lgamma(draws - least + 1)
        + least * math.log(chance) + (draws - least) * math.log1p(-chance)
    )  # fmt: skip
    total, part, odds = 1.0, 1.0, chance / (1 - chance)
    for successes in range(least, draws):
        part *= (draws - successes) / (successes + 1) * odds
        total += part
        if part < 1e-12 * total:
            break
    return min(first + math.log(total), 0.0)


def _look_up(buckets: Ints, profile: Profile) -> Ints:
    """Return how many training rows have each term."""
    if not len(profile.buckets):
        return np.zeros(len(buckets), dtype=np.int64)
    place = np.minimum(np.searchsorted(profile.buckets, buckets), len(profile.buckets) - 1)
    return np.where(profile.buckets[place] == buckets, profile.rows[place], 0)


def _shown(names: Sequence[str], terms: Sequence[int], texts: Sequence[str]) -> list[str]:
    """Return up to SHOWN_TERMS terms without repeated words, as most texts write them."""
    shown: list[str] = []
    words: set[str] = set()
    for name in (names[term] for term in terms):
        if words.isdisjoint(name.split()):
            words.update(name.split())
            shown.append(_as_written(name, texts))
    return shown[:SHOWN_TERMS]


def _as_written(name: str, texts: Sequence[str]) -> str:
    """Return a term as most texts write it, in lower case: with its accents."""
    written: Counter[str] = Counter()
    for text in texts:
        parts = marked_parts(text, [name])
        if len(parts) > 1 and len(parts[1].split()) == len(name.split()):
            written[" ".join(parts[1].lower().split())] += 1
    common = [(count, form) for form, count in written.items() if count >= MIN_COMPLAINTS]
    return max(common)[1] if common else name


def summary(themes: Sequence[Theme]) -> list[dict[str, Any]]:
    """Return the themes as published.json and run.json list them: without texts."""
    return [{"theme": theme.name, "complaints": theme.complaints, "terms": list(theme.terms)} for theme in themes]

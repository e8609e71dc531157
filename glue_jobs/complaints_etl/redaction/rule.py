"""A rule of redaction: a pattern for one way to write one kind of personal data, and where in a text it is worth trying."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from complaints_etl.redaction.scanner import Prefixes, ScannedText, begins_in_word, matches_at

Check = Callable[[re.Match[str]], bool]
Positions = Callable[[ScannedText], list[int]]

NO_PREFIXES = Prefixes()
_NOTHING: Iterator[re.Match[str]] = iter(())


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One way to write one kind of personal data.

    The fields below `accepts` only save time: they leave out texts, and positions in a text, at which the pattern cannot match.

    Args:
        name: what order.py calls the rule.
        type: what replaces a match: `<TYPE>`.
        example: a text in which the rule finds something.
        pattern: finds candidates. A group `keep` at its beginning stays in the text.
        accepts: decides on a candidate, with a checksum or the words before it. By default all are accepted.
        prefixes: what a match begins with (with `positions`: what the text contains).
        positions: returns where a match can begin, if that is not the beginning of a word.
        contains: a string that the text contains.
        contains_folded: as `contains`, in lower case and without accents.
        min_digits: how many digits the longest number of the text has at least.
        number_like: whether one of these numbers, with the marks between its digits, can be what is looked for.
    """

    name: str
    type: str
    example: str
    pattern: re.Pattern[str]
    accepts: Check | None = None
    prefixes: Prefixes = NO_PREFIXES
    positions: Positions | None = None
    contains: str = ""
    contains_folded: str = ""
    min_digits: int = 0
    number_like: Callable[[str], bool] | None = None

    def find(self, text: ScannedText) -> list[re.Match[str]]:
        """Return the accepted matches, in order."""
        if (
            (self.prefixes and not text.may_contain(self.prefixes))
            or self.contains not in text.text
            or (self.contains_folded and self.contains_folded not in text.folded)
        ):
            return []
        return [match for match in self._candidates(text) if self.admits(match)]

    def admits(self, match: re.Match[str]) -> bool:
        """Return True for an accepted candidate whose value does not begin inside a word."""
        start = self.value_start(match)
        if match.string[start : start + 1].isalnum() and begins_in_word(match.string, start):
            return False
        return self.accepts is None or self.accepts(match)

    def value_start(self, match: re.Match[str]) -> int:
        """Return where the part of a match begins that is replaced."""
        return match.end("keep") if "keep" in self.pattern.groupindex else match.start()

    def _candidates(self, text: ScannedText) -> Iterator[re.Match[str]]:
        if self.prefixes and not self.positions:
            return text.matches(self.pattern, self.prefixes)
        if self.number_like and not any(
            digits >= self.min_digits and self.number_like(number) for number, digits in text.numbers()
        ):
            return _NOTHING
        if self.positions:
            return matches_at(self.pattern, text.text, self.positions(text))
        return self.pattern.finditer(text.text)

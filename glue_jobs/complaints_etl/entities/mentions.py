"""Find names of products and channels in a text; case and accents do not matter, and each word may be in the plural."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Self

from complaints_etl.redaction.scanner import Prefixes, ScannedText
from complaints_etl.text.normalize import fold


@dataclass(frozen=True, kw_only=True, eq=False)
class Names:
    """Names to look for, from the settings.

    Args:
        names: as the settings spell them.
        pattern: matches any of them in a folded text; group `n0` is the first name.
        prefixes: the first word of each name, folded.
    """

    names: tuple[str, ...]
    pattern: re.Pattern[str]
    prefixes: Prefixes

    @classmethod
    @cache
    def of(cls, names: tuple[str, ...]) -> Self:
        """Compile the pattern, once per process for the same names."""
        longest_first = sorted(enumerate(names), key=lambda pair: -len(pair[1]))
        # Each word may end in a plural: tarjetas de crédito, credit cards.
        words = {index: r"(?:e?s)?\s+".join(map(re.escape, fold(name).split())) for index, name in longest_first}
        parts = [f"(?P<n{index}>{words[index]}(?:e?s)?)" for index, _ in longest_first]
        return cls(
            names=names,
            pattern=re.compile(r"\b(?:" + "|".join(parts) + r")\b" if parts else r"(?!)"),
            prefixes=Prefixes(*dict.fromkeys(fold(name).split()[0] for name in names if name.split())),
        )


def find_mentions(scanned: ScannedText, names: Names) -> tuple[str, ...]:
    """Return the names that the text mentions, in the order of `names.names`."""
    if not scanned.may_contain(names.prefixes):
        return ()
    # Rarely, removing other than Spanish accents moves positions. Then the scanner's positions of prefixes do not apply.
    positions_moved = scanned.plain != scanned.folded
    matches = (
        names.pattern.finditer(scanned.plain)
        if positions_moved
        else scanned.matches(names.pattern, names.prefixes, scanned.folded)
    )
    mentioned = {match.lastgroup for match in matches}
    return tuple(name for index, name in enumerate(names.names) if f"n{index}" in mentioned) if mentioned else ()

"""What a run does, decided from counts alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class NoChampionError(Exception):
    """Rows wait for a label, and there is no model to give them one."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the decision rests on; rows are counts, `totals` and `new` by split."""

    new: Mapping[str, int]
    totals: Mapping[str, int]
    to_score: int
    has_champion: bool
    pending: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Train, score, both or neither, and why it trains or does not, for people."""

    train: bool
    score: bool
    reason: str


def decide(facts: Facts, *, min_labelled_rows: int, min_new_rows: int, raw_bucket: str) -> Decision:
    """Training needs enough rows in all and enough new ones; without a champion, any new row will do.

    Raises:
        NoChampionError: there are rows to score, and neither a champion nor training to serve them.
    """
    new, total = sum(facts.new.values()), sum(facts.totals.values())
    empty = [split for split, rows in facts.totals.items() if not rows]
    needed = min_new_rows if facts.has_champion else 1
    if new < needed:
        train, reason = False, f"{new} new labelled rows; training starts at {needed}"
    elif total < min_labelled_rows:
        train, reason = False, f"{total} labelled rows in all; training starts at {min_labelled_rows}"
    elif empty:
        train, reason = False, f"no labelled rows fell into {' and '.join(empty)}; drop more of them"
    else:
        train, reason = True, f"{new} new labelled rows, {total} in all"
    score = facts.to_score > 0
    if score and not train and not facts.has_champion:
        way_out = (
            f"Approve version {facts.pending[-1]} (`ptmlops promote {facts.pending[-1]}`)"
            if facts.pending
            else f"Drop a file with at least {max(min_labelled_rows - total, 1)} more labelled complaints into s3://{raw_bucket}/"
        )
        raise NoChampionError(
            f"{facts.to_score} complaints wait for a label, but no model is approved and none can be trained "
            f"({reason}). {way_out}, then redrive this run."
        )
    return Decision(train=train, score=score, reason=reason)

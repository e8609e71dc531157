"""Decide what a run does, from counts alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class NoChampionError(Exception):
    """Complaints are to be classified, but no model is approved and none can be trained."""


@dataclass(frozen=True, kw_only=True)
class RunCounts:
    """The counts that the decision depends on.

    Attributes:
        new: labelled rows of this run that no earlier run has with the same label, per split.
        repeated: the other labelled rows of this run.
        waiting: labelled rows of earlier runs from which no version was trained, because their run failed or had too few.
        totals: labelled rows of all runs, per split.
        to_score: rows of this run without a label.
        has_champion: a model is approved.
        pending: versions that wait for approval, ascending.
        erased: rows that the newest version may have learned from were erased since.
        drifted: complaints differ from those that the champion was measured on, and the settings say that a run then trains.
    """

    new: Mapping[str, int]
    totals: Mapping[str, int]
    to_score: int
    has_champion: bool
    pending: Sequence[int]
    repeated: int = 0
    waiting: int = 0
    erased: bool = False
    drifted: bool = False


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether the run trains and whether it scores. `reason` is a sentence that explains the former."""

    train: bool
    score: bool
    reason: str


def decide(counts: RunCounts, *, run_id: str, min_labelled_rows: int, min_new_rows: int, raw_bucket: str) -> Decision:
    """Train if there are enough labelled rows in all and enough new ones; score if rows have no label.

    Without a champion, a single new row is enough, and after an erasure none is needed. A repeated row is not new, unless no version was
    trained from it: a file that is uploaded again after a failed run is learned. After drift, a single row that no version has learned is
    enough, whichever run brought it. Without such a row, training would make the same model again.

    Raises:
        NoChampionError: rows are to be scored, there is no champion, and none can be trained.
    """
    not_learned = counts.waiting if counts.drifted else min(counts.repeated, counts.waiting)
    new, total = sum(counts.new.values()) + not_learned, sum(counts.totals.values())
    empty = [split for split, rows in counts.totals.items() if not rows]
    needed = 0 if counts.erased else min_new_rows if counts.has_champion and not counts.drifted else 1
    if new < needed:
        train, reason = False, f"{new} new labelled rows; training starts at {needed}"
        if counts.repeated > counts.waiting:
            reason += f". {counts.repeated} further rows came before with the same label, and are not new"
    elif total < min_labelled_rows:
        train, reason = False, f"{total} labelled rows in all; training starts at {min_labelled_rows}"
    elif empty:
        train, reason = False, f"no labelled rows fell into {' and '.join(empty)}; upload more of them"
    else:
        train, reason = True, f"{new} new labelled rows, {total} in all"
        if counts.erased:
            reason += "; rows that were learned were erased since"
        if counts.drifted:
            reason += "; complaints differ from those that the serving model was measured on"
    score = counts.to_score > 0
    if score and not train and not counts.has_champion:
        missing = min_labelled_rows - total
        if counts.pending:
            remedy = f"Approve version {counts.pending[-1]} (`ptmlops promote {counts.pending[-1]} --reason TEXT`)"
        elif missing > 0:
            remedy = (
                f"Upload a file with at least {missing} more labelled complaints into s3://{raw_bucket}/; "
                "labels with too few complaints do not count"
            )
        else:
            remedy = f"The models so far were not approved (`ptmlops models` tells why): upload more labelled complaints into s3://{raw_bucket}/"
        raise NoChampionError(
            f"{counts.to_score} complaints wait for a label, but no model is approved and none can be trained "
            f"({reason}). {remedy}. Then run `ptmlops replay {run_id}`."
        )
    return Decision(train=train, score=score, reason=reason)

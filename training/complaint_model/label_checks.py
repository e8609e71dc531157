"""Find rows whose given label is probably wrong: models that did not see the row give the label a low probability.

The measure is the self-confidence of confident learning (Northcutt, Jiang and Chuang, 2021): the calibrated probability of the given
label. Training rows have it from cross-fitting, held-out rows from the model itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from complaint_model.arrays import Floats, Ints
from complaint_model.records import Labelled

# The suggested label is at least this many times as probable as the given one. With few rows, calibrated probabilities are
# never extreme, so a limit of the probability itself would find nothing. docs/explanation/measurements.md has the share of wrong
# labels that it finds.
MIN_RATIO = 4
MAX_LISTED = 1000  # more than a person reads

Doubt = tuple[int, int, float, float]  # (row, number of the suggested label, probability of the given label, of the suggested)


def find_doubts(probabilities: Floats, given: Ints, *, most: int = MAX_LISTED) -> list[Doubt]:
    """Return the rows whose given label is doubtful, the most doubtful first.

    Args:
        probabilities: (rows, labels) of models that did not see the row.
        given: (rows,) number of the given label, or -1 if the models do not know it.
        most: The largest number of rows to return.
    """
    known = np.flatnonzero(given >= 0)
    of_given, best = probabilities[known, given[known]], probabilities[known].argmax(1)
    of_best = probabilities[known, best]
    doubtful = np.flatnonzero(of_best >= MIN_RATIO * of_given)
    ranked = doubtful[np.argsort(of_given[doubtful], kind="stable")][:most]
    return [(int(known[at]), int(best[at]), round(float(of_given[at]), 6), round(float(of_best[at]), 6)) for at in ranked]


def labels_to_check(doubts: Sequence[Sequence[Any]], rows: Sequence[Labelled], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of labels_to_check.jsonl (ptmlops_contracts.review.LabelToCheck).

    Args:
        doubts: From `find_doubts`.
        rows: The rows that `find_doubts` judged.
        labels: The names of the labels.
    """
    return [
        {
            "complaint_id": rows[row].complaint_id,
            "text": rows[row].text,
            "given_label": rows[row].label,
            "suggestion": labels[suggested],
            "given_probability": of_given,
            "suggestion_probability": of_suggested,
            "language": rows[row].language,
        }
        for row, suggested, of_given, of_suggested in doubts
    ]


def merge(*lists: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of all lists, the most doubtful first, at most MAX_LISTED."""
    together = [row for rows in lists for row in rows]
    return sorted(together, key=lambda row: (row["given_probability"], row["complaint_id"]))[:MAX_LISTED]

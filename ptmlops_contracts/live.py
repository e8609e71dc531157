"""Live accuracy: how often people confirm a model's answers, from review lists and labelled files that came back.

Publish measures it (complaints_etl/publish/live_accuracy.py), and published.json, run.json and the catalog's table `runs` have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Optional, TypedDict

# Ids with fewer characters are mostly row numbers, which begin anew in each file.
LONG_ID_CHARACTERS: Final = 6
# Fewer checked answers say too little about a model, and about one label of it.
MIN_CHECKED, MIN_CHECKED_OF_LABEL = 30, 10

Share = Optional[float]  # evaluated at import, which Python 3.9 cannot do with `|`
Interval = Optional["list[float]"]


class Checked(TypedDict):
    """Answers, and how many of a sample of them people confirmed. No share if the sample is too small to tell."""

    answers: Annotated[int, "answers of the runs of which some came back"]
    checked: Annotated[int, "answers that were compared and count: random samples, and runs that came back whole"]
    accuracy: Annotated[
        Share,
        "share of answers that people confirmed, weighted by the inverse of the sampling rate; null if too few were checked",
    ]
    accuracy_interval: Annotated[Interval, "its 95% interval"]


class LiveAccuracy(Checked):
    """The live accuracy of one version."""

    model_version: Annotated[str, "version of the model package that answered"]
    measured_by: Annotated[str, "run that compared them last"]
    returned: Annotated[int, "answers of which a person's label came back, whether they count or not"]
    certain: Annotated[Checked, "answers that needed no review"]
    doubtful: Annotated[Checked, "answers that needed review"]
    labels: Annotated[dict[str, Checked], "per answered label"]
    held_out_accuracy: Annotated[Share, "accuracy on held-out complaints; null if it is not known"]
    fall: Annotated[Share, "held-out minus live accuracy; 0 if chance explains the difference; null if either is not known"]


def newest_measured(versions: Sequence[LiveAccuracy]) -> LiveAccuracy | None:
    """Return the newest version of which enough answers were checked, or None."""
    measured = [version for version in versions if version["accuracy"] is not None]
    return max(measured, key=lambda version: int(version["model_version"]), default=None)

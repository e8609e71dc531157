"""The metrics that functions emit, and that alarms and the dashboard read.

The namespace is the environment's prefix (`ptmlops-prod`), and each metric has the dimension `service` with one value. So a metric is
paid for once per environment, whichever function emits it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

# Powertools adds this dimension to every metric.
SERVICE_DIMENSION: Final = "service"
SERVICE: Final = "ptmlops"
KIND: Final = "kind"  # of drift
STATE: Final = "state"  # of the state machine
# What the time is measured of, with the states that belong to it. The others take seconds, and CloudWatch charges for each metric.
TIMED_STATES: Final = {
    "Collect": ("Collect", "Wait for files"),
    "Prepare": ("Prepare",),
    "Train": ("Train", "Train warm"),
    "Evaluate": ("Evaluate",),
    "Score": ("Score",),
    "Publish": ("Publish",),
}


class Metric(Enum):
    """A metric: its name, its unit as CloudWatch names it, a further dimension or None, and what it counts."""

    FILES_ARRIVED = "FilesArrived", "Count", None, "object versions that start_run let join a run"
    MALFORMED_MESSAGES = "MalformedMessages", "Count", None, "messages of the arrivals queue that are not events of S3"
    FILES_PER_RUN = "FilesPerRun", "Count", None, "files of a run that starts to work"
    OLDEST_FILE_AGE = "OldestFileAge", "Seconds", None, "since the run that collects files opened"
    COMPLAINTS_TO_SCORE = "ComplaintsToScore", "Count", None, "accepted rows without a label"
    LABELLED_ROWS = "LabelledRows", "Count", None, "labelled rows that a run adds"
    MODELS_WAITING = "ModelsWaiting", "Count", None, "versions above the serving one that wait for a person's approval"
    CANDIDATES_PROMOTED = "CandidatesPromoted", "Count", None, "1 if a run's candidate serves, else 0"
    RUNS = "Runs", "Count", None, "runs that ended, whatever their status"
    ROWS_READ = "RowsRead", "Count", None, "data rows of a run"
    ROWS_ACCEPTED = "RowsAccepted", "Count", None, "of them, learned from or scored"
    ROWS_REJECTED = "RowsRejected", "Count", None, "of them, with a reason code"
    ROWS_DUPLICATE = "RowsDuplicate", "Count", None, "of them, the same complaint as another"
    REJECT_SHARE = "RejectShare", "Percent", None, "rejected rows of a run's rows"
    COMPLAINTS_CLASSIFIED = "ComplaintsClassified", "Count", None, "complaints that the model answered"
    REVIEW_SHARE = "ReviewShare", "Percent", None, "answers of a run that a person should read"
    MEAN_CONFIDENCE = "MeanConfidence", "Percent", None, "of a run's answers"
    DRIFT = "Drift", "None", KIND, "population stability index of a run against held-out rows, per distribution"
    DRIFT_TIMES_THRESHOLD = (
        "DriftTimesThreshold",
        "None",
        None,
        "the largest of them as a multiple of its threshold: 1 is drift",
    )
    LIVE_ACCURACY = (
        "LiveAccuracy",
        "Percent",
        None,
        "answers that people confirmed, of the newest version of which enough were checked",
    )
    LIVE_ACCURACY_FALL = (
        "LiveAccuracyFall",
        "Percent",
        None,
        "percentage points by which it is below that on held-out complaints; 0 if chance explains it",
    )
    NEW_THEMES = "NewThemes", "Count", None, "new themes among a run's complaints"
    RUN_COST = "RunCost", "None", None, "USD, estimated from list prices"
    MONTH_COST = "MonthCost", "None", None, "USD of all runs that ended in the calendar month (UTC) so far"
    RUN_DURATION = "RunDuration", "Seconds", None, "from start to end, waiting included"
    STATE_DURATION = "StateDuration", "Seconds", STATE, "time in each state that works"

    def __init__(self, title: str, unit: str, dimension: str | None, description: str) -> None:
        self.title = title
        self.unit = unit
        self.dimension = dimension
        self.description = description

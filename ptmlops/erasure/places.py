"""Every place in the buckets: how rows are read there, or why there are none. The first pattern that fits a key decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import fnmatchcase

from ptmlops_contracts import keys
from ptmlops_contracts.keys import ANY_RUN, ModelKeys, OutputKeys, PreparedKeys
from ptmlops_contracts.report import SPLITS


class Rows(Enum):
    """How the rows of an object are read."""

    UPLOAD = auto()
    PARQUET = auto()
    LINES = auto()  # JSON Lines
    LIST = auto()  # a CSV or a workbook that Publish makes
    QUERY = auto()  # what Athena wrote: CSV, Parquet, or anything else
    REVIEW_PAGE = auto()
    REPORT_PAGE = auto()
    UNKNOWN = auto()  # nothing of ours: searched as bytes


@dataclass(frozen=True)
class Place:
    """A place in a bucket.

    Attributes:
        bucket: the stack output that names the bucket.
        pattern: of the keys; `*` also stands for slashes.
        what: what is there.
        rows: how rows are read; None if there are none.
        why_none: the reason then.
        form: in which form personal data is there.
        days: how long it is kept: a key of `[retention]`, or a sentence.
    """

    bucket: str
    pattern: str
    what: str
    rows: Rows | None = None
    why_none: str = ""
    form: str = ""
    days: str = ""


RAW, PREPARED, MODELS, OUTPUT = "RawBucketName", "PreparedBucketName", "ModelsBucketName", "OutputBucketName"
BUCKETS = (RAW, PREPARED, MODELS, OUTPUT)  # in this order, because rows of uploads and records lead to the others
_prepared, _models = PreparedKeys(ANY_RUN), ModelKeys(ANY_RUN)


class _AnyOutput(OutputKeys):
    """Keys of any run, whose date is not known."""

    @property
    def predictions(self) -> str:
        return f"{keys.PREDICTIONS}*"

    @property
    def history(self) -> str:
        return f"{keys.RUN_HISTORY}*"


_output = _AnyOutput(ANY_RUN)
_COUNTS = "counts, names of uploads and columns; kept in step with the rows"

_THEMES = "words of new themes, each in five complaints or more"
_REDACTED = "redacted texts and cells"
_RUN, _LABELLED, _RESULTS, _MODELS = "prepared_days", "labelled_days", "results_days", "models_days"
_KEPT = "kept"


def _free(bucket: str, pattern: str, what: str, why_none: str, days: str) -> Place:
    return Place(bucket, pattern, what, why_none=why_none, days=days)


PLACES: tuple[Place, ...] = (
    Place(RAW, "*", "uploaded files", Rows.UPLOAD, form="as uploaded", days="raw_days"),
    _free(PREPARED, "*/_SUCCESS", "Spark's markers", "empty", _RUN),
    Place(PREPARED, f"{_prepared.records}*", "records of a run", Rows.PARQUET, form=_REDACTED, days=_RUN),
    Place(PREPARED, f"{_prepared.rejected}*", "rejected rows of a run", Rows.PARQUET, form=_REDACTED, days=_RUN),
    Place(PREPARED, f"{_prepared.to_score}*", "complaints to score", Rows.LINES, form="redacted texts, ids", days=_RUN),
    Place(PREPARED, f"{_prepared.scored}*", "answers of the model", Rows.LINES, form="ids", days=_RUN),
    Place(PREPARED, f"{_prepared.labels_folder}*", "labels to check", Rows.LINES, form="redacted texts, ids", days=_RUN),
    _free(PREPARED, _prepared.manifest, "manifest of a run", _COUNTS, _RUN),
    _free(PREPARED, _prepared.report, "report of Prepare", _COUNTS, _RUN),
    _free(PREPARED, _prepared.published, "copy of the marker of Publish", f"{_COUNTS}; {_THEMES}", _RUN),
    _free(PREPARED, _prepared.request, "request for Evaluate", "settings and labels", _RUN),
    _free(PREPARED, f"{_prepared.plan}*", "manifests for SageMaker", "keys of objects", _RUN),
    _free(PREPARED, _prepared.complete, "marks of labelled rows", _COUNTS, _LABELLED),
    *(
        Place(PREPARED, f"{keys.labelled_folder(kind)}*", "labelled rows", Rows.LINES, form="redacted texts, ids", days=_LABELLED)
        for kind in (*SPLITS, keys.RARE)
    ),
    Place(PREPARED, f"{keys.labelled_folder(keys.INDEX)}*", "index of labelled rows", Rows.PARQUET, form="hashes of texts", days=_LABELLED),
    _free(PREPARED, f"{keys.ERASURE_RECORDS}*", "records of erasures", "counts and keyed hashes", "erasure_days"),
    _free(PREPARED, f"{keys.UNFINISHED_ERASURES}*", "plans of erasures", "positions", "until the erasure ends"),
    _free(PREPARED, keys.ERASURE_KEY, "secret key of the hashes in these records", "a key", _KEPT),
    _free(MODELS, _models.evaluation_document, "evaluation", "numbers per label", _MODELS),
    Place(MODELS, _models.answers, "answers to held-out rows", Rows.LINES, form="ids, hashes of texts", days=_MODELS),
    _free(MODELS, _models.term_profile, "terms of uncertain training rows", "counts of hashed words", _MODELS),
    _free(MODELS, _models.promotion, "decision of the gate", "numbers and keys", _MODELS),
    _free(MODELS, f"{_models.evaluation}*", "plots of an evaluation", "numbers", _MODELS),
    _free(
        MODELS, f"{_models.training}*", "models", "weights of words of redacted texts; `--retrain` replaces models that learned from the rows",
        _MODELS,
    ),
    _free(MODELS, f"{_models.checkpoints}*", "checkpoints of training", "scores without texts or ids", _MODELS),
    _free(MODELS, f"{keys.DECISIONS}*", "decisions of people about models", "who decided, when and why", _KEPT),
    _free(MODELS, f"{keys.CODE}*", "code of training", "code", _KEPT),
    Place(OUTPUT, f"{_output.predictions}*", "predictions table", Rows.PARQUET, form="redacted texts, ids", days=_RESULTS),
    Place(OUTPUT, f"{_output.exports}*", "exports", Rows.LIST, form=_REDACTED, days=_RESULTS),
    Place(OUTPUT, _output.review_page, "review page", Rows.REVIEW_PAGE, form="redacted texts, ids", days=_RESULTS),
    Place(OUTPUT, f"{_output.review_folder}*", "review lists and labels to check", Rows.LIST, form="redacted texts, ids", days=_RESULTS),
    Place(OUTPUT, f"{_output.rejected_folder}*", "lists of rejected rows", Rows.LIST, form=_REDACTED, days=_RESULTS),
    Place(OUTPUT, _output.report_page, "examples in reports", Rows.REPORT_PAGE, form="140 characters of redacted texts", days=_RESULTS),
    _free(OUTPUT, _output.marker, "marker of Publish", f"{_COUNTS}; {_THEMES}", _RESULTS),
    _free(OUTPUT, _output.document, "run.json", f"counts; {_THEMES}", _RESULTS),
    _free(OUTPUT, f"{_output.history}*", "history of runs", f"counts; {_THEMES}", _KEPT),
    _free(OUTPUT, f"{keys.QUERY_RESULTS}*.metadata", "metadata of query results", "names and types of columns", "30 days"),
    Place(OUTPUT, f"{keys.QUERY_RESULTS}*", "results of queries", Rows.QUERY, form="whatever was asked for: redacted", days="30 days"),
)  # fmt: skip


def place_of(bucket: str, key: str) -> Place:
    """Return the place of an object. What is in no place is searched as bytes."""
    found = next((place for place in PLACES if place.bucket == bucket and fnmatchcase(key, place.pattern)), None)
    return found or Place(bucket, key, "objects that are not the pipeline's", Rows.UNKNOWN)

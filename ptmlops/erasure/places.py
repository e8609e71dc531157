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
    """

    bucket: str
    pattern: str
    what: str
    rows: Rows | None = None
    why_none: str = ""


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

PLACES: tuple[Place, ...] = (
    Place(RAW, "*", "uploaded files", Rows.UPLOAD),
    Place(PREPARED, "*/_SUCCESS", "Spark's markers", why_none="empty"),
    Place(PREPARED, f"{_prepared.records}*", "records of a run", Rows.PARQUET),
    Place(PREPARED, f"{_prepared.rejected}*", "rejected rows of a run", Rows.PARQUET),
    Place(PREPARED, f"{_prepared.to_score}*", "complaints to score", Rows.LINES),
    Place(PREPARED, f"{_prepared.scored}*", "answers of the model", Rows.LINES),
    Place(PREPARED, _prepared.manifest, "manifest of a run", why_none=_COUNTS),
    Place(PREPARED, _prepared.report, "report of Prepare", why_none=_COUNTS),
    Place(PREPARED, _prepared.published, "marker of Publish", why_none=_COUNTS),
    Place(PREPARED, _prepared.request, "request for Evaluate", why_none="settings and labels"),
    Place(PREPARED, f"{_prepared.plan}*", "manifests for SageMaker", why_none="keys of objects"),
    Place(PREPARED, _prepared.complete, "marks of labelled rows", why_none=_COUNTS),
    *(Place(PREPARED, f"{keys.labelled_folder(kind)}*", "labelled rows", Rows.LINES) for kind in (*SPLITS, keys.RARE)),
    Place(PREPARED, f"{keys.labelled_folder(keys.INDEX)}*", "index of labelled rows", Rows.PARQUET),
    Place(PREPARED, f"{keys.ERASURES}*", "records of erasures", why_none="counts, positions and keyed hashes"),
    Place(MODELS, _models.labels_to_check, "labels to check, with texts", Rows.LINES),
    Place(MODELS, _models.evaluation_document, "evaluation", why_none="numbers per label"),
    Place(MODELS, _models.promotion, "decision of the gate", why_none="numbers and keys"),
    Place(MODELS, f"{_models.evaluation}*", "plots of an evaluation", why_none="numbers"),
    Place(MODELS, f"{_models.training}*", "models", why_none="weights of words; `--retrain` replaces models that learned from the rows"),
    Place(MODELS, f"{_models.checkpoints}*", "checkpoints of training", why_none="scores without texts or ids"),
    Place(MODELS, f"{keys.CODE}*", "code of training", why_none="code"),
    Place(OUTPUT, f"{_output.predictions}*", "predictions table", Rows.PARQUET),
    Place(OUTPUT, f"{_output.exports}*", "exports", Rows.LIST),
    Place(OUTPUT, _output.review_page, "review page", Rows.REVIEW_PAGE),
    Place(OUTPUT, f"{_output.review_folder}*", "review lists and labels to check", Rows.LIST),
    Place(OUTPUT, f"{_output.rejected_folder}*", "lists of rejected rows", Rows.LIST),
    Place(OUTPUT, _output.report_page, "report, with example texts", Rows.REPORT_PAGE),
    Place(OUTPUT, _output.marker, "marker of Publish", why_none=_COUNTS),
    Place(OUTPUT, _output.document, "run.json", why_none="counts"),
    Place(OUTPUT, f"{_output.history}*", "history of runs", why_none="counts"),
    Place(OUTPUT, f"{keys.QUERY_RESULTS}*.metadata", "metadata of query results", why_none="names and types of columns"),
    Place(OUTPUT, f"{keys.QUERY_RESULTS}*", "results of queries", Rows.QUERY),
)  # fmt: skip


def place_of(bucket: str, key: str) -> Place:
    """Return the place of an object. What is in no place is searched as bytes."""
    found = next((place for place in PLACES if place.bucket == bucket and fnmatchcase(key, place.pattern)), None)
    return found or Place(bucket, key, "objects that are not the pipeline's", Rows.UNKNOWN)

"""What Publish and Record leave in the output bucket: published.json and run.json."""

from __future__ import annotations

from typing import Annotated, TypedDict

from ptmlops_contracts.codes import Code
from ptmlops_contracts.live import LiveAccuracy
from ptmlops_contracts.report import Note, Rows

RUN_VERSION = 1
# The error of an execution that `ptmlops cancel` stopped.
CANCELLED_ERROR = "Cancelled"


class RunStatus(Code):
    """How an execution ended, as Step Functions names it."""

    SUCCEEDED = "SUCCEEDED", "The run did what it planned."
    FAILED = "FAILED", "A state failed; `error` says which and why. The run can be redriven."
    TIMED_OUT = "TIMED_OUT", "The run took longer than the state machine allows."
    ABORTED = "ABORTED", "A person stopped the run."


ENDED = tuple(status.value for status in RunStatus)


class ExportStatus(Code):
    """`ptmlops_status` of a line of an export."""

    SCORED = "scored", "The model answered."
    DUPLICATE = "duplicate", "The row is the same complaint as another of the run, whose answer it carries."
    LABELLED = "labelled", "The row came with its label."
    REJECTED = "rejected", "The row was rejected; `ptmlops_reason` says why."
    NOT_SCORED = "not scored", "The model did not answer."


class Export(TypedDict):
    """What was written of one uploaded file."""

    source_file: Annotated[str, "key in the raw bucket"]
    source_version: str
    rows: Annotated[int, "lines, one per row of the file"]
    keys: Annotated[list[str], "keys of the CSV in the output bucket; more than one if the file is large"]
    excel_keys: Annotated[list[str], "keys of the Excel workbooks with the same rows; empty with `results.excel = false`"]


class NewTheme(TypedDict):
    """Complaints that resemble each other, and none of the training rows."""

    theme: Annotated[str, "its name: the value of the column `theme` of the table `predictions`"]
    complaints: Annotated[int, "different complaints; an estimate if the run has over 20,000 uncertain ones"]
    terms: Annotated[list[str], "its most distinctive words, at most 5"]


class _Published(TypedDict):
    run_id: str
    scored: Annotated[int, "complaints that the model answered"]
    needs_review: Annotated[int, "answers that a person should read"]
    not_answered: Annotated[int, "complaints that the model could not answer"]
    audit: Annotated[int, "answers drawn at random for review"]
    categories: Annotated[dict[str, int], "complaints per label"]
    exports: list[Export]
    files: Annotated[list[str], "keys of every file"]


class Published(_Published, total=False):
    """published.json: the files that Publish wrote. A reader takes those that it lists, and no others.

    Runs of version 0.2.0 have none of the fields from `medians` on.
    """

    medians: Annotated[dict[str, float], "median amount per currency"]
    model_version: Annotated[str, "version of the model package that answered"]
    confidence: Annotated[float | None, "mean confidence of the answers; null without answers"]
    drift: Annotated[
        dict[str, float | None],
        "population stability index of categories, languages, length, confidence and vocabulary against the model's held-out rows; null "
        "if there are too few rows",
    ]
    drift_thresholds: Annotated[dict[str, float | None], "index from which on each is drift, for so many complaints"]
    drifted: Annotated[list[str], "what has drifted, the farthest first"]
    doubtful_sample: Annotated[int, "answers that need review, and that the review list has drawn at random"]
    live_accuracy: Annotated[
        list[LiveAccuracy], "how often people confirmed answers, per model version; the newest version first"
    ]
    themes: Annotated[list[NewTheme], "new themes, the most significant first"]


class ModelInUse(TypedDict):
    """The model in use at the end of the run; both null if there is none."""

    version: int | None
    macro_f1: Annotated[float | None, "macro-F1 on held-out complaints"]


class PromotionSummary(TypedDict):
    """What the gate decided; decision `none` if the run did not train."""

    decision: str
    reasons: list[str]


class ReadColumns(TypedDict):
    """Files of the run that were read with the same columns."""

    files: Annotated[int, "how many files have these columns"]
    columns: Annotated[
        dict[str, str], "the files' column for each of ours: `text`, `subject`, `label`, `complaint_id`, `received_at`"
    ]


class Part(Code):
    """A part of a run that is paid for."""

    PREPARE = "prepare", "The Glue job that prepares the files."
    TRAINING = "training", "The tuning job with all of its training jobs."
    EVALUATION = "evaluation", "The processing job that compares the candidate with the champion."
    SCORING = "scoring", "The Batch Transform job."
    PUBLISH = "publish", "The Glue job that publishes the results."


class JobCost(TypedDict):
    """What one job cost. A retry and a redrive start another job."""

    part: Annotated[str, "prepare, training, evaluation, scoring or publish"]
    job: Annotated[str, "name of the SageMaker job, or id of the Glue job run"]
    statuses: Annotated[
        dict[str, int],
        "jobs per status, as the service names it: those of a tuning job are its training jobs; `Deleted` if it is gone",
    ]
    instance: Annotated[str | None, "instance type; null for Glue"]
    seconds: Annotated[float, "billed seconds: of all instances, or of all data processing units (DPU) of Glue"]
    usd: Annotated[float | None, "estimated from list prices; null if a price is not known"]


class PriceBasis(TypedDict):
    """The list prices that the estimate uses."""

    region: Annotated[str, "region of the prices"]
    recorded: Annotated[str, "day of the oldest price list"]
    run_region: Annotated[str, "region of the run; if it is another one, its prices are not known, and differ"]


class Failure(TypedDict):
    """Where and why a run ended."""

    state: str
    error: str
    message: Annotated[str, "the job's own words, at most 1,000 characters"]


class _Ended(TypedDict):
    schema_version: Annotated[int, "version of this document"]
    run_id: str
    status: Annotated[str, "SUCCEEDED, FAILED, TIMED_OUT or ABORTED"]
    rows: Rows
    rejects: Annotated[dict[str, int], "rejected rows per reason code"]
    files: Annotated[int, "files of the run; each sheet of a workbook and each file of a zip archive counts"]
    files_refused: Annotated[int, "files of which so many rows were rejected that all were"]
    files_not_tables: Annotated[int, "files and sheets that are not tables, such as images: they have no rows"]
    columns: Annotated[list[ReadColumns], "which columns were read, the most frequent first; at most 20"]
    notes: Annotated[list[Note], "what a person should know about the files; at most 100"]
    model: ModelInUse
    trained: Annotated[bool, "the run trained a model"]
    training_reason: Annotated[str, "why the run trained or did not; empty if it ended before it was planned"]
    promoted: Annotated[bool, "that model serves"]
    promotion: PromotionSummary
    published: Annotated[bool, "the results are complete: published.json lists their files"]
    scored: Annotated[int, "complaints that the model answered"]
    needs_review: Annotated[int, "answers that a person should read"]
    not_answered: Annotated[int, "complaints that the model could not answer"]
    confidence: Annotated[float | None, "mean confidence of the answers; null without answers"]
    drift: Annotated[
        dict[str, float | None], "population stability index per distribution, as in published.json; empty without answers"
    ]
    drift_thresholds: Annotated[dict[str, float | None], "as in published.json"]
    drifted: Annotated[list[str], "as in published.json: a reason to label complaints and to train"]
    live_accuracy: Annotated[list[LiveAccuracy], "as in published.json: measured by this run or an earlier one"]
    themes: Annotated[list[NewTheme], "new themes, as in published.json"]
    versions: Annotated[dict[str, str | int], "versions of Prepare, redaction, Spark and Python"]
    started_at: Annotated[str, "ISO 8601, UTC"]
    finished_at: Annotated[str, "ISO 8601, UTC"]
    seconds: Annotated[float, "from start to end, waiting included"]
    states: Annotated[dict[str, float], "seconds per state"]
    jobs: Annotated[
        list[JobCost], "every job that ran, failed, stopped, retried and redriven ones too, in the order of their start"
    ]
    cost: Annotated[dict[str, float | None], "USD per part, estimated from list prices; null if a price is not known"]
    prices: PriceBasis
    cost_usd: Annotated[float, "USD of all jobs whose price is known, estimated from list prices"]


class RunDocument(_Ended, total=False):
    """run.json. `error` is absent if the run succeeded."""

    error: Failure

"""Every S3 key of the pipeline, built and parsed. No other file knows the layout of a bucket.

Folders end in a slash. `PreparedKeys(ANY_RUN)` gives the patterns of IAM policies, `PreparedKeys(RUN_PLACEHOLDER)` those of
`States.Format` in the state machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from ptmlops_contracts.report import SPLITS
from ptmlops_contracts.run_ids import run_date

ANY_RUN = "*"
RUN_PLACEHOLDER = "{}"

# Top-level folders. Prepared bucket:
RUNS, LABELLED = "runs/", "labelled/"
COMPLETE = f"{LABELLED}complete/"
# What `ptmlops forget` writes: plans of erasures under way, and records of those that ended.
ERASURES = "erasures/"
UNFINISHED_ERASURES, ERASURE_RECORDS, ERASURE_KEY = f"{ERASURES}unfinished/", f"{ERASURES}records/", f"{ERASURES}key"
# Labelled rows lie in one folder per split; those of rare labels and the index of near-copies lie beside them.
RARE, INDEX = "rare", "index"
# Models bucket:
TRAINING, CHECKPOINTS, EVALUATIONS, CODE = "training/", "checkpoints/", "evaluations/", "code/"
DECISIONS = "decisions/"  # what people decided about versions of the model (`decision_key`)
# Output bucket (RUNS, too):
PREDICTIONS, EXPORTS, REVIEW, REJECTED = "predictions/", "exports/", "review/", "rejected/"
RUN_HISTORY, QUERY_RESULTS = "run_history/", "athena/"
# What Publish writes: never the results of queries, or the history of runs.
PUBLISHED_FOLDERS = (PREDICTIONS, EXPORTS, REVIEW, REJECTED, RUNS)

# The code of training and evaluation in the models bucket. The address is the same after every deployment.
TRAINING_CODE_FILE = "sourcedir.tar.gz"
TRAINING_CODE = f"{CODE}training/{TRAINING_CODE_FILE}"
EVALUATION_FILE = "evaluation.json"
ANSWERS_FILE = "answers.jsonl"
# Beside it: counts of the terms of uncertain training rows, with which Publish looks for new themes.
TERM_PROFILE_FILE = "term_profile.npz"
LABELS_TO_CHECK_FILE = "labels_to_check.jsonl"
RUN_DATE = "run_date"  # the column that the catalog's tables are partitioned by
_RUN = "run_id="
_LABELLED_PART = re.compile(rf"{LABELLED}([^/]+)/{_RUN}([^/]+)/part-[^/]+")


class PreparedKeys:
    """Keys of one run in the prepared bucket.

    Attributes:
        folder: everything that belongs to this run alone, and expires with it.
        manifest: the run's files (`ledger.Manifest`).
        report: report.json (`report.Report`), written last by Prepare: without it the run is not complete.
        records, rejected: Parquet folders of accepted or duplicate rows, and of rejected rows.
        to_score, scored: JSON Lines folders, in and out of Batch Transform.
        plan: folder of what Plan wrote: manifests for SageMaker, and `request` for Evaluate (`state.EvaluationRequest`).
        labels_folder: folder of `labels_to_check`, which Evaluate writes: rows whose label is probably wrong (`review.LabelToCheck`), the
            most doubtful first. Here and not beside the evaluation, because it has texts, and evaluations do not expire.
        published: a copy of published.json (`run.Published`), from which Record takes its counts.
        complete: marks the run's labelled rows as complete, with their counts and `redaction_version`; outlives `folder`, as the rows do.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.folder = f"{RUNS}{run_id}/"
        self.manifest = f"{self.folder}manifest.json"
        self.report = f"{self.folder}report.json"
        self.records = f"{self.folder}records/"
        self.rejected = f"{self.folder}rejected/"
        self.to_score = f"{self.folder}to_score/"
        self.scored = f"{self.folder}scored/"
        self.plan = f"{self.folder}plan/"
        self.request = f"{self.plan}request.json"
        self.labels_folder = f"{self.folder}labels_to_check/"
        self.labels_to_check = f"{self.labels_folder}{LABELS_TO_CHECK_FILE}"
        self.published = f"{self.folder}publish.json"
        self.complete = f"{COMPLETE}{run_id}.json"

    def labelled(self, kind: str) -> str:
        """Return the folder of the run's labelled rows of a split, or of RARE or INDEX."""
        return f"{labelled_folder(kind)}{_RUN}{self.run_id}/"

    def split_manifest(self, split: str) -> str:
        """Return the key of the SageMaker ManifestFile that lists a split's labelled rows of all runs."""
        return f"{self.plan}{split}.manifest"


def labelled_folder(kind: str) -> str:
    """Return the folder of all runs' labelled rows of a split, or of RARE or INDEX."""
    return f"{LABELLED}{kind}/"


def labelled_folders(run_id: str) -> list[str]:
    """Return the folders of a run's labelled rows: each split, rare labels, index."""
    return [PreparedKeys(run_id).labelled(kind) for kind in (*SPLITS, RARE, INDEX)]


def run_of_labelled_part(key: str) -> str | None:
    """Return the run whose labelled rows a data file holds, or None for a marker or any other key."""
    match = _LABELLED_PART.fullmatch(key)
    return match[2] if match else None


def run_of_complete(key: str) -> str:
    """Return the run whose labelled rows `key` marks as complete."""
    return key[len(COMPLETE) : -len(".json")]


def run_of_folder(name: str) -> str | None:
    """Return the run whose labelled rows a folder of this name holds, or None."""
    return name[len(_RUN) :] if name.startswith(_RUN) else None


def run_folder_id(prefix: str) -> str:
    """Return the run of `runs/<run>/` (prepared bucket) or `runs/run_id=<run>/` (output bucket)."""
    name = prefix[len(RUNS) :].split("/", 1)[0]
    return run_of_folder(name) or name


class ModelKeys:
    """Keys of one run in the models bucket.

    Attributes:
        training: folder of the run's training jobs.
        checkpoints: folder that jobs on spot capacity continue from.
        evaluation: folder of Evaluate's output: `evaluation_document` (`evaluation.Evaluation`) and plots.
        answers: answers.jsonl, the candidate's answer to each held-out row (`evaluation.HeldOutAnswer`). Absent in 0.2.0 and earlier.
        evaluation: folder of Evaluate's output: `evaluation_document` (`evaluation.Evaluation`), `term_profile` and plots.
        promotion: promotion.json, the gate's decision and every number behind it.
    """

    def __init__(self, run_id: str) -> None:
        self.training = f"{TRAINING}{run_id}/"
        self.checkpoints = f"{CHECKPOINTS}{run_id}/"
        self.evaluation = f"{EVALUATIONS}{run_id}/"
        self.evaluation_document = f"{self.evaluation}{EVALUATION_FILE}"
        self.answers = f"{self.evaluation}{ANSWERS_FILE}"
        self.term_profile = f"{self.evaluation}{TERM_PROFILE_FILE}"
        self.promotion = f"{self.evaluation}promotion.json"

    def artifact(self, training_job: str) -> str:
        """Return the key of the model that a training job of the run made."""
        return f"{self.training}{training_job}/output/model.tar.gz"


def decisions_folder(version: int) -> str:
    """Return the folder of the decisions of people about a version of the model, in the models bucket."""
    return f"{DECISIONS}v{version}/"


def decision_key(version: int, at: str) -> str:
    """Return the key of a decision that was made at a time (ISO 8601)."""
    return f"{decisions_folder(version)}{at}.json"


class OutputKeys:
    """Keys of one run in the output bucket.

    Attributes:
        folder: the run's documents.
        report_page: report.html, the run for people.
        marker: published.json (`run.Published`), last of Publish: readers take a run's files only if it exists.
        document: run.json (`run.RunDocument`), last of all, by Record.
        exports, review_folder, rejected_folder: folders of files for people.
        review, rejected: the list to review, and the rejected rows.
        review_page: review.html, the list for a browser.
        review_workbook: the list to review for Excel.
        labels_to_check: labelled rows whose label is probably wrong.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.folder = f"{RUNS}{_RUN}{run_id}/"
        self.report_page = f"{self.folder}report.html"
        self.marker = f"{self.folder}published.json"
        self.document = f"{self.folder}run.json"
        self.exports = f"{EXPORTS}{_RUN}{run_id}/"
        self.review_folder = f"{REVIEW}{_RUN}{run_id}/"
        self.review = f"{self.review_folder}review.csv"
        self.review_page = f"{self.review_folder}review.html"
        self.review_workbook = f"{self.review_folder}review.xlsx"
        self.labels_to_check = f"{self.review_folder}labels_to_check.csv"
        self.rejected_folder = f"{REJECTED}{_RUN}{run_id}/"
        self.rejected = f"{self.rejected_folder}rejected.csv"

    @property
    def predictions(self) -> str:
        """The run's folder in the catalog's table `predictions`."""
        return f"{PREDICTIONS}{RUN_DATE}={run_date(self.run_id)}/{_RUN}{self.run_id}/"

    @property
    def history(self) -> str:
        """run.json on one line, for the catalog's table `runs`."""
        return f"{RUN_HISTORY}{RUN_DATE}={run_date(self.run_id)}/{self.run_id}.json"

    @property
    def rewritten_folders(self) -> tuple[str, ...]:
        """The folders in which Publish deletes the objects of an earlier attempt. Spark overwrites `predictions` itself."""
        return (self.exports, self.review_folder, self.rejected_folder, self.folder)


OUTPUT_RUNS = f"{RUNS}{_RUN}"  # prefix of the output bucket's `OutputKeys.folder`


def training_rows_manifest(bucket: str, keys: Iterable[str]) -> list[object]:
    """Return a SageMaker ManifestFile (S3DataSource of its API): a prefix, then the keys below it."""
    return [{"prefix": s3_uri(bucket)}, *keys]


def learned_runs(trained_by: str, manifests: Iterable[Sequence[Any] | None], candidates: Iterable[str]) -> set[str]:
    """Return those of the candidates whose labelled rows the version that a run trained has learned from.

    A run's id tells when it opened, not when it was learned from: of two runs at the same time, the later one may train first. But if
    a manifest has expired, the version may have learned from every run that opened before it.

    Args:
        trained_by: the run that trained the version.
        manifests: its manifest of each split in `LEARNED_SPLITS`, or None if it has expired.
        candidates: run ids.
    """
    found: set[str] = set()
    for manifest in manifests:
        if manifest is None:
            return {run for run in candidates if run <= trained_by}
        found |= runs_of_manifest(manifest)
    return found.intersection(candidates)


def runs_of_manifest(manifest: Sequence[Any]) -> set[str]:
    """Return the runs whose labelled rows a `training_rows_manifest` names."""
    return {run for key in manifest[1:] if (run := run_of_labelled_part(key))}


def s3_uri(bucket: str, key: str = "") -> str:
    """Return `s3://bucket/key`."""
    return f"s3://{bucket}/{key}"


def parse_s3_uri(uri: str) -> tuple[str, str]:
    """Split `s3://bucket/key` into (bucket, key).

    Raises:
        ValueError: `uri` has another form.
    """
    match = re.fullmatch(r"s3://([^/]+)/(.*)", uri, re.DOTALL)
    if match is None:
        raise ValueError(f"not an S3 URI: {uri!r}")
    return match[1], match[2]

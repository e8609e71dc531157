"""A trial from two files to predictions.csv, labels_to_check.csv and evaluation.json.

Prepare runs in a Spark process of its own. The entry scripts of training/ are called as functions, on folders with the layout
that the jobs see (docs/contracts.md).
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptmlops.source_roots import add_source_roots_to_path
from ptmlops.trial import checks, learning, scoring
from ptmlops.trial.notes import notes_on, unread_dates
from ptmlops.trial.preparation import preparing
from ptmlops_contracts.keys import ANY_RUN, PreparedKeys
from ptmlops_contracts.words import accounting
from stacks.config import Settings

# Opens a step that a person watches. It yields the function that reports what happens in the step.
Step = Callable[[str], AbstractContextManager[Callable[[str], None]]]

# What evaluation.json repeats of Prepare's report.
REPORTED = (
    "rows", "labels", "rare_labels", "unknown_labels", "blank_labels", "conflicting_texts", "rejects", "min_label_rows",
)  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """The content of evaluation.json, and the files written."""

    document: dict[str, Any]
    files: list[Path]


def run(
    labelled: Path,
    score: Path | None,
    out: Path,
    settings: Settings,
    step: Step,
    *,
    overwrite: bool = False,
    named: Mapping[str, str] = checks.NOTHING_NAMED,
) -> Trial:
    """Prepare, train, evaluate, train again on all rows, score.

    Args:
        labelled: complaints with their labels.
        score: complaints to classify. Labels in it are neither read nor learned from.
        out: the folder for the results, created if missing.
        settings: the environment's settings.
        step: shows progress.
        overwrite: replace the results of an earlier trial in `out`.
        named: the columns that the person named, by column of ours. The file to score need not have them.

    Raises:
        OperatorError: the files or the folder cannot be used.
    """
    started = time.monotonic()
    add_source_roots_to_path()
    checks.check_table(labelled, settings, needs_label=True, named=named)
    score_named = checks.named_in(score, settings, named) if score else {}
    if score:
        checks.check_table(score, settings, needs_label=False, named=score_named)
    checks.check_folder(out, [path for path in (labelled, score) if path], overwrite=overwrite)
    files = [("labelled", labelled, named)] + ([("score", score, score_named)] if score else [])
    with tempfile.TemporaryDirectory(prefix="ptmlops-try-", ignore_cleanup_errors=True) as scratch:
        base = Path(scratch)
        with preparing(base, files, settings) as preparation:
            with step("Prepare") as report_progress:
                preparation.wait_for("labelled")
                report = _prepare_report(base / "labelled")
                usable, rare = len(report["labels"]), len(report["rare_labels"])
                columns = {"labelled": columns_read(report)}
                checks.check_labels(labelled, settings, column=columns["labelled"]["label"], enough=usable, rare=rare)
                report_progress(accounting(report["rows"]))
            # Spark prepares the file to score meanwhile.
            document = learning.train_and_evaluate(base, settings, report, step)
            if score:
                with step("Score") as report_progress:
                    preparation.wait_for("score")
                    score_report = _prepare_report(base / "score")
                    columns["score"] = columns_read(score_report)
                    predictions = base / checks.PREDICTIONS
                    document["scored"] = scoring.score(base, score, predictions, settings, report_progress, named=score_named)
                document["notes"] += filter(None, [unread_dates(score_report, "the file to score")])
        document["columns"] = columns
        document["data"] = {name: report[name] for name in REPORTED}
        document["notes"] += notes_on(report, document, settings)
        document["seconds"] = round(time.monotonic() - started, 1)
        text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
        (base / checks.EVALUATION).write_text(text, encoding="utf-8")
        return Trial(document, _publish_results(base, out))


def _publish_results(base: Path, out: Path) -> list[Path]:
    """Copy the results of a trial that has ended from its folder to `out`, each in one step. Returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    published = []
    for name in checks.RESULTS:
        if not (base / name).exists():
            (out / name).unlink(missing_ok=True)  # of an earlier trial, whose evaluation is replaced below
            continue
        part = out / f".{name}.part"
        try:
            shutil.copyfile(base / name, part)
            part.replace(out / name)
        finally:
            part.unlink(missing_ok=True)
        published.append(out / name)
    return published


def columns_read(report: Mapping[str, Any]) -> dict[str, str]:
    """Return the file's column for each of ours. Of several tables in a file, the first that has such a column counts."""
    columns: dict[str, str] = {}
    for file in report["files"]:
        columns = {**file["columns"], **columns}
    return columns


def _prepare_report(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(next(folder.glob(PreparedKeys(ANY_RUN).report)).read_text(encoding="utf-8"))
    return report

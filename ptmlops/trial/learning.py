"""Train and evaluate a trial's model as a run does, then train on all rows the model that scores."""

from __future__ import annotations

import contextlib
import json
import logging
import tarfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ptmlops.errors import OperatorError
from ptmlops.trial.checks import LABELS_TO_CHECK
from ptmlops.trial.scoring import write_export
from ptmlops_contracts.keys import labelled_folder
from ptmlops_contracts.report import SPLITS
from ptmlops_contracts.review import LABEL_CHECK_COLUMNS, label_check_cells
from ptmlops_contracts.state import NONE, EvaluationRequest
from ptmlops_contracts.words import quantity
from stacks.config import Settings

if TYPE_CHECKING:
    from ptmlops.trial.flow import Step
    from ptmlops_contracts.review import LabelToCheck


def train_and_evaluate(base: Path, settings: Settings, report: dict[str, Any], step: Step) -> dict[str, Any]:
    """Train, evaluate, and train again on all rows.

    Args:
        base: the trial's folder. `base/labelled` holds the prepared rows; the final model is written to `base/model`.
        settings: the environment's settings.
        report: Prepare's report on the labelled file.
        step: shows progress.

    Returns:
        The document of training/evaluate.py, with the cross-fitted metrics of the final model, the number of labels to check, and a
        note on copies. The labels to check are written to `base`.

    Raises:
        OperatorError: the rows cannot be learned from.
    """
    import evaluate
    from complaint_model import artifact, label_checks
    from complaint_model.artifact import ArtifactError
    from complaint_model.compiled import NumbaError
    from complaint_model.labelled_files import DataError, read_labelled
    from complaint_model.settings import TrainingError
    from train import parse_settings, train

    chosen = settings.training
    parameters = parse_settings(["--seed", str(chosen.seed), "--target_precision", str(chosen.target_precision)])
    inputs = base / "evaluation" / "input"
    _lay_out(inputs, base / "labelled")
    _write_request(inputs, settings)
    train_dir, test_dir = inputs / "train", inputs / "test"
    try:
        with step("Train") as report_progress, _reporting_log(report_progress):
            train(
                parameters,
                train_dir=train_dir / "train",
                validation_dir=train_dir / "validation",
                model_dir=base / "candidate",
                checkpoints=None,
            )
            rows = report["labelled"]["train"] + report["labelled"]["validation"]
            report_progress(f"{quantity(rows, 'row')}, {quantity(len(report['labels']), 'label')}")
        with step("Evaluate") as report_progress:
            (inputs / "candidate").mkdir()
            with tarfile.open(inputs / "candidate" / "model.tar.gz", "w:gz", compresslevel=1) as archive:
                archive.add(base / "candidate", arcname=".")
            document: dict[str, Any]
            document, _ = evaluate.evaluate(base / "evaluation")
            report_progress(quantity(document["holdout"]["rows"], "held-out row"))
        with step("Train on all rows") as report_progress, _reporting_log(report_progress):
            train(parameters, train_dir=train_dir, validation_dir=test_dir, model_dir=base / "model", checkpoints=None)
            final = artifact.load(base / "model")
            about, labels = final.about, final.model.labels
            report_progress(quantity(about["training_rows"], "row"))
    except (TrainingError, NumbaError, DataError, ArtifactError) as error:
        raise OperatorError(str(error)) from None
    to_check = label_checks.labels_to_check(about["doubts"], read_labelled(train_dir, test_dir), labels)
    document["cross_fitted"] = {**about["metrics"], **about["cross_fitted"]}
    document["notes"] += _note_on_copies(train_dir, test_dir)
    document["labels_to_check"] = len(to_check)
    if to_check:
        lines = iter([list(LABEL_CHECK_COLUMNS), *map(label_check_cells, cast("list[LabelToCheck]", to_check))])
        write_export(base / LABELS_TO_CHECK, lines, report["files"][0].get("separator") or ",")
    return document


def _lay_out(inputs: Path, prepared: Path) -> None:
    """Move the prepared splits to where evaluate.py reads: train and validation below train/, the held-out rows in test/."""
    (inputs / "train").mkdir(parents=True)
    for split, folder in zip(SPLITS, ("train/train", "train/validation", "test"), strict=True):
        source = prepared / labelled_folder(split)
        if source.is_dir():
            source.rename(inputs / folder)
        else:
            (inputs / folder).mkdir()


def _write_request(inputs: Path, settings: Settings) -> None:
    request = EvaluationRequest(
        run_id="try",
        champion_version=NONE,
        champion_sha256=NONE,
        champion_runs=[],
        target_precision=settings.training.target_precision,
        max_recall_drop=settings.promotion.max_recall_drop,
        seed=settings.training.seed,
        unfamiliar=[],
    )
    (inputs / "request").mkdir()
    (inputs / "request" / "request.json").write_text(json.dumps(request), encoding="utf-8")


def _note_on_copies(*folders: Path) -> list[str]:
    """Name the labels whose complaints form one near-duplicate group; cross-fitting cannot keep copies apart for them."""
    from complaint_model.labelled_files import read_labelled
    from complaint_model.notes import named

    groups: dict[str, set[str]] = {}
    for row in read_labelled(*folders):
        groups.setdefault(row.label, set()).add(row.group)
    copies = sorted(label for label, own in groups.items() if len(own) == 1)
    message = "labels whose complaints are all near-copies of each other, so that their cross-fitted figures are of copies"
    return [f"{message}: {named(copies)}"] if copies else []


class _ReportingHandler(logging.Handler):
    """A log handler that passes messages to a step's report function."""

    def __init__(self, report_progress: Callable[[str], None]) -> None:
        super().__init__()
        self._report_progress = report_progress

    def emit(self, record: logging.LogRecord) -> None:
        self._report_progress(record.getMessage())


@contextlib.contextmanager
def _reporting_log(report_progress: Callable[[str], None]) -> Generator[None]:
    """Report what the training code logs."""
    handler = _ReportingHandler(report_progress)
    logger = logging.getLogger("complaint_model")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)

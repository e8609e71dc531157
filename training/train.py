"""Training job: train on the train and validation channels, write the model, log the tuning objective.

The objective is macro-F1 by cross-fitting over both channels, which is less noisy than one small validation split. No row is scored by a
model that saw it or a near-duplicate.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NoReturn

from complaint_model import artifact, compiled, evaluation, provenance
from complaint_model.compiled import NumbaError
from complaint_model.cross_fitting import CrossFit
from complaint_model.fit import fit
from complaint_model.label_checks import find_doubts
from complaint_model.labelled_files import DataError, read_labelled
from complaint_model.records import columns_of
from complaint_model.settings import Settings, TrainingError
from complaint_model.term_profile import learn_term_profile

from ptmlops_contracts.job_log import log_json
from ptmlops_contracts.run_ids import run_of_job
from ptmlops_contracts.state import NONE

log = logging.getLogger("train")
SOURCE = Path(__file__).resolve().parent
# Outside of these, nothing is learned, or the same as at the limit.
RANGES: dict[str, tuple[float, float]] = {
    "cost": (1e-4, 1e4),
    "weight_power": (0, 2),
    "bayes_power": (0, 4),
    "min_rows": (1, 1_000_000),
    "folds": (2, 100),
    "target_precision": (1e-6, 1 - 1e-6),
    "seed": (0, 2**32 - 1),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting, so that the reason reaches /opt/ml/output/failure."""
        raise TrainingError(f"hyperparameters: {message}")


def parse_settings(arguments: list[str]) -> Settings:
    """Parse `--name value` pairs. Raises TrainingError for an unknown name, or a value of the wrong type or out of range."""
    parser = _Parser(allow_abbrev=False, add_help=False)
    kinds = {"float": float, "int": int, "str": str}
    for field in fields(Settings):
        parser.add_argument(f"--{field.name}", type=kinds[str(field.type)], default=field.default)
    settings = Settings(**vars(parser.parse_args(arguments)))
    for name, (low, high) in RANGES.items():
        if not low <= getattr(settings, name) <= high:  # also false for NaN
            raise TrainingError(f"hyperparameters: {name} must be between {low:.15g} and {high:.15g}")
    if settings.char_ngrams not in ("auto", "on", "off"):
        raise TrainingError("hyperparameters: char_ngrams must be auto, on or off")
    return settings


def train(
    settings: Settings,
    *,
    train_dir: Path,
    validation_dir: Path,
    model_dir: Path,
    checkpoints: Path | None,
    wheels: Path | None = None,
) -> CrossFit:
    """Train and write the model.

    Args:
        settings: Hyperparameters.
        train_dir: Labelled complaints; `validation_dir` has more of them.
        validation_dir: Trained on, too.
        model_dir: The model is written here.
        checkpoints: Folder that outlives an interrupted job, if there is one.
        wheels: Folder of numba's wheels that the model shall bring, if any.

    Raises:
        TrainingError, DataError, NumbaError: with the reason.
    """
    records = read_labelled(train_dir, validation_dir)
    rows = columns_of(records)
    log.info("%d labelled complaints of %d labels", len(records), len(set(rows.labels)))
    model, crossfit = fit(rows, settings, checkpoints=checkpoints, progress=_progress, report=_report)
    about = {
        "settings": asdict(settings),
        "metrics": {
            "accuracy": crossfit.accuracy,
            "macro_f1": crossfit.macro_f1,
            "macro_f1_standard_error": crossfit.macro_f1_error,
            "expected_calibration_error": crossfit.expected_calibration_error,
            "coverage_at_target_precision": crossfit.coverage,
        },
        "cross_fitted": _cross_fitted(crossfit, model.labels, settings.seed),
        "training_rows": len(records),
        "doubts": find_doubts(crossfit.probabilities, crossfit.labels),
        "data_fingerprint": provenance.fingerprint(rows),
        "code_version": provenance.code_version(SOURCE),
        "numba": compiled.version(),
    }
    profile = learn_term_profile(rows, crossfit.confidence)
    artifact.save(model, about, model_dir, profile=profile, source=SOURCE, wheels=wheels)
    return crossfit


def _cross_fitted(crossfit: CrossFit, labels: Sequence[str], seed: int) -> dict[str, Any]:
    """Return what evaluation.json states of the training rows (ptmlops_contracts.evaluation.CrossFitted)."""
    found = evaluation.figures(
        crossfit.predicted, crossfit.confidence, crossfit.needs_review, crossfit.labels, labels, seed=seed
    )
    return {"rows": len(crossfit.labels), **found}


def _progress(folds: int, macro_f1: float) -> None:
    # The tuning job reads this line, too, to stop a trial early. It takes the last value of a log as the objective.
    log.info("validation macro_f1=%.4f; folds=%d;", macro_f1, folds)


def _report(crossfit: CrossFit) -> None:
    # The tuning job reads this line; docs/contracts.md has its format.
    log.info("validation macro_f1=%.4f; standard_error=%.4f;", crossfit.macro_f1, crossfit.macro_f1_error)
    log.info(
        "accuracy=%.4f; calibration_error=%.4f; coverage=%.4f;",
        crossfit.accuracy,
        crossfit.expected_calibration_error,
        crossfit.coverage,
    )


def main() -> int:
    """Run the job and return the exit code. The reason of a failure goes to output/failure, where SageMaker reads it."""
    # SageMaker sets the variable. The name of a job of a run begins with the run's id.
    log_json(service="train", run_id=run_of_job(os.environ.get("TRAINING_JOB_NAME", NONE)))
    model_dir = Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    base = model_dir.parent
    checkpoints = base / "checkpoints"
    wheels = SOURCE / artifact.WHEELS
    compiled.look_for_wheels(wheels)
    try:
        train(
            parse_settings(sys.argv[1:]),
            train_dir=Path(os.environ.get("SM_CHANNEL_TRAIN", base / "input/data/train")),
            validation_dir=Path(os.environ.get("SM_CHANNEL_VALIDATION", base / "input/data/validation")),
            model_dir=model_dir,
            checkpoints=checkpoints if checkpoints.is_dir() else None,
            wheels=wheels if os.environ.get("PTMLOPS_MODEL_BRINGS_NUMBA") == "true" else None,
        )
    except (TrainingError, DataError, NumbaError) as error:
        reason = str(error)
    except Exception as error:
        log.exception("Unexpected error")
        reason = f"Unexpected {type(error).__name__} during training. See the job log for the traceback."
    else:
        return 0
    failure = base / "output" / "failure"
    failure.parent.mkdir(parents=True, exist_ok=True)
    failure.write_text(reason, encoding="utf-8", errors="replace")
    log.error("%s", reason)
    return 1


if __name__ == "__main__":
    sys.exit(main())

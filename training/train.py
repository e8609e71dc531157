"""Training job: learn from the train and validation channels, write the model, log the tuning objective.

Both channels train: the objective is macro-F1 by cross-fitting over all of them (near-duplicates on one side), which is
less noisy than one small split, and no row is scored by a machine that saw it or a near-copy of it.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import NoReturn

from complaint_model import acceleration, artifact, classifier
from complaint_model.classifier import CrossFit, Rows, Settings, TrainingError
from complaint_model.records import DataError, read_labelled

log = logging.getLogger("train")
SOURCE = Path(__file__).resolve().parent
# Beyond these nothing is learned, or nothing else than at the limit.
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
        """Raise, so that the reason reaches /opt/ml/output/failure."""
        raise TrainingError(f"hyperparameters: {message}")


def parse_settings(arguments: list[str]) -> Settings:
    """Settings from `--name value` pairs. Raises TrainingError at an unknown name, or a value of the wrong kind or size."""
    parser = _Parser(allow_abbrev=False, add_help=False)
    kinds = {"float": float, "int": int, "str": str}
    for field in fields(Settings):
        parser.add_argument(f"--{field.name}", type=kinds[str(field.type)], default=field.default)
    settings = Settings(**vars(parser.parse_args(arguments)))
    for name, (low, high) in RANGES.items():
        if not low <= getattr(settings, name) <= high:  # which holds for no NaN
            raise TrainingError(f"hyperparameters: {name} must be between {low:.15g} and {high:.15g}")
    if settings.characters not in ("auto", "on", "off"):
        raise TrainingError("hyperparameters: characters is auto, on or off")
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
    """Train and write the model, with `wheels` in it. Raises TrainingError or DataError with the reason."""
    records = read_labelled(train_dir, validation_dir)
    rows = Rows(
        texts=[record.text for record in records],
        labels=[record.label for record in records],
        groups=[record.group for record in records],
    )
    log.info("%d labelled complaints of %d labels", len(records), len(set(rows.labels)))
    model, crossfit = classifier.fit(rows, settings, checkpoints=checkpoints, progress=_progress, report=_report)
    about = {
        "settings": asdict(settings),
        "metrics": {
            "accuracy": crossfit.accuracy,
            "macro_f1": crossfit.macro_f1,
            "macro_f1_standard_error": crossfit.macro_f1_error,
            "expected_calibration_error": crossfit.expected_calibration_error,
            "coverage_at_target_precision": crossfit.coverage,
        },
        "training_rows": len(records),
        "data_fingerprint": classifier.fingerprint(rows),
        "code_version": classifier.code_version(SOURCE),
        "numba": acceleration.numba_version(),  # or None: scikit-learn trained, whose machines differ a little
    }
    artifact.save(model, about, model_dir, source=SOURCE, wheels=wheels)
    return crossfit


def _progress(folds: int, macro_f1: float) -> None:
    # The tuning job reads this line too: what it stops a trial by. The objective is the last value that it finds.
    log.info("validation macro_f1=%.4f; folds=%d;", macro_f1, folds)


def _report(crossfit: CrossFit) -> None:
    # The tuning job reads this line; its form is part of docs/contracts.md.
    log.info("validation macro_f1=%.4f; standard_error=%.4f;", crossfit.macro_f1, crossfit.macro_f1_error)
    log.info(
        "accuracy=%.4f; calibration_error=%.4f; coverage=%.4f;",
        crossfit.accuracy,
        crossfit.expected_calibration_error,
        crossfit.coverage,
    )


def main() -> int:
    """The exit code; a failure's reason goes to output/failure, where SageMaker reads it."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    model_dir = Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    base = model_dir.parent
    checkpoints = base / "checkpoints"
    wheels = SOURCE / artifact.WHEELS
    acceleration.look_in(wheels)
    try:
        train(
            parse_settings(sys.argv[1:]),
            train_dir=Path(os.environ.get("SM_CHANNEL_TRAIN", base / "input/data/train")),
            validation_dir=Path(os.environ.get("SM_CHANNEL_VALIDATION", base / "input/data/validation")),
            model_dir=model_dir,
            checkpoints=checkpoints if checkpoints.is_dir() else None,
            wheels=wheels if os.environ.get("PTMLOPS_MODEL_BRINGS_NUMBA") == "true" else None,
        )
    except (TrainingError, DataError) as error:
        reason = str(error)
    except Exception as error:
        log.exception("a defect of the code, or of the machine")
        reason = f"training ended in {type(error).__name__}, which nobody foresaw: the job's log has the place"
    else:
        return 0
    failure = base / "output" / "failure"
    failure.parent.mkdir(parents=True, exist_ok=True)
    failure.write_text(reason, encoding="utf-8", errors="replace")
    log.error("%s", reason)
    return 1


if __name__ == "__main__":
    sys.exit(main())

"""Processing job: measure candidate and champion on the same holdout, compare them, write evaluation.json and plots."""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from complaint_model import acceleration, artifact, evaluation, plots
from complaint_model.artifact import Artifact, ArtifactError
from complaint_model.records import DataError, read_labelled

from ptmlops_contracts.keys import EVALUATION_FILE

log = logging.getLogger("evaluate")
# The job unpacks the code to <base>/code, and its inputs and outputs lie beside it.
SOURCE = Path(__file__).resolve().parent
BASE = SOURCE.parent
LONGEST_NOTE = 500  # characters
DECIDING_ROWS = 30  # a label or holdout with fewer rows cannot tell two models apart


def evaluate(base: Path) -> dict[str, Any]:
    """Evaluate the models below base/input; returns evaluation.json's content. Raises ArtifactError or DataError."""
    given = base / "input"
    request = _request(given / "request")
    target, seed = request["target_precision"], request["seed"]
    candidate = _model(given / "candidate")
    if candidate is None:
        raise ArtifactError("the candidate has no model.tar.gz: look at the training job's log")
    version = request["champion_version"]
    champion, unread = _champion(given / "champion", version)
    held_out = read_labelled(given / "test")
    # A complaint that is written again after its near-copy was held out comes into training: neither model is judged on it.
    learned = read_labelled(given / "train", given / "validation")  # train.py learns from both
    leaked = evaluation.leaked_rows(learned, held_out)
    rows = [row for row, seen in zip(held_out, leaked, strict=True) if not seen]
    labels = evaluation.all_labels(rows, [found.model for found in (candidate, champion) if found])
    truth = np.asarray([labels.index(row.label) for row in rows], dtype=np.int64)

    def measured(found: Artifact) -> tuple[evaluation.Verdicts, dict[str, Any]]:
        verdicts = evaluation.verdicts(found.model, rows, labels)
        numbers = evaluation.metrics(
            verdicts,
            truth,
            rows,
            labels,
            target_precision=target,
            threshold=found.model.threshold,
            seed=seed,
        )
        return verdicts, {**numbers, **{key: found.about.get(key) for key in artifact.ABOUT}}

    ours, candidate_metrics = measured(candidate)
    result: dict[str, Any] = {
        "run_id": request["run_id"],
        "target_precision": target,
        "holdout": {"rows": len(rows), "labels": _supports(rows), "fingerprint": evaluation.holdout_fingerprint(rows)},
        "candidate": candidate_metrics,
        "champion": None,
        "comparison": None,
        "leakage": {"rows": sum(leaked)},
        "notes": [],
    }
    if champion:
        theirs, champion_metrics = measured(champion)
        result["champion"] = {**champion_metrics, "version": version}
        result["comparison"] = evaluation.compare(ours, theirs, truth, labels, seed)
    elif unread:
        result["champion"] = {"version": version, "error": unread}
    result["notes"] = _notes(result, candidate, champion)
    return result


def _supports(rows: list[Any]) -> dict[str, int]:
    return dict(sorted(Counter(row.label for row in rows).items()))


def _notes(result: dict[str, Any], candidate: Artifact, champion: Artifact | None) -> list[str]:
    supports: dict[str, int] = result["holdout"]["labels"]
    rows, leaked = result["holdout"]["rows"], result["leakage"]["rows"]
    notes = [f"the champion was not compared: {found['error']}"] if (found := result["champion"] or {}).get("error") else []
    notes += evaluation.disagreement(candidate.model.labels, champion.model.labels if champion else (), set(supports))
    if rows < DECIDING_ROWS:
        notes.append(f"the holdout has {rows} rows: too few to tell two models apart")
    small = [label for label, count in supports.items() if count < DECIDING_ROWS]
    if rows and small:
        named = evaluation.named(small)
        notes.append(f"labels with fewer than {DECIDING_ROWS} holdout rows, whose recall is a rough guess: {named}")
    if candidate.model.threshold == 1.0:
        notes.append(
            f"the candidate leaves every row to review: no confidence keeps a precision of {result['target_precision']:g}"
        )
    elif missed := evaluation.missed_target(result["candidate"], rows, result["target_precision"]):
        notes.append(missed)
    if leaked:
        notes.append(f"{leaked} rows of the holdout are near-copies of training rows: they were left out")
    return [note if len(note) <= LONGEST_NOTE else f"{note[: LONGEST_NOTE - 1]}…" for note in notes]


def _request(folder: Path) -> dict[str, Any]:
    path = folder / "request.json"
    try:
        request: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError("request.json is missing or not JSON: run the run's Plan again") from error
    if not isinstance(request, dict):
        raise DataError("request.json is not a JSON object: run the run's Plan again")
    target, seed = request.get("target_precision"), request.get("seed")
    for name, good in {
        "run_id": isinstance(request.get("run_id"), str),
        "champion_version": isinstance(request.get("champion_version"), str),
        "target_precision": isinstance(target, float) and 0 < target < 1,
        "seed": type(seed) is int and 0 <= seed < 1 << 32,
    }.items():
        if not good:
            raise DataError(
                f"request.json has no usable {name}: look at the environment's settings and run the run's Plan again"
            )
    return request


def _champion(folder: Path, version: str) -> tuple[Artifact | None, str | None]:
    """The champion, or why it cannot be read: that must not keep a candidate from being measured."""
    if version == "none":
        return None, None
    try:
        found = _model(folder)
    except ArtifactError as error:
        return None, str(error)
    return found, None if found else "champion: there is no model.tar.gz where its model package says"


def _model(folder: Path) -> Artifact | None:
    archive = folder / "model.tar.gz"
    if not archive.is_file():
        return None
    with tempfile.TemporaryDirectory() as unpacked:
        try:
            return artifact.load(artifact.unpack(archive, Path(unpacked)))
        except ArtifactError as error:
            raise ArtifactError(f"{folder.name}: {error}") from error


def main() -> int:
    """The exit code; a failure's reason goes to /opt/ml/output/message, which becomes the job's exit message."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    acceleration.look_in(SOURCE / artifact.WHEELS)
    try:
        result = evaluate(BASE)
        _write(result, BASE / "output")
    except (ArtifactError, DataError) as error:
        reason = str(error)
    except Exception as error:
        log.exception("a defect of the code, or of the machine")
        reason = f"evaluation ended in {type(error).__name__}, which nobody foresaw: the job's log has the place"
    else:
        return 0
    log.error("%s", reason)
    message = BASE.parent / "output" / "message"
    message.parent.mkdir(parents=True, exist_ok=True)
    message.write_text(reason[:1000], encoding="utf-8", errors="replace")
    return 1


def _write(result: dict[str, Any], output: Path) -> None:
    """The document, its plots, and what the log says of it."""
    output.mkdir(parents=True, exist_ok=True)
    for name, drawing in plots.draw(result).items():
        (output / name).write_text(drawing, encoding="utf-8")
    (output / EVALUATION_FILE).write_text(
        json.dumps(result, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )
    log.info("candidate macro_f1=%s on %d rows", result["candidate"]["macro_f1"], result["holdout"]["rows"])
    if result["comparison"]:
        found = result["comparison"]
        log.info("minus the champion's: %s, interval %s", found["macro_f1_difference"], found["interval"])
    for note in result["notes"]:
        log.info("note: %s", note)


if __name__ == "__main__":
    sys.exit(main())

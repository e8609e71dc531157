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

log = logging.getLogger("evaluate")
# The job unpacks the code to <base>/code, and its inputs and outputs lie beside it.
SOURCE = Path(__file__).resolve().parent
BASE = SOURCE.parent
NAMED_LABELS = 5  # in a note; per_label has them all
DECIDING_ROWS = 30  # a label or holdout with fewer rows cannot tell two models apart
ABOUT = ("training_rows", "data_fingerprint", "code_version", "settings")


def evaluate(base: Path) -> dict[str, Any]:
    """Evaluate the models below base/input; returns evaluation.json's content. Raises ArtifactError or DataError."""
    given = base / "input"
    request = _request(given / "request")
    target = float(request.get("target_precision", 0.95))
    seed = int(request.get("seed", 0))
    candidate = _model(given / "candidate")
    if candidate is None:
        raise ArtifactError("the candidate has no model.tar.gz: look at the training job's log")
    version = str(request.get("champion_version", "none"))
    champion, unread = _champion(given / "champion", version)
    held_out = read_labelled(given / "test")
    # A complaint that is written again after its near-copy was held out comes into training: neither model is judged on it.
    leaked = evaluation.leaked_rows(read_labelled(given / "train"), held_out)
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
        return verdicts, {**numbers, **{key: found.about.get(key) for key in ABOUT}}

    ours, candidate_metrics = measured(candidate)
    result: dict[str, Any] = {
        "run_id": request.get("run_id"),
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
        named = ", ".join(small[:NAMED_LABELS]) + (
            f" and {len(small) - NAMED_LABELS} more" if len(small) > NAMED_LABELS else ""
        )
        notes.append(f"labels with fewer than {DECIDING_ROWS} holdout rows, whose recall is a rough guess: {named}")
    if leaked:
        notes.append(f"{leaked} rows of the holdout are near-copies of training rows: they were left out")
    return notes


def _request(folder: Path) -> dict[str, Any]:
    path = folder / "request.json"
    try:
        request: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError("request.json is missing or not JSON: run the run's Plan again") from error
    if not isinstance(request, dict):
        raise DataError("request.json is not a JSON object: run the run's Plan again")
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
    except (ArtifactError, DataError) as error:
        log.error("%s", error)  # noqa: TRY400  the reason is for a reader; a traceback would hide it
        message = BASE.parent / "output" / "message"
        message.parent.mkdir(parents=True, exist_ok=True)
        message.write_text(str(error)[:1000], encoding="utf-8")
        return 1
    output = BASE / "output"
    output.mkdir(parents=True, exist_ok=True)
    for name, drawing in plots.draw(result).items():
        (output / name).write_text(drawing, encoding="utf-8")
    (output / "evaluation.json").write_text(
        json.dumps(result, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )
    log.info("candidate macro_f1=%s on %d rows", result["candidate"]["macro_f1"], result["holdout"]["rows"])
    if result["comparison"]:
        found = result["comparison"]
        log.info("minus the champion's: %s, interval %s", found["macro_f1_difference"], found["interval"])
    for note in result["notes"]:
        log.info("note: %s", note)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Processing job: measure candidate and champion on the same held-out rows, compare them, write evaluation.json and plots."""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from complaint_model import artifact, compiled, drift_profile, evaluation, label_checks, plots, provenance
from complaint_model.archive import content_of
from complaint_model.artifact import Artifact, ArtifactError
from complaint_model.code_check import find_disagreement
from complaint_model.comparison import compare_answers
from complaint_model.contradiction import contradicting_runs
from complaint_model.labelled_files import DataError, read_labelled
from complaint_model.leakage import holdout_fingerprint, leaked_rows
from complaint_model.notes import notes_of
from complaint_model.records import Labelled, columns_of
from complaint_model.scoring import score

from ptmlops_contracts.evaluation import EVALUATION_VERSION, Archive, HeldOutAnswer, RefusedEvaluation
from ptmlops_contracts.job_log import log_json
from ptmlops_contracts.keys import ANSWERS_FILE, EVALUATION_FILE, LABELS_TO_CHECK_FILE, TERM_PROFILE_FILE
from ptmlops_contracts.state import NONE

log = logging.getLogger("evaluate")
# The job unpacks the code to <base>/code, and its inputs and outputs are beside it.
SOURCE = Path(__file__).resolve().parent
BASE = SOURCE.parent
ARCHIVE = "model.tar.gz"


class ReadModel(NamedTuple):
    """A model, and the archive that it was read from."""

    artifact: Artifact
    archive: Archive


def evaluate(base: Path) -> tuple[dict[str, Any], list[HeldOutAnswer]]:
    """Evaluate the models below base/input, and return the contents of evaluation.json and answers.jsonl.

    Raises:
        ArtifactError: The candidate is damaged or missing.
        DataError: The rows or the request are.
    """
    inputs = base / "input"
    request = _request(inputs / "request")
    target, seed = request["target_precision"], request["seed"]
    candidate = _model(inputs / "candidate")
    if candidate is None:
        raise ArtifactError("the candidate has no model.tar.gz: look at the training job's log")
    version = request["champion_version"]
    champion, error = _champion(inputs / "champion", version, request.get("champion_sha256", NONE))
    rows, leaked, trained_on = _holdout(inputs)
    labels = evaluation.all_labels(rows, [read.artifact.model for read in (candidate, champion) if read])
    truth = np.asarray([labels.index(row.label) for row in rows], dtype=np.int64)

    def measure(read: ReadModel) -> tuple[evaluation.Answers, dict[str, Any]]:
        measured = read.artifact
        answers = evaluation.answer_holdout(measured.model, rows, labels)
        numbers = evaluation.metrics(
            answers, truth, rows, labels, target_precision=target, threshold=measured.model.threshold, seed=seed
        )
        about = {key: measured.about.get(key) for key in artifact.ABOUT}
        profile = drift_profile.profile(answers, rows, labels, trained_on=trained_on, seed=seed)
        return answers, {
            **numbers,
            **about,
            "labels": list(measured.model.labels),
            "archive": read.archive,
            "profile": profile,
        }

    answers, candidate_metrics = measure(candidate)
    supports = dict(sorted(Counter(row.label for row in rows).items()))
    result: dict[str, Any] = {
        "schema_version": EVALUATION_VERSION,
        "run_id": request["run_id"],
        "target_precision": target,
        "holdout": {"rows": len(rows), "labels": supports, "fingerprint": holdout_fingerprint(rows)},
        "candidate": candidate_metrics,
        "champion": None,
        "comparison": None,
        "leakage": {"rows": leaked},
        "notes": [],
    }
    if champion:
        champion_answers, champion_metrics = measure(champion)
        result["champion"] = {**champion_metrics, "version": version}
        result["comparison"] = compare_answers(
            answers.predicted,
            champion_answers.predicted,
            truth,
            labels,
            max_recall_drop=request["max_recall_drop"],
            seed=seed,
        )
        if result["comparison"]:
            result["comparison"]["contradicting_runs"] = contradicting_runs(
                rows,
                champion_answers.predicted == truth,
                champion_answers.confidence,
                known_labels=set(champion.artifact.model.labels),
                learned=request.get("champion_runs", ()),
            )
    elif error:
        result["champion"] = {"version": version, "error": error}
    model, known = candidate.artifact.model, champion.artifact.model.labels if champion else ()
    result["notes"] = notes_of(result, model.labels, known, model.threshold)
    return result, evaluation.answer_lines(answers, rows, labels)


def find_labels_to_check(base: Path) -> list[dict[str, Any]]:
    """Return the labelled rows below base/input whose label is probably wrong: the rows of labels_to_check.jsonl.

    The candidate names the doubtful rows of training by their place, so that a model holds no text.
    """
    found = _model(base / "input" / "candidate")
    if found is None:
        return []
    candidate = found.artifact
    trained_on = read_labelled(base / "input" / "train", base / "input" / "validation")
    held_out, _, _ = _holdout(base / "input")
    labels = candidate.model.labels
    is_same_data = provenance.fingerprint(columns_of(trained_on)) == candidate.about.get("data_fingerprint")
    doubts = candidate.about.get("doubts", []) if is_same_data else []
    number = {label: index for index, label in enumerate(labels)}
    given = np.asarray([number.get(row.label, -1) for row in held_out], dtype=np.int64)
    probabilities = score(candidate.model, [row.text for row in held_out]).probabilities
    return label_checks.merge(
        label_checks.labels_to_check(doubts, trained_on, labels),
        label_checks.labels_to_check(label_checks.find_doubts(probabilities, given), held_out, labels),
    )


def _holdout(inputs: Path) -> tuple[Sequence[Labelled], int, Sequence[Labelled]]:
    """Return the held-out rows that training did not see, how many it saw, and the rows of training.

    A complaint that is written again after its near-duplicate was held out becomes a training row: neither model is judged on it.
    """
    held_out = read_labelled(inputs / "test")
    trained_on = read_labelled(inputs / "train", inputs / "validation")
    leaked = leaked_rows(trained_on, held_out)
    return [row for row, seen in zip(held_out, leaked, strict=True) if not seen], sum(leaked), trained_on


def _request(folder: Path) -> dict[str, Any]:
    path = folder / "request.json"
    try:
        request: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError("request.json is missing or not JSON: run the run's Plan again") from error
    if not isinstance(request, dict):
        raise DataError("request.json is not a JSON object: run the run's Plan again")
    target, drop, seed = (request.get(name) for name in ("target_precision", "max_recall_drop", "seed"))
    for name, good in {
        "run_id": isinstance(request.get("run_id"), str),
        "champion_version": isinstance(request.get("champion_version"), str),
        "champion_sha256": isinstance(request.get("champion_sha256", NONE), str),
        "champion_runs": isinstance(runs := request.get("champion_runs", []), list)
        and all(isinstance(run, str) for run in runs),
        "target_precision": isinstance(target, float) and 0 < target < 1,
        "max_recall_drop": isinstance(drop, float) and 0 <= drop <= 1,
        "seed": type(seed) is int and 0 <= seed < 1 << 32,
    }.items():
        if not good:
            raise DataError(
                f"request.json has no usable {name}: look at the environment's settings and run the run's Plan again"
            )
    return request


def _champion(folder: Path, version: str, sha256: str) -> tuple[ReadModel | None, str | None]:
    """Return the champion, or why it is not compared with. A candidate is measured in either case.

    Args:
        folder: Where its archive is.
        version: Its version, or NONE.
        sha256: That of the archive that the version was registered with, or NONE. Plan has compared it, and this is what was fetched.
    """
    if version == NONE:
        return None, None
    archive = folder / ARCHIVE
    if sha256 != NONE and archive.is_file() and content_of(archive).sha256 != sha256:
        return None, (
            f"champion: {ARCHIVE} is not the one that version {version} was registered with (its SHA-256 differs): restore that one"
        )
    try:
        champion = _model(folder)
    except ArtifactError as error:
        return None, str(error)
    return champion, None if champion else f"champion: there is no {ARCHIVE} at the address in its model package"


def _model(folder: Path) -> ReadModel | None:
    archive = folder / ARCHIVE
    if not archive.is_file():
        return None
    with tempfile.TemporaryDirectory() as unpacked:
        try:
            read = artifact.load(artifact.unpack(archive, Path(unpacked)))
            whole, manifest = content_of(archive), content_of(Path(unpacked) / artifact.MANIFEST)
            return ReadModel(read, Archive(sha256=whole.sha256, bytes=whole.bytes, manifest_sha256=manifest.sha256))
        except ArtifactError as error:
            raise ArtifactError(f"{folder.name}: {error}") from error


def main() -> int:
    """Run the job and return the exit code. The reason of a failure goes to /opt/ml/output/message, which becomes the job's exit message."""
    log_json(service="evaluate", run_id=_run_id())
    compiled.look_for_wheels(SOURCE / artifact.WHEELS)
    try:
        refused = find_disagreement(BASE / "input/candidate" / ARCHIVE, sorted((BASE / "input/trials").rglob(ARCHIVE)), SOURCE)
        if refused:
            run_id = _request(BASE / "input/request")["run_id"]
            _write_document(RefusedEvaluation(schema_version=EVALUATION_VERSION, run_id=run_id, refused=refused))
            log.info("not evaluated: %s", refused)
            return 0
        (result, answers), to_check = evaluate(BASE), find_labels_to_check(BASE)
        _write_lines(BASE / "labels_to_check" / LABELS_TO_CHECK_FILE, to_check)
        _write_lines(BASE / "output" / ANSWERS_FILE, answers)
        _write(result, BASE / "output")
        _write_term_profile(BASE / "input/candidate" / ARCHIVE, BASE / "output")
    except (ArtifactError, DataError) as error:
        reason = str(error)
    except Exception as error:
        log.exception("Unexpected error")
        reason = f"Unexpected {type(error).__name__} during evaluation. See the job log for the traceback."
    else:
        return 0
    log.error("%s", reason)
    message = BASE.parent / "output" / "message"
    message.parent.mkdir(parents=True, exist_ok=True)
    message.write_text(reason[:1000], encoding="utf-8", errors="replace")
    return 1


def _run_id() -> str:
    """Return the run's id for the log. A request that cannot be read is reported later, as the reason of a failure."""
    try:
        return str(_request(BASE / "input/request")["run_id"])
    except (ArtifactError, DataError, KeyError):
        return NONE


def _write_document(document: Mapping[str, Any]) -> None:
    output = BASE / "output"
    output.mkdir(parents=True, exist_ok=True)
    (output / EVALUATION_FILE).write_text(
        json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )


def _write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write JSON Lines. An empty file replaces that of an earlier attempt."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def _write_term_profile(archive: Path, output: Path) -> None:
    """Copy the candidate's term profile beside its evaluation, where Publish finds it without unpacking the model."""
    profile = artifact.read_term_profile(archive)
    if profile is not None:
        (output / TERM_PROFILE_FILE).write_bytes(profile)


def _write(result: dict[str, Any], output: Path) -> None:
    """Write the plots and evaluation.json, and log the result."""
    output.mkdir(parents=True, exist_ok=True)
    for name, drawing in plots.draw(result).items():
        (output / name).write_text(drawing, encoding="utf-8")
    _write_document(result)
    log.info("candidate macro_f1=%s on %d rows", result["candidate"]["macro_f1"], result["holdout"]["rows"])
    if result["comparison"]:
        comparison = result["comparison"]
        log.info("minus the champion's: %s, interval %s", comparison["macro_f1_difference"], comparison["interval"])
    for note in result["notes"]:
        log.info("note: %s", note)


if __name__ == "__main__":
    sys.exit(main())

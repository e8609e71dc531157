"""What Evaluate writes is what the gate takes: evaluations by training/evaluate.py itself, judged by lambdas/promote_model."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from promote_model.gate import judge

from tests.unit.training.test_jobs import give_champion, load, run_training, write_rows

POLICY: dict[str, Any] = {
    "mode": "automatic",
    "min_macro_f1": 0.6,
    "max_recall_drop": 0.1,
    "max_calibration_error": 0.05,
    "min_holdout_rows": 100,
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Jobs that learned from many rows and from few."""
    base = tmp_path_factory.mktemp("jobs")
    for name, rows, seed in (("many", 300, 1), ("few", 40, 4)):
        write_rows(base / name / "input/data/train/run_id=one", rows, seed, name)
        write_rows(base / name / "input/data/validation/run_id=one", 30, seed + 10, f"{name}-validation")
        code, log = run_training(base / name)
        assert code == 0, log
    return base


def write_one_label(folder: Path, count: int, seed: int, prefix: str) -> None:
    """Write rows that all have the label of the first one."""
    write_rows(folder, count, seed, prefix)
    [path] = folder.iterdir()
    lines = [json.loads(line) for line in path.read_bytes().split(b"\n") if line]
    path.write_text("".join(json.dumps({**line, "label": lines[0]["label"]}) + "\n" for line in lines))


def evaluated(
    models: Path,
    base: Path,
    candidate: str,
    champion: Path | bytes | None,
    *,
    rows: int = 120,
    max_recall_drop: float = POLICY["max_recall_drop"],
    misleading_rows: int = 0,
    champion_runs: Sequence[str] = (),
) -> Any:
    for name in ("candidate", "champion", "request"):
        (base / "input" / name).mkdir(parents=True)
    with tarfile.open(base / "input/candidate/model.tar.gz", "w:gz") as tar:
        tar.add(models / candidate / "model", arcname=".")
    for channel in ("train", "validation"):
        shutil.copytree(models / candidate / "input/data" / channel, base / "input" / channel)
    write_rows(base / "input/test/labelled/test/run_id=one", rows, 3, "test")
    if misleading_rows:
        write_one_label(base / "input/test/labelled/test/run_id=two", misleading_rows, 6, "test-wrong")
    request = {
        "run_id": "run-1",
        "champion_version": "none",
        "champion_runs": champion_runs,
        "target_precision": 0.9,
        "max_recall_drop": max_recall_drop,
        "seed": 20,
    }
    (base / "input/request/request.json").write_text(json.dumps(request))
    if champion is not None:
        give_champion(base, champion)
    return json.loads(json.dumps(load("evaluate").evaluate(base)[0], allow_nan=False))


def judged(evaluation: Any, champion: str, **policy: Any) -> Any:
    return judge(evaluation, {**POLICY, **policy}, run_id="run-1", champion_version=champion)


def test_a_first_candidate_passes(models: Path, tmp_path: Path) -> None:
    verdict = judged(evaluated(models, tmp_path, "many", None), "none")
    assert verdict.status == "Approved", verdict.reasons


def test_a_better_candidate_passes(models: Path, tmp_path: Path) -> None:
    evaluation = evaluated(models, tmp_path, "many", models / "few/model")
    verdict = judged(evaluation, "3")
    assert verdict.status == "Approved", verdict.reasons
    assert {"recall: access", "recall: billing", "recall: fraud"} <= {check.name for check in verdict.checks}
    assert evaluation["comparison"]["contradicting_runs"] == {}


def test_a_worse_candidate_is_refused_for_being_worse_and_for_nothing_else(models: Path, tmp_path: Path) -> None:
    verdict = judged(evaluated(models, tmp_path, "few", models / "many/model"), "3")
    assert verdict.status == "Rejected"
    limits = ("under the floor", "over the limit", "more than chance explains")
    assert all(any(limit in reason for limit in limits) for reason in verdict.reasons), verdict.reasons


def test_labels_that_evaluate_finds_to_have_fallen_are_what_the_gate_refuses(models: Path, tmp_path: Path) -> None:
    evaluation = evaluated(models, tmp_path, "few", models / "many/model", rows=600, max_recall_drop=0.0)
    lower = evaluation["comparison"]["lower_recall"]["labels"]
    assert lower
    verdict = judged(evaluation, "3", max_recall_drop=0.0)
    reasons = [reason for reason in verdict.reasons if reason.startswith("recall of ")]
    assert [reason.split()[2] for reason in reasons] == sorted(lower)


def test_a_champion_that_cannot_be_read_is_left_to_a_person(models: Path, tmp_path: Path) -> None:
    verdict = judged(evaluated(models, tmp_path, "many", b"damaged"), "3")
    assert verdict.status == "PendingManualApproval", verdict.reasons


def test_a_file_with_one_label_for_all_rows_is_left_to_a_person(models: Path, tmp_path: Path) -> None:
    evaluation = evaluated(models, tmp_path, "many", models / "many/model", misleading_rows=60)
    verdict = judged(evaluation, "3", max_calibration_error=1)
    assert verdict.status == "PendingManualApproval", verdict.reasons
    assert "the labels of run two contradict version 3" in verdict.reasons[1]
    assert evaluation["comparison"].pop("contradicting_runs").keys() == {"two"}
    assert judged(evaluation, "3", max_calibration_error=1).status == "Approved"


@pytest.mark.parametrize(("champion_runs", "named"), [(["one"], {"two"}), (["two"], set()), (["three"], {"two"})])
def test_labels_that_the_champion_has_learned_are_settled(
    models: Path, tmp_path: Path, champion_runs: list[str], named: set[str]
) -> None:
    """Who promoted a version that learned them has decided."""
    evaluation = evaluated(models, tmp_path, "many", models / "many/model", misleading_rows=60, champion_runs=champion_runs)
    assert evaluation["comparison"]["contradicting_runs"].keys() == named


@pytest.mark.parametrize("champion", [False, True])
def test_an_empty_holdout_is_refused_for_being_empty(models: Path, tmp_path: Path, *, champion: bool) -> None:
    evaluation = evaluated(models, tmp_path, "many", models / "few/model" if champion else None, rows=0)
    verdict = judged(evaluation, "3" if champion else "none")
    assert verdict.status == "Rejected"
    assert verdict.reasons[0] == "the holdout has 0 rows; at least 100 are needed"
    assert set(verdict.reasons[1:]) <= {"the evaluation has no comparison"}

"""`training.on_drift = "retrain"`: after a run whose complaints had drifted, a few labelled rows start a training.

In `make nightly` only, on a local AWS of its own: drift would change what other tests' runs do.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws import LocalAws
from ptmlops import generator, runs, uploads
from ptmlops.target import Target

FEW = 12  # below training.min_new_rows


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with LocalAws.start(tmp_path_factory.mktemp("drift")) as aws:
        aws.deploy()
        yield Target.local(aws, "local")


def follow(target: Target, path: Path) -> dict[str, Any]:
    run_id = uploads.wait_for_run(target, uploads.upload(target, path))
    for _ in runs.follow(target, run_id):
        pass
    document = dict(runs.run_document(target, run_id))
    assert document["status"] == "SUCCEEDED", document.get("error")
    return document


def set_policy(target: Target, policy: str) -> None:
    functions = target.client("lambda")
    [plan] = [one for one in functions.list_functions()["Functions"] if one["Handler"].startswith("plan_run.")]
    variables = {**plan["Environment"]["Variables"], "ON_DRIFT": policy}
    functions.update_function_configuration(FunctionName=plan["FunctionName"], Environment={"Variables": variables})


def few_labelled(folder: Path, seed: int) -> Path:
    path = folder / f"few-{seed}.csv"
    generator.write_csv(path, FEW, seed=seed)
    return path


def test_a_run_after_drift_trains_from_few_rows_if_the_policy_says_so(target: Target, tmp_path: Path) -> None:
    first = tmp_path / "first.csv"
    generator.write_csv(first, 900, seed=1)
    assert follow(target, first)["trained"]

    complaints = generator.complaints(4000, seed=2)
    label = sorted({complaint.label for complaint in generator.complaints(200, seed=2)})[0]
    drifted = tmp_path / "drifted.csv"
    with drifted.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [["complaint_id", "text"], *([one.complaint_id, one.text] for one in complaints if one.label == label)]
        )
    run = follow(target, drifted)
    assert "categories" in run["drifted"]

    set_policy(target, "propose")
    proposed = follow(target, few_labelled(tmp_path, 3))
    assert not proposed["trained"]

    set_policy(target, "retrain")
    retrained = follow(target, few_labelled(tmp_path, 4))
    assert retrained["trained"]
    assert "differ from those that the serving model was measured on" in retrained["training_reason"]

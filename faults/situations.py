"""What goes wrong around a run: permissions, limits, names, a deployment or a promotion meanwhile, and data that misleads."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from faults.states import STATE_MACHINE
from ptmlops import generator, promotion, registry, runs
from ptmlops.uploads import Upload, wait_for_run
from ptmlops_contracts.keys import ModelKeys, PreparedKeys
from ptmlops_contracts.run import ENDED

if TYPE_CHECKING:
    from faults.runs import Bench

SAME = "the same rows, at once or after a redrive"
STAYS = "complaints are answered as before, at most 2 points of accuracy worse, and promotion.json says why"
REFUSED = "the champion stays, and promotion.json says which metric is missing"
WRONG_SHARE, CLEAN_ROWS, CLEAN_SEED, MOST_LOST = 0.3, 300, 23, 0.02
# The longest key of S3 is 1,024 bytes.
KEYS = {
    "plus, percent, space": "a+b %41&c=d;e.csv",
    "letters with marks, emoji": "año ñandú 😀 ü.csv",
    "1,024 bytes": "x" * 1020 + ".csv",
}
Situation = tuple[str, str, str, str, Callable[["Bench"], str]]  # unit, kind, moment, promise, work


def around_runs() -> Iterator[Situation]:
    """Yield what goes wrong around a run that scores."""
    yield "Publish", "output bucket not writable", "while it publishes", SAME, _output_not_writable
    yield "Plan", "over the cost limit", "before the first paid job after Prepare", SAME, _over_the_cost_limit
    yield (
        "all",
        "key disabled",
        "while it prepares",
        "nothing is lost; once the key is enabled, a redrive gives the same rows",
        _key_disabled,
    )
    yield "all", "deployed again", "while it prepares", SAME, _deployed_again
    for name, key in KEYS.items():
        yield "all", f"key with {name}", "upload", SAME, partial(_odd_key, key=key)


def of_data() -> Iterator[Situation]:
    """Yield labels that mislead, and runs that meet."""
    yield "Promote", "30% of labels wrong", "upload", STAYS, partial(_misleading, change=_rotate_labels)
    yield "Promote", "one label for 30% of the rows", "upload", STAYS, partial(_misleading, change=_one_label)
    yield "Promote", "holdout of few rows", "upload of 8 labelled rows", STAYS, partial(_misleading, rows=8)
    yield (
        "Promote",
        "metrics that are not numbers",
        "before it reads them",
        REFUSED,
        partial(_without_metrics, value=float("nan")),
    )
    yield "Promote", "metrics are missing", "before it reads them", REFUSED, partial(_without_metrics, value=None)
    yield "Promote", "two runs promote", "at once", "each registers one version; one is approved last", _two_promote
    yield "Score", "another version is promoted", "while it scores", "all answers are of one version", _promoted_meanwhile


def _output_not_writable(bench: Bench) -> str:
    s3, bucket = bench.target.client("s3"), bench.target.outputs["OutputBucketName"]
    before = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    document = json.loads(before)
    refused = {
        "Sid": "Fault",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/predictions/*",
    }
    document["Statement"].append(refused)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))  # only Publish writes there
    try:
        ended = bench.end(run_id := bench.start(bench.scored))
    finally:
        s3.put_bucket_policy(Bucket=bucket, Policy=before)
    error = bench.require_reported(run_id, ended)
    bench.redrive(run_id)
    bench.require_same_rows(run_id)
    return error


def _key_disabled(bench: Bench) -> str:
    kms, key = bench.target.client("kms"), bench.target.outputs["KeyArn"].rpartition("/")[2]
    run_id = bench.start(bench.scored)
    bench.wait_for_state(run_id, "Prepare")
    kms.disable_key(KeyId=key)
    try:
        # Record cannot write either, and no notice comes (docs/how-to/keys.md).
        bench.wait("the end of the run", lambda: runs.execution_status(bench.target, run_id) in ENDED)
        bench.require(runs.execution_status(bench.target, run_id) == "FAILED", "the run did not need the key")
    finally:
        kms.enable_key(KeyId=key)
    bench.redrive(run_id)
    bench.require_same_rows(run_id)
    return "the run failed, and could not be recorded"


def _over_the_cost_limit(bench: Bench) -> str:
    with _plan_environment(bench, RUN_LIMIT_USD="0.000001"):
        run_id = bench.start(bench.scored)
        ended = bench.end(run_id)
    error = bench.require_reported(run_id, ended)
    bench.require(ended["error"]["error"] == "CostLimitError", f"the error is {ended['error']}")
    bench.require("scoring" not in ended["cost"], "it has spent on scoring")
    bench.redrive(run_id)
    bench.require_same_rows(run_id)
    return error


@contextmanager
def _plan_environment(bench: Bench, **changed: str) -> Generator[None]:
    functions = bench.target.client("lambda")
    [plan] = [one for one in functions.list_functions()["Functions"] if one["Handler"].startswith("plan_run.")]
    before = plan["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=plan["FunctionName"], Environment={"Variables": {**before, **changed}}
    )
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=plan["FunctionName"], Environment={"Variables": before})


def _deployed_again(bench: Bench) -> str:
    run_id = bench.start(bench.scored)
    bench.wait_for_state(run_id, "Prepare")
    bench.aws.deploy()
    bench.finish(run_id)
    bench.require_same_rows(run_id)
    return ""


def _odd_key(bench: Bench, *, key: str) -> str:
    bucket = bench.target.outputs["RawBucketName"]
    put = bench.target.client("s3").put_object(Bucket=bucket, Key=key, Body=bench.scored.read_bytes())
    uploaded = Upload(path=bench.scored, bucket=bucket, key=key, version_id=put["VersionId"])
    run_id = bench.finish(wait_for_run(bench.target, uploaded))
    bench.require_same_rows(run_id)
    return ""


def _two_promote(bench: Bench) -> str:
    first = bench.start(bench.labelled())
    bench.wait_for_state(first, "Prepare")
    second = bench.start(bench.labelled())
    bench.require(first != second, "both files joined one run")
    for run_id in (first, second):
        bench.finish(run_id)
    made = [version for version in registry.versions(bench.target) if version["run_id"] in (first, second)]
    bench.require({version["run_id"] for version in made} == {first, second}, f"{len(made)} versions were registered")
    serving = registry.serving_version(bench.target)
    newest = max(version["version"] for version in registry.versions(bench.target) if version["status"] == "Approved")
    bench.require(serving is not None and serving["version"] == newest, f"{serving} serves, {newest} was approved last")
    return ""


def _promoted_meanwhile(bench: Bench) -> str:
    bench.finish(bench.start(bench.labelled()))
    serving = registry.serving_version(bench.target)
    others = [one["version"] for one in registry.versions(bench.target) if serving and one["version"] != serving["version"]]
    run_id = bench.start(bench.scored)
    bench.wait_for_state(run_id, "Score")
    promotion.promote(bench.target, others[0], reason="fault", override=True, report=lambda _: None)
    bench.finish(run_id)
    versions = {json.loads(row)["model_version"] for row in bench.answers(run_id)}
    bench.require(len(versions) == 1, f"answers of versions {versions}")
    return ""


def _misleading(bench: Bench, *, change: Callable[[str], str] = str, rows: int | None = None) -> str:
    """Upload labels that mislead. Held-out rows have them, too, so the versions are compared on clean complaints."""
    before, accuracy = registry.serving_version(bench.target), _accuracy(bench)
    wrong = rows or round(bench.labelled_rows * WRONG_SHARE / (1 - WRONG_SHARE))
    run_id = bench.finish(bench.start(bench.labelled(wrong, change=change)))
    ended = runs.run_document(bench.target, run_id)
    reasons = ended["promotion"]["reasons"] or [ended["training_reason"]]
    bench.require(bool(reasons and reasons[0]), "no reason is given")
    if registry.serving_version(bench.target) != before:
        lost = accuracy - _accuracy(bench)
        bench.require(lost <= MOST_LOST, f"another version serves; accuracy on clean complaints fell by {lost:.3f}")
    _leave_out(bench, run_id, wrong)
    return ""


def _accuracy(bench: Bench) -> float:
    """Return the share of clean complaints that the serving version answers with their label."""
    path = bench.folder / "clean.csv"
    generator.write_csv(path, CLEAN_ROWS, labelled=False, seed=CLEAN_SEED)
    labels = {made.complaint_id: made.label for made in generator.complaints(CLEAN_ROWS, seed=CLEAN_SEED)}
    answers = map(json.loads, bench.answers(bench.finish(bench.start(path))))
    right = [answer["label"] == labels[answer["complaint_id"]] for answer in answers]
    return sum(right) / len(right)


def _leave_out(bench: Bench, run_id: str, rows: int) -> None:
    """Let no later run learn from this one's labels."""
    bucket = bench.target.outputs["PreparedBucketName"]
    bench.target.client("s3").delete_object(Bucket=bucket, Key=PreparedKeys(run_id).complete)
    bench.labelled_rows -= rows


def _without_metrics(bench: Bench, *, value: float | None) -> str:
    """Change what Evaluate wrote while the call of Promote is on its way."""
    before, run_id = registry.serving_version(bench.target), bench.start(bench.labelled())
    bench.wait_for_state(run_id, "Evaluate")
    s3, place = (
        bench.target.client("s3"),
        {"Bucket": bench.target.outputs["ModelsBucketName"], "Key": ModelKeys(run_id).evaluation_document},
    )
    with bench.faulty(STATE_MACHINE, {"operation": "lambda:Invoke", "delay": 5}):
        bench.wait_for_state(run_id, "Promote")
        document = json.loads(s3.get_object(**place)["Body"].read())
        document["candidate"] = {**document["candidate"], "macro_f1": value, "accuracy": value}
        s3.put_object(**place, Body=json.dumps(document).encode())
        ended = runs.run_document(bench.target, bench.finish(run_id))
    reasons = " ".join(ended["promotion"]["reasons"])
    bench.require("macro_f1" in reasons, f"the reasons are {reasons!r}")
    bench.require(registry.serving_version(bench.target) == before, "another version serves")
    return ""


def _rotate_labels(text: str) -> str:
    """Give each row the label of the next kind: a systematic mistake in a whole file."""
    rows = list(csv.DictReader(io.StringIO(text)))
    labels = sorted({row["label"] for row in rows})
    return _written([{**row, "label": labels[(labels.index(row["label"]) + 1) % len(labels)]} for row in rows])


def _one_label(text: str) -> str:
    rows = list(csv.DictReader(io.StringIO(text)))
    return _written([{**row, "label": rows[0]["label"]} for row in rows])


def _written(rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()

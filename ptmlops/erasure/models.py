"""The models that learned from erased rows, and training again without them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ptmlops import registry, runs
from ptmlops.erasure.places import MODELS, PREPARED, RAW
from ptmlops.erasure.plan import Plan
from ptmlops.target import Target
from ptmlops.uploads import Upload, wait_for_run
from ptmlops_contracts.columns import to_metadata
from ptmlops_contracts.keys import COMPLETE, ModelKeys, PreparedKeys, learned_runs
from ptmlops_contracts.report import LEARNED_SPLITS, NOT_A_COMPLAINT
from ptmlops_contracts.run import RunStatus

# An upload of one row that is neither learned nor classified. Plan trains in its run, because learned rows were erased.
_COLUMNS = {"text": "text", "label": "label"}
_CONTENT = f"text,label\r\nTrain again after an erasure,{NOT_A_COMPLAINT}\r\n"


def that_learned(target: Target, plan: Plan) -> list[int]:
    """Return the numbers of the model versions that learned from rows of a plan, the newest first.

    A version learned from the files in the manifests of its run. If these have expired, it may have learned from all runs before it.
    """
    learned = {run_id for run_id, split in plan.learned_from() if split in LEARNED_SPLITS}
    if not learned:
        return []
    return [
        model["version"]
        for model in registry.versions(target)
        if model["run_id"] and learned & _learned_runs(target, model["run_id"], learned)
    ]


def _learned_runs(target: Target, trained_by: str, candidates: Collection[str]) -> set[str]:
    keys = (PreparedKeys(trained_by).split_manifest(split) for split in LEARNED_SPLITS)
    manifests: Any = (runs.read_json(target, target.outputs[PREPARED], key) for key in keys)  # lists, unlike other documents
    return learned_runs(trained_by, manifests, candidates)


def learned_erased_rows(target: Target) -> bool:
    """Return True if rows were erased that the newest version may have learned from: Plan trains again in the next run."""
    newest = next(iter(registry.statuses(target)), None)
    if newest is None:
        return False
    registered = target.client("sagemaker").describe_model_package(ModelPackageName=newest["arn"])["CreationTime"]
    bucket = target.outputs[PREPARED]
    marks = [runs.read_json(target, bucket, key) or {} for key in runs.keys(target, bucket, COMPLETE)]
    return any(datetime.fromisoformat(mark["erased_at"]) > registered for mark in marks if "erased_at" in mark)


def retrain(target: Target, follow: Callable[[str], bool]) -> dict[str, Any]:
    """Train again without the erased rows, in a run like any other, and return how the new model differs.

    Args:
        target: the deployment.
        follow: follows a run to its end.
    """
    key, bucket = f"ptmlops-retrain-{datetime.now(UTC):%Y%m%d-%H%M%S}.csv", target.outputs[RAW]
    answer = target.client("s3").put_object(
        Bucket=bucket, Key=key, Body=_CONTENT.encode(), ContentType="text/csv", Metadata=to_metadata(_COLUMNS)
    )
    run_id = wait_for_run(target, Upload(Path(key), bucket, key, answer["VersionId"]))
    follow(run_id)
    document = runs.run_document(target, run_id)
    return {"run_id": run_id, **_difference(target, run_id, document)}


def _difference(target: Target, run_id: str, document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "status": document["status"],
        "trained": document["trained"],
        "training_reason": document["training_reason"],
        "promoted": document["promoted"],
        "promotion": document["promotion"],
        "serves": document["model"]["version"],
    }
    if document["status"] != RunStatus.SUCCEEDED:
        found["error"] = document.get("error", {})
    evaluation = runs.read_json(target, target.outputs[MODELS], ModelKeys(run_id).evaluation_document) or {}
    champion, comparison = evaluation.get("champion") or {}, evaluation.get("comparison") or {}
    if "candidate" in evaluation:
        found["macro_f1"] = {"new": evaluation["candidate"]["macro_f1"], "old": champion.get("macro_f1")}
        found["held_out_rows"] = evaluation["holdout"]["rows"]
        names = ("macro_f1_difference", "interval", "rows_answered_differently")
        found["difference"] = {name: comparison[name] for name in names if name in comparison}
    return json.loads(json.dumps(found))  # type: ignore[no-any-return] # plain values only

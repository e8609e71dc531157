"""Repeat the scoring of a run that succeeded, with its model and its code: `ptmlops replay RUN --pinned`.

A SageMaker Model carries the code that it was registered with. The run's own transform job is created once more on the rows that the run
prepared, under a new run id. Nothing is prepared, trained, promoted or published, and no object of the run is touched.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from ptmlops import registry, runs
from ptmlops.errors import OperatorError
from ptmlops.options import command_for
from ptmlops.source_roots import add_source_roots_to_path
from ptmlops.target import Target
from ptmlops.transform_jobs import run_job
from ptmlops_contracts.keys import PreparedKeys, s3_uri
from ptmlops_contracts.registry import artifact_uri
from ptmlops_contracts.run import RunStatus
from ptmlops_contracts.run_ids import make_run_id
from ptmlops_contracts.state import StateDocument


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """What a repetition found.

    Attributes:
        run_id: the new run id, whose folder of the prepared bucket has the new answers.
        rows, differing: answers of the run, and those that are not the same now: labels, confidences, alternatives and terms.
        prepared_by: versions of Prepare and redaction that prepared the rows. Prepare is not repeated, because its code is not kept.
        now: the versions of this installation.
    """

    run_id: str
    repeats: str
    model_version: str
    model_name: str
    rows: int
    differing: int
    prepared_by: dict[str, Any] = field(default_factory=dict)
    now: dict[str, Any] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        """True if each answer is the same."""
        return self.differing == 0

    @property
    def prepared_otherwise(self) -> list[str]:
        """Names of the parts whose version differs from this installation's: Prepare would make other rows of the files now."""
        return [name for name, version in self.now.items() if self.prepared_by.get(name) != version]


def repeat(target: Target, run_id: str, report: Callable[[str], None]) -> Repetition:
    """Score the rows of a run again, with its model, and compare the answers.

    Raises:
        OperatorError: the run has not succeeded or scored nothing; its model or its rows do not exist any more; or the job failed.
    """
    state = _finished_state(target, run_id)
    job, champion = state["scoring"]["transform_job"], state["plan"]["champion"]
    artifact = _require_model(target, champion["model_name"], champion["version"])
    _require_artifact(target, artifact, champion["version"], report)
    bucket, old = target.outputs["PreparedBucketName"], PreparedKeys(run_id)
    if not runs.keys(target, bucket, old.to_score) or not runs.keys(target, bucket, old.scored):
        raise OperatorError(
            f"the prepared rows of run {run_id} have expired (retention.prepared_days): they cannot be scored again"
        )
    new = make_run_id(datetime.now(UTC), [run_id, "pinned"])
    scored = PreparedKeys(new).scored
    report(f"job {new}-0-0")
    _transform_again(target, job, name=f"{new}-0-0", output=s3_uri(bucket, scored))
    report("comparing")
    rows, differing = _compare(target, bucket, old.scored, scored)
    versions = (runs.read_json(target, bucket, old.report) or {}).get("versions", {})
    return Repetition(
        run_id=new,
        repeats=run_id,
        model_version=champion["version"],
        model_name=champion["model_name"],
        rows=rows,
        differing=differing,
        prepared_by={name: versions.get(name) for name in ("prepare", "redaction")},
        now=_versions_of_this_installation(),
    )


def _finished_state(target: Target, run_id: str) -> StateDocument:
    """Return the state document of a run that succeeded and scored."""
    document = runs.run_document(target, run_id, wait_seconds=0)
    if document["status"] != RunStatus.SUCCEEDED:
        raise OperatorError(
            f"run {run_id} has not succeeded ({document['status']}): use `{command_for(target, f'replay {run_id}')}` without --pinned"
        )
    try:
        state = runs.last_document(target, run_id)
    except target.client("stepfunctions").exceptions.ExecutionDoesNotExist:
        raise OperatorError(
            f"the execution of run {run_id} is gone (after 90 days, or with its state machine): its model is not known exactly"
        ) from None
    if "scoring" not in state:
        raise OperatorError(
            f"run {run_id} classified nothing, so there is nothing to repeat: choose another of `{command_for(target, 'status')}`"
        )
    return state


def _require_model(target: Target, name: str, version: str) -> str:
    """Return the address of a Model's artifact."""
    try:
        return str(target.client("sagemaker").describe_model(ModelName=name)["PrimaryContainer"]["ModelDataUrl"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":  # SageMaker's answer for a model that does not exist
            raise
        raise OperatorError(
            f"the SageMaker Model of version {version} was deleted: its code and weights cannot be used"
        ) from None


def _require_artifact(target: Target, artifact: str, version: str, report: Callable[[str], None]) -> None:
    """Require the artifact that the version was registered with.

    A group that was deleted and made again has other versions of the same numbers.
    """
    for model in registry.statuses(target):
        package = registry.describe(target, model["arn"]) if str(model["version"]) == version else None
        if package and artifact_uri(package) == artifact:
            registry.require_registered_artifact(target, package, report)
            return
    report(f"version {version} is not in the registry any more: its artifact was not compared")


def _transform_again(target: Target, job: str, *, name: str, output: str) -> None:
    """Create the same transform job with another name and output, and wait for its end."""
    sagemaker = target.client("sagemaker")
    described = sagemaker.describe_transform_job(TransformJobName=job)
    members = sagemaker.meta.service_model.operation_model("CreateTransformJob").input_shape.members
    request = {member: value for member, value in described.items() if member in members}
    request |= {
        "TransformJobName": name,
        "TransformOutput": {**described["TransformOutput"], "S3OutputPath": output},
        "Tags": sagemaker.list_tags(ResourceArn=described["TransformJobArn"])["Tags"],
    }
    run_job(target, request)


def _compare(target: Target, bucket: str, old: str, new: str) -> tuple[int, int]:
    """Return the count of old answers, and how many differ, whatever their order and the files that they are in."""
    before, after = (Counter(_answers(target, bucket, prefix)) for prefix in (old, new))
    return before.total(), max((before - after).total(), (after - before).total())


def _answers(target: Target, bucket: str, prefix: str) -> Iterator[bytes]:
    """Yield a hash of each answer below a prefix. Answers name no time, run or file."""
    s3 = target.client("s3")
    for key in runs.keys(target, bucket, prefix):
        for line in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_lines():
            if line:
                answer = json.dumps(json.loads(line), sort_keys=True)
                yield hashlib.sha256(answer.encode()).digest()


def _versions_of_this_installation() -> dict[str, Any]:
    add_source_roots_to_path()
    from complaints_etl import PREPARE_VERSION
    from complaints_etl.redaction import REDACTION_VERSION

    return {"prepare": PREPARE_VERSION, "redaction": REDACTION_VERSION}

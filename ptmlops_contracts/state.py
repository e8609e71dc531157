"""The state document: the JSON that grows through the state machine. It holds ids and counts, no personal data, no file names."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ptmlops_contracts.registry import artifact_uri, pin_of

# Version 2 has `collect`. A document without `schema_version` was started before version 0.2.0 of the software: it is version 1.
STATE_VERSION = 2
# A path of the state machine must find a value, so what does not exist is this text and not null.
NONE = "none"
# `promotion.decision` if another version was promoted while the candidate was evaluated: Evaluate repeats.
CHAMPION_CHANGED = "ChampionChanged"
# `promotion.decision` if a deployment changed the code between the trials, or between training and evaluation: the run trains again.
CODE_CHANGED = "CodeChanged"
# The stack output with role and network of SageMaker Models, as JSON: `{"role_arn", "network"}` of `model_name`.
MODEL_SERVING = "ModelServing"
# `plan.attempt` for the first training of a run and for each further one. The names of training and evaluation jobs contain it, because
# SageMaker accepts a name once. None of the letters occurs in a run's id.
ATTEMPTS = "-rstuvwxyz"


class Collected(TypedDict):
    """`$.collect`: what has joined the run so far, and whether it may start."""

    ready: bool
    wait_seconds: int  # until collect_run looks again, if it is not ready
    files: int
    bytes: int


class Champion(TypedDict):
    """The model that serves."""

    version: str
    model_name: str
    model_data_url: str
    macro_f1: float
    evaluation_uri: str


class PlannedRows(TypedDict):
    """Counts that Plan decides by."""

    labelled_new: int
    labelled_repeated: int  # rows of this run that an earlier one learned with the same label
    labelled_total: int
    labelled_left_out: int  # rows of other versions of redaction
    to_score: int


class PromotionResult(TypedDict):
    """What the gate decided: an approval status of the model registry, CHAMPION_CHANGED or CODE_CHANGED."""

    decision: str
    promoted: bool
    reasons: list[str]
    candidate_version: str


class Planned(TypedDict):
    """`$.plan` as Plan returns it."""

    train: bool
    score: bool
    reason: str
    rows: PlannedRows
    manifests: dict[str, str]
    request_uri: str
    champion: Champion
    parent_tuning_job: str
    attempt: str


class Plan(Planned, total=False):
    """`$.plan`; Promote replaces it with the plan as it then is."""

    promotion: PromotionResult


class JobRun(TypedDict):
    """A finished Glue job run; ExecutionTime is in seconds."""

    JobRunId: str
    ExecutionTime: int


class Tuning(TypedDict):
    """The finished tuning job and its best completed trial; `objective` is the trial's macro-F1 on validation."""

    tuning_job: str
    best_training_job: str
    objective: float


class EvaluationJob(TypedDict):
    """The finished processing job."""

    processing_job: str


class ScoringJob(TypedDict):
    """The finished transform job."""

    transform_job: str


class StateInput(TypedDict):
    """What start_run starts an execution with."""

    run_id: str
    schema_version: int


class StateDocument(StateInput, total=False):
    """The document; each part appears once its state has ended."""

    collect: Collected
    prepare: JobRun
    plan: Plan
    training: Tuning
    evaluation: EvaluationJob
    scoring: ScoringJob
    publish: JobRun


class EvaluationRequest(TypedDict):
    """request.json: what Evaluate and Promote have to know besides their data.

    `unfamiliar` has, for each file of the labelled rows whose labels had nothing in common with those of the model that served then,
    some of its labels. A champion that knows one of them was approved by a person since. `champion_sha256` is NONE if the champion was
    registered without a digest, and absent in requests of 0.2.0 and earlier. `champion_runs` are those of the
    labelled rows' runs that the champion has learned from, and absent in requests of 0.2.0 and earlier.
    """

    run_id: str
    champion_version: str
    champion_sha256: str
    champion_runs: list[str]
    target_precision: float
    max_recall_drop: float
    seed: int
    unfamiliar: list[list[str]]


# The champion's entry if there is none. A processing job's input must exist, so `champion_entry` sets `model_data_url` to the
# folder of request.json: Evaluate finds no model there.
NO_CHAMPION = Champion(version=NONE, model_name=NONE, model_data_url=NONE, macro_f1=0, evaluation_uri=NONE)


def champion_entry(
    package: Mapping[str, Any] | None, *, request_uri: str, role_arn: str, network: Mapping[str, Sequence[str]]
) -> Champion:
    """Describe the model that serves, for `$.plan.champion`.

    `evaluation_uri` is the address that was recorded when the package was registered, not one derived from its run: a package
    may be registered without an evaluation, and Publish must not look for one.

    Args:
        package: the answer of DescribeModelPackage, or None if no version is approved.
        request_uri: the folder of this run's request.json.
        role_arn: the role of SageMaker Models.
        network: their VpcConfig, or empty.
    """
    if package is None:
        return {**NO_CHAMPION, "model_data_url": request_uri}
    metadata = package.get("CustomerMetadataProperties", {})
    recorded = str(metadata.get("evaluation_uri", NONE))
    return Champion(
        version=str(package["ModelPackageVersion"]),
        model_name=model_name(package, role_arn, network),
        model_data_url=artifact_uri(package),
        macro_f1=_number(metadata.get("macro_f1")),
        evaluation_uri=recorded if recorded.startswith("s3://") else NONE,
    )


def champion_sha256(package: Mapping[str, Any] | None) -> str:
    """Return `EvaluationRequest.champion_sha256` of a package, or NONE."""
    pin = pin_of(package) if package else None
    return pin.sha256 if pin else NONE


def trained_by(package: Mapping[str, Any] | None) -> str:
    """Return the run that trained a package, or NONE."""
    return str((package or {}).get("CustomerMetadataProperties", {}).get("run_id", NONE))


def model_name(package: Mapping[str, Any], role_arn: str, network: Mapping[str, Sequence[str]]) -> str:
    """Return the name of the SageMaker Model that serves a package: `<group>-v<version>-<8 digits>`.

    The digits come from the artifact's address, the role and the network, none of which a Model can change. A group that is deleted and
    made again counts versions from 1 again.
    """
    parts = [artifact_uri(package), role_arn, *(f"{key}={','.join(sorted(network[key]))}" for key in sorted(network))]
    digest = hashlib.sha256(" ".join(parts).encode()).hexdigest()
    return f"{package['ModelPackageGroupName']}-v{package['ModelPackageVersion']}-{digest[:8]}"


def _number(text: str | None) -> float:
    """Return a number of a package's metadata; 0 if a person registered the version without it."""
    try:
        value = float(text or 0)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0

"""Let another model version serve: `promote` and `rollback`, with a check before, and a record of who decided and why.

The registry keeps the last decision on each version, as a description, as metadata and in the model card. All decisions are in the models
bucket (`ptmlops_contracts.keys.decision_key`). The gate's decision is promotion.json.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from ptmlops import canary, registry
from ptmlops.canary import Canary
from ptmlops.errors import OperatorError
from ptmlops.options import command_for
from ptmlops.source_roots import add_source_roots_to_path
from ptmlops.target import Target
from ptmlops_contracts.keys import decision_key
from ptmlops_contracts.registry import (
    CANARY,
    DECIDED_AT,
    DECIDED_BY,
    DECIDED_REASON,
    OVERRIDE,
    description_value,
    metadata_value,
)
from ptmlops_contracts.state import CHAMPION_CHANGED, MODEL_SERVING

LONGEST_REASON = 500  # characters; a description has 1,024, and names the person and the command, too
APPROVED, PENDING, REJECTED = "Approved", "PendingManualApproval", "Rejected"
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A person's decision, as the models bucket keeps it.

    Attributes:
        command: promote or rollback.
        serving: the version that serves from now on; None if none does.
        rejected: versions that were taken out.
        by, at, reason: who decided, when (UTC) and why.
        override: whether it went against the gate, or left no version to serve.
        canary: the check of `serving`; None if none serves.
    """

    command: str
    serving: int | None
    rejected: list[int]
    by: str
    at: str
    reason: str
    override: bool
    canary: Canary | None


def promote(target: Target, version: int, *, reason: str, override: bool, report: Report) -> Decision:
    """Let a version serve, after its canary check, and take out the newer approved ones.

    Raises:
        OperatorError: the version does not exist, serves already, was refused by the gate, or did not pass its canary check.
    """
    reason, chosen = _checked_reason(reason), registry.find(target, version)
    if chosen["serves"]:
        raise OperatorError(f"version {version} serves already: see `{command_for(target, f'models {version}')}`")
    package = registry.describe(target, chosen["arn"])
    refusal = _refusal(package)
    if refusal and not override:
        raise OperatorError(f"{refusal}. To let it serve all the same, add --override")
    checked = _check(target, package, report)
    # The check takes minutes, so another version may have been approved since.
    newer = [model for model in registry.statuses(target) if model["version"] > version and model["status"] == APPROVED]
    decision = _decide(
        target, "promote", serving=version, rejected=newer, reason=reason, override=bool(refusal), checked=checked
    )
    # First this one and then the others: at no time does none serve.
    _set_status(target, package, APPROVED, decision, f"Promoted: {reason}")
    for model in newer:
        _set_status(target, registry.describe(target, model["arn"]), REJECTED, decision, f"Version {version} serves: {reason}")
    _keep(target, decision)
    return decision


def rollback(target: Target, *, reason: str, override: bool, report: Report) -> Decision:
    """Take the serving version out, after the canary check of the approved one before it, which serves from then on.

    Raises:
        OperatorError: no version serves, no version would serve, or the next one did not pass its canary check.
    """
    reason, models = _checked_reason(reason), registry.statuses(target)
    serving = next((model for model in models if model["serves"]), None)
    if serving is None:
        raise OperatorError(
            f"no model version serves, so there is nothing to roll back: see `{command_for(target, 'models')}`"
        )
    following = next((model for model in models if model["status"] == APPROVED and model is not serving), None)
    if following is None and not override:
        raise OperatorError(
            f"no approved version is older than version {serving['version']}, so none would serve, and runs with complaints to classify "
            f"would fail. Let another one serve with `{command_for(target, 'promote VERSION --reason TEXT')}`, or add --override"
        )
    package = registry.describe(target, following["arn"]) if following else None
    checked = _check(target, package, report) if package else None
    now = next((model["version"] for model in registry.statuses(target) if model["serves"]), None)
    if now != serving["version"]:  # the check takes minutes
        raise OperatorError(
            f"version {now} serves since this command began, and nothing was changed: use it again if you mean that one"
        )
    decision = _decide(
        target,
        "rollback",
        serving=following["version"] if following else None,
        rejected=[serving],
        reason=reason,
        override=following is None,
        checked=checked,
    )
    if package:
        _set_status(target, package, APPROVED, decision, f"Serves again after a rollback: {reason}")
    _set_status(target, registry.describe(target, serving["arn"]), REJECTED, decision, f"Rolled back: {reason}")
    _keep(target, decision)
    return decision


def _checked_reason(reason: str) -> str:
    text = " ".join(reason.split())
    if not text:
        raise OperatorError("--reason is empty: say why, for those who ask later")
    if len(text) > LONGEST_REASON:
        raise OperatorError(f"--reason has {len(text)} characters, more than {LONGEST_REASON}: shorten it")
    return text


def _refusal(package: Mapping[str, Any]) -> str | None:
    """Return why the gate did not let a version pass, or None if it did or left the decision to a person."""
    version, metadata = package["ModelPackageVersion"], package.get("CustomerMetadataProperties", {})
    verdict = metadata.get("decision")
    if verdict in (APPROVED, PENDING):
        return None
    if verdict == CHAMPION_CHANGED:
        return (
            f"version {version} was overtaken: another one was promoted while it was judged, and run {metadata.get('run_id')} "
            "registered it again after a comparison with that one"
        )
    if verdict == REJECTED:
        return f"the gate refused version {version} ({metadata.get('reason', 'without a reason')})"
    return f"the gate has not judged version {version}"


def _check(target: Target, package: Mapping[str, Any], report: Report) -> Canary:
    """Compare a version's artifact with its pin, make its SageMaker Model if it is missing, and run the canary check with it."""
    add_source_roots_to_path()
    from common.served_model import ModelMismatchError, ensure_model

    if MODEL_SERVING not in target.outputs:
        raise OperatorError("the deployment is older than this command: deploy it again, and then use the command")
    serving = json.loads(target.outputs[MODEL_SERVING])
    registry.require_registered_artifact(target, package, report)
    try:
        # An overtaken version has none, and Models are in no stack: somebody may have deleted it.
        name = ensure_model(
            target.client("sagemaker"), package=package, role_arn=serving["role_arn"], network=serving["network"]
        )
    except ModelMismatchError as error:
        raise OperatorError(str(error)) from None
    checked = canary.check(target, package, name, report)
    registry.require_registered_artifact(target, package, lambda _: None)  # the check took minutes
    return checked


def _decide(
    target: Target,
    command: str,
    *,
    serving: int | None,
    rejected: list[dict[str, Any]],
    reason: str,
    override: bool,
    checked: Canary | None,
) -> Decision:
    return Decision(
        command=command,
        serving=serving,
        rejected=[model["version"] for model in rejected],
        by=str(target.client("sts").get_caller_identity()["Arn"]),
        at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        reason=reason,
        override=override,
        canary=checked,
    )


def _set_status(target: Target, package: Mapping[str, Any], status: str, decision: Decision, description: str) -> None:
    """Set a version's approval status with the decision, in one call."""
    fields = {
        DECIDED_BY: decision.by,
        DECIDED_AT: decision.at,
        DECIDED_REASON: decision.reason,
        OVERRIDE: "yes" if decision.override else "no",
    }
    if decision.canary and status == APPROVED:
        fields[CANARY] = f"{decision.canary.job}: {decision.canary.answered} answered, {decision.canary.compared} compared"
    overridden = " with --override" if decision.override else ""
    target.client("sagemaker").update_model_package(
        ModelPackageArn=package["ModelPackageArn"],
        ModelApprovalStatus=status,
        ApprovalDescription=description_value(f"{description} ({decision.by}, {decision.at}{overridden})"),
        CustomerMetadataProperties={name: metadata_value(value) for name, value in fields.items()},
        **_card(package, status, fields),
    )


def _card(package: Mapping[str, Any], status: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the model card with the decision, as a parameter of UpdateModelPackage. A version of an earlier release has no card."""
    if not (content := package.get("ModelCard", {}).get("ModelCardContent")):
        return {}
    card: dict[str, Any] = json.loads(content)
    card.setdefault("additional_information", {}).setdefault("custom_details", {}).update({**fields, "status": status})
    state = "Approved" if status == APPROVED else "Draft"
    return {"ModelCard": {"ModelCardContent": json.dumps(card), "ModelCardStatus": state}}


def _keep(target: Target, decision: Decision) -> None:
    """Add a decision to the history of each version that it is about."""
    bucket, body = target.outputs["ModelsBucketName"], json.dumps(asdict(decision), ensure_ascii=False, indent=1).encode()
    for version in [*([decision.serving] if decision.serving else []), *decision.rejected]:
        key = decision_key(version, decision.at)
        target.client("s3").put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")

"""Syntheses of the real app: jsii and cdk-nag take seconds, so one is kept until something that it is made from changes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local_aws import ROOT
from local_aws.assembly import find_or_synthesize

if TYPE_CHECKING:
    from stacks.config import Settings

STACKS = ("storage", "preparation", "modeling", "workflow", "monitoring", "analytics")


@dataclass(frozen=True)
class Template:
    """A synthesized template, asked by resource type: no test types a logical id."""

    body: dict[str, Any]

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        return {name: body for name, body in self.body.get("Resources", {}).items() if body["Type"] == kind}

    def properties(self, kind: str) -> list[dict[str, Any]]:
        return [body.get("Properties", {}) for body in self.resources(kind).values()]

    def statements(self) -> list[tuple[str, dict[str, Any]]]:
        """(policy's logical id, statement) of every identity policy."""
        return [
            (name, statement)
            for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
            for name, body in self.resources(kind).items()
            for statement in body["Properties"]["PolicyDocument"]["Statement"]
        ]


def tables_of(environment: str) -> dict[str, Any]:
    """The tables of an environment's file; prod with the address that its file asks for."""
    from stacks.config import ENVIRONMENTS

    tables = tomllib.loads((ENVIRONMENTS / f"{environment}.toml").read_text(encoding="utf-8"))
    if environment == "prod":
        tables.setdefault("alarms", {})["emails"] = ["team@example.com"]
    return {"name": environment, **tables}


def settings_of(environment: str, /, **changes: dict[str, Any]) -> Settings:
    """The settings of an environment, with these keys of its tables changed: `analytics={"refresh_time": "06:00"}`."""
    from stacks.config import Settings

    tables = tables_of(environment)
    for table, keys in changes.items():
        tables[table] = {**tables.get(table, {}), **keys}
    return Settings.model_validate(tables)


def synthesize(environment: str, folder: Path, /, **changes: dict[str, Any]) -> dict[str, Template]:
    """The environment's stacks, with some of its settings changed."""
    from app import PtmlopsApp

    PtmlopsApp(chosen=settings_of(environment, **changes), outdir=str(folder)).synth()
    return read_templates(environment, folder)


def read_templates(environment: str, folder: Path) -> dict[str, Template]:
    return {
        stack: Template(json.loads((folder / f"ptmlops-{environment}-{stack}.template.json").read_text(encoding="utf-8")))
        for stack in STACKS
    }


def kept_assembly(environment: str, /, **changes: dict[str, Any]) -> Path:
    """The folder of a synthesis, which processes and test runs share; one that failed is not kept.

    `compute={"numba": "off"}` leaves out wheels that take longer to pack than everything else, and that few tests look into.
    """

    def write(folder: Path) -> None:
        synthesize(environment, folder, **changes)

    if environment == "local" and not changes:
        return find_or_synthesize("local", write)  # the assembly that `make install` has made
    name = hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()[:8]
    kept = ROOT / "build" / "assembly-of-tests"
    kept.mkdir(parents=True, exist_ok=True)
    with (kept.parent / "assembly-of-tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process that needs the same one waits for it
        return find_or_synthesize(f"{environment}-{name}", write, kept=kept)


def statements_of_policy(templates: dict[str, Template], name: str) -> dict[str, Any]:
    """The statements of a managed policy of the storage stack that people attach themselves, by sid."""
    policies = templates["storage"].resources("AWS::IAM::ManagedPolicy")
    [policy] = [body["Properties"] for logical_id, body in policies.items() if logical_id.startswith(name)]
    assert not policy.get("Roles")
    return {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}


@pytest.fixture(scope="session")
def templates() -> dict[str, Template]:
    """The stacks of the local environment; cdk-nag has passed when this returns."""
    return read_templates("local", kept_assembly("local"))


@pytest.fixture(scope="session")
def prod_templates() -> dict[str, Template]:
    return read_templates("prod", kept_assembly("prod"))


REPOSITORY = "bank/ptmlops"
PRINCIPAL = "arn:aws:quicksight:us-east-1:123456789012:group/default/customer-care"
NO_NUMBA: dict[str, dict[str, Any]] = {"compute": {"numba": "off"}}
OPTIONAL = {**NO_NUMBA, "delivery": {"repository": REPOSITORY}, "analytics": {"quicksight_principal": PRINCIPAL}}
UPLOADER = "arn:aws:iam::111122223333:role/uploader"
DAYS = {
    "raw_days": 365, "prepared_days": 120, "labelled_days": 700, "results_days": 500, "models_days": 800, "erasure_days": 1000,
    "noncurrent_days": 30, "ledger_days": 395, "tiering_days": 60,
}  # fmt: skip
EVERY_KIND: dict[str, dict[str, Any]] = {
    **NO_NUMBA,
    "alarms": {
        "emails": [],
        "topic_arn": "arn:aws:sns:us-east-1:111122223333:operations",
        "slack_workspace_id": "T0123456789",
        "slack_channel_id": "C0123456789",
        "teams_tenant_id": "0a1b2c3d-0000-4000-8000-0123456789ab",
        "teams_team_id": "0a1b2c3d-0000-4000-8000-0123456789ac",
        "teams_channel_id": "19%3ab6ef35dc342d5621ebf%40thread.tacv2",
        "no_files_days": 3,
    },
    "uploads": {"principals": [UPLOADER]},
    "retention": {**DAYS, "log_days": 30},
}


@pytest.fixture(scope="session")
def shared_templates() -> dict[str, Template]:
    """The stacks of prod with everything that is optional."""
    return read_templates("prod", kept_assembly("prod", **OPTIONAL))


@pytest.fixture(scope="session")
def every_kind() -> dict[str, Template]:
    """The stacks of prod with every recipient and every alarm, for uploaders of another account, and keeping nothing for ever."""
    return read_templates("prod", kept_assembly("prod", **EVERY_KIND))


@pytest.fixture(scope="session")
def definition(templates: dict[str, Template]) -> dict[str, Any]:
    """The state machine's definition, every CloudFormation token replaced by a placeholder."""
    (machine,) = templates["workflow"].properties("AWS::StepFunctions::StateMachine")
    text = machine["DefinitionString"]
    if isinstance(text, dict):
        text = "".join(part if isinstance(part, str) else "TOKEN-THAT-CLOUDFORMATION-RESOLVES" for part in text["Fn::Join"][1])
    parsed: dict[str, Any] = json.loads(text)
    return parsed

"""The policy of who promotes allows what the command line does with models, and neither uploads nor changes of a model's files."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.athena import text
from tests.stacks.conftest import Template, statements_of_policy

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def statements(templates: dict[str, Template]) -> dict[str, Any]:
    return statements_of_policy(templates, "PromotePolicy")


def places(statement: dict[str, Any]) -> set[str]:
    resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    return {re.sub(r"^bucket/", "", text(resource)) for resource in resources}


def test_what_may_be_written_is_the_check_and_the_decisions(statements: dict[str, Any]) -> None:
    assert places(statements["Write"]) == {"runs/*/to_score/*", "decisions/*"}
    writing = {
        sid for sid, statement in statements.items() if re.search(r"s3:(Put|Delete|Abort)", json.dumps(statement["Action"]))
    }
    assert writing == {"Write"}


def test_what_may_be_read_has_no_row_that_a_model_learned_from_and_no_result(statements: dict[str, Any]) -> None:
    assert places(statements["Read"]) == {
        "evaluations/*", "training/*", "decisions/*", "labelled/test/*", "runs/*/scored/*", "runs/run_id=*/published.json",
    }  # fmt: skip


def test_jobs_have_the_tag_of_the_environment(statements: dict[str, Any]) -> None:
    assert statements["Check"]["Condition"] == {"StringEquals": {"aws:RequestTag/environment": "local"}}
    assert statements["Watch"]["Condition"] == {"StringEquals": {"aws:ResourceTag/environment": "local"}}


def test_no_unit_but_the_gate_may_approve_a_version(templates: dict[str, Template]) -> None:
    may = {
        re.sub("[0-9A-F]{8}$", "", policy)
        for template in templates.values()
        for policy, statement in template.statements()
        if "sagemaker:UpdateModelPackage" in json.dumps(statement["Action"])
    }
    assert may == {"PromotePolicy", "PromoteModelRoleDefaultPolicy"}


def test_the_policy_is_as_short_as_managed_policies_must_be(templates: dict[str, Template]) -> None:
    """6,144 characters without white space: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html."""
    for name, body in templates["storage"].resources("AWS::IAM::ManagedPolicy").items():
        document = json.dumps(body["Properties"]["PolicyDocument"], separators=(",", ":"))
        assert len(document) < 6144, name

"""Local AWS refuses what botocore's models of AWS's APIs refuse, operation by operation and constraint by constraint."""

from __future__ import annotations

import ast
import itertools
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.session
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws import ROOT
from local_aws.conformance import KINDS, LENIENT, OPERATIONS, Case, cases, valid_request
from tests.unit.local_aws.conftest import Sandbox

# What services call in the product's name: the state machine's integrations, and Lambda for the arrivals queue.
BY_SERVICES = {
    "glue": {"StartJobRun", "GetJobRun", "GetJobRuns", "BatchStopJobRun"},
    "sagemaker": {f"{verb}{kind}Job" for verb in ("Create", "Describe", "Stop") for kind in ("HyperParameterTuning", "Processing", "Transform")},
    "sqs": {"ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility"},
    "lambda": {"Invoke"},
}  # fmt: skip
# Of the command line for local AWS, or methods of other objects than clients.
NOT_OPERATIONS = {("lambda", "ListTags"), ("glue", "DeleteTable"), ("sagemaker", "Search")}
DETECTED = "validation error"


def client(sandbox: Sandbox, service: str) -> Any:
    """A client that sends what it is given: boto3 would refuse some of the cases itself."""
    session = boto3.Session(region_name="us-east-1", **_keys(sandbox))
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    return session.client(service, endpoint_url=sandbox.aws.endpoint_url, config=config)


def _keys(sandbox: Sandbox) -> dict[str, str]:
    environment = sandbox.aws.environment
    return {name.lower(): environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}


def answer(caller: Any, operation: str, request: dict[str, Any]) -> str:
    """The error message of a call, or nothing."""
    try:
        getattr(caller, xform_name(operation))(**request)
    except ClientError as error:
        return error.response["Error"]["Message"]
    except Exception as error:  # noqa: BLE001 - moto fails on some requests that are valid and name nothing that exists
        return repr(error)
    return ""


def chosen(service: str, operation: str) -> Iterator[Case]:
    """All cases of an operation at night, else some of each kind: SageMaker's requests have 1,200 constraints."""
    counts = Counter[str]()
    for case in cases(service, operation):
        counts[case.kind] += 1
        if os.environ.get("PTMLOPS_NIGHTLY") or counts[case.kind] <= 12:
            yield case


def can_be_sent(service: str, case: Case) -> bool:
    """What boto3 cannot send: a path without its parameter, an empty structure in a form, and BatchGetItem without tables."""
    missing = case.kind == "missing"
    return not (
        (service == "lambda" and case.field == "FunctionName" and case.kind in ("missing", "minimum"))
        or (service == "sns" and missing and "." in case.field)
        or (service == "dynamodb" and missing and case.field == "RequestItems")
    )


@pytest.mark.parametrize("service", sorted(OPERATIONS))
@pytest.mark.slow
def test_each_constraint_of_the_model_is_enforced(sandbox: Sandbox, service: str) -> None:
    caller = client(sandbox, service)
    accepted, counts = [], Counter[str]()
    for operation in OPERATIONS[service]:
        assert DETECTED not in answer(caller, operation, valid_request(service, operation)), operation
        for case in chosen(service, operation):
            if can_be_sent(service, case):
                counts[case.kind] += 1
                if DETECTED not in answer(caller, operation, case.request):
                    accepted.append(f"{operation} {case.field}: {case.kind}")
    assert accepted == []
    assert counts


@pytest.mark.slow
def test_the_operations_are_those_that_the_product_calls() -> None:
    called = {name for folder in ("lambdas", "glue_jobs", "ptmlops") for name in _methods(folder)}
    session = botocore.session.get_session()
    for service in {*OPERATIONS, *LENIENT}:
        names = {name for name in session.get_service_model(service).operation_names if xform_name(name) in called}
        names = {name for name in names if (service, name) not in NOT_OPERATIONS} | BY_SERVICES.get(service, set())
        if service not in LENIENT:
            assert set(OPERATIONS[service]) == names
    assert {kind for service in OPERATIONS for operation in OPERATIONS[service] for kind in _kinds(service, operation)} == set(
        KINDS
    )


def _kinds(service: str, operation: str) -> set[str]:
    return {case.kind for case in cases(service, operation)}


def _methods(folder: str) -> set[str]:
    """The names of all methods that a folder's code calls, or asks a paginator for."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / folder).rglob("*.py")]
    names = set()
    for node in itertools.chain.from_iterable(map(ast.walk, trees)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            names.add(node.func.attr)
            if node.func.attr in ("get_paginator", "get_waiter") and isinstance(node.args[0], ast.Constant):
                names.add(str(node.args[0].value))
    return names


@pytest.mark.slow
def test_what_local_aws_accepts_and_aws_refuses(sandbox: Sandbox) -> None:
    """The leniencies that docs/explanation/local-aws.md lists. One that is gone fails here, and leaves the list."""
    bucket = sandbox.bucket()
    s3 = client(sandbox, "s3")
    assert answer(s3, "ListObjectsV2", {"Bucket": bucket, "EncodingType": "not-one-of-these"}) == ""
    # A value of another type than the model's.
    glue = client(sandbox, "glue")
    assert DETECTED not in answer(glue, "GetJobRuns", {"JobName": 5})

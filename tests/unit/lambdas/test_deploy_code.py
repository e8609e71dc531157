"""deploy_code: what jobs read after a deployment, and what CloudFormation is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from common.clients import Clients
from deploy_code import handler
from deploy_code.response import respond
from moto import mock_aws

from tests.unit.lambdas.conftest import CONTEXT

PROPERTIES = {
    "ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:deploy",
    "SourceBucket": "assets",
    "SourceKey": "ptmlops-test/2.gz",
    "TargetBucket": "models",
    "TargetKey": "code/training/sourcedir.tar.gz",
}
TARGET = "s3://models/code/training/sourcedir.tar.gz"


@pytest.fixture
def answers() -> Iterator[list[Any]]:
    """What a server at `answers[0]` receives."""
    received: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append({**json.loads(body), "type": self.headers["Content-Type"], "bytes": len(body)})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """No line per request."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    received.append(f"http://127.0.0.1:{server.server_address[1]}/answer")
    yield received
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _buckets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with mock_aws():
        for name in ("assets", "models"):
            boto3.client("s3").create_bucket(Bucket=name)
        for key, text in (("ptmlops-test/1.gz", "first"), ("ptmlops-test/2.gz", "second")):
            boto3.client("s3").put_object(Bucket="assets", Key=key, Body=text.encode())
        monkeypatch.setattr(handler, "CLIENTS", Clients())
        yield


def deploy(answers: list[Any], request: str = "Create", **properties: str) -> Any:
    event = {
        "RequestType": request,
        "ResponseURL": answers[0],
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Copy",
        "ResourceProperties": {**PROPERTIES, **properties},
    }
    context = type(CONTEXT)(**vars(CONTEXT), log_group_name="group", log_stream_name="stream")
    handler.lambda_handler(event, context)
    return answers[-1]


def deployed() -> str:
    body = boto3.client("s3").get_object(Bucket="models", Key=PROPERTIES["TargetKey"])["Body"].read()
    return str(body.decode())


def test_a_deployment_replaces_the_code_at_the_address(answers: list[Any]) -> None:
    first = deploy(answers, SourceKey="ptmlops-test/1.gz")
    assert deployed() == "first"
    second = deploy(answers, "Update")
    assert deployed() == "second"
    assert (first["Status"], first["PhysicalResourceId"]) == ("SUCCESS", TARGET)
    # The same id, or CloudFormation would delete the resource of the id before.
    assert second["PhysicalResourceId"] == TARGET
    assert {name: second[name] for name in ("StackId", "RequestId", "LogicalResourceId")} == {
        "StackId": "stack", "RequestId": "request", "LogicalResourceId": "Copy",
    }  # fmt: skip
    assert second["type"] == ""


def test_a_deployment_that_is_rolled_back_brings_the_earlier_code_back(answers: list[Any]) -> None:
    deploy(answers)
    deploy(answers, "Update", SourceKey="ptmlops-test/1.gz")
    assert deployed() == "first"


def test_a_deleted_stack_leaves_the_code_to_runs_that_read_it(answers: list[Any]) -> None:
    deploy(answers)
    assert deploy(answers, "Delete")["Status"] == "SUCCESS"
    assert deployed() == "second"


def test_a_failure_is_reported_within_the_size_that_cloudformation_takes(answers: list[Any]) -> None:
    answer = deploy(answers, SourceKey="missing")
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(f"{TARGET} was not written: An error occurred (NoSuchKey)")
    assert answer["Reason"].endswith("See log stream stream in group")
    event = {"ResponseURL": answers[0], "StackId": "s" * 300, "RequestId": "r" * 40, "LogicalResourceId": "l" * 255}
    respond(event, status="FAILED", resource_id=TARGET, reason="ñ" * 5000)
    assert answers[-1]["bytes"] <= 4096


def test_a_role_that_is_not_known_everywhere_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class NewRole:
        refusals = 3

        def copy_object(self, **request: Any) -> None:
            if self.refusals:
                self.refusals -= 1
                raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not yet"}}, "CopyObject")
            boto3.client("s3").copy_object(**request)

    handler.copy_code(NewRole(), PROPERTIES, pause_seconds=0)  # type: ignore[arg-type]
    assert deployed() == "second"

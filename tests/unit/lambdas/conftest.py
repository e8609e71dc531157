"""Functions under moto, called as Lambda calls them."""

from __future__ import annotations

import os
from functools import cache
from types import SimpleNamespace

import boto3
import moto.core  # noqa: F401 - clients that exist before it are not mocked
import pytest

os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "ptmlops-test")  # read while a handler is imported
# What Powertools reads of Lambda's context object.
CONTEXT = SimpleNamespace(
    function_name="function",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:function",
    aws_request_id="00000000-0000-0000-0000-000000000000",
)


# Prices of jobs that make sums easy: a DPU hour and an instance hour cost 3.60 USD, a second 0.001 USD.
PRICES = {
    "region": "eu-west-1",
    "priced_region": "us-east-1",
    "recorded": "2026-11-23",
    "glue_dpu_hour": 3.6,
    "glue_dpus": 2,
    "trials": 2,
    "prepare_job": "prepare",
    "publish_job": "publish",
    "instances": {part: {"ml.m5.large": 3.6} for part in ("training", "evaluation", "scoring")},
}


def create_ledger() -> None:
    """Create the table `ledger`."""
    boto3.client("dynamodb").create_table(
        TableName="ledger",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


@cache
def _cached(service: str) -> object:
    return boto3.Session().client(service)


def _client(service: str, config: object = None) -> object:
    """One client per service for all tests: to create one takes longer than a test, and mock_aws answers it all the same."""
    del config  # how to retry, which no test is about
    return _cached(service)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr(boto3, "client", _client)

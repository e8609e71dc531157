"""The policy of the eraser allows what `ptmlops forget` does, in the folders that may hold rows; no role of the template has it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ptmlops.erasure.places import MODELS, PLACES, RAW
from tests.athena import text
from tests.stacks.conftest import Template, statements_of_policy

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def statements(templates: dict[str, Template]) -> dict[str, Any]:
    return statements_of_policy(templates, "ErasePolicy")


def folders(statement: dict[str, Any], bucket: str = "") -> set[str]:
    """What a statement names in all buckets, or in the one whose logical id or export contains `bucket`."""
    named = [resource for resource in statement["Resource"] if bucket in json.dumps(resource)]
    return {re.sub(r"^bucket/", "", text(resource)) for resource in named}


def test_every_place_with_rows_can_be_rewritten_and_deleted(statements: dict[str, Any]) -> None:
    for sid in ("Rewrite", "Delete"):
        allowed = folders(statements[sid])
        for place in PLACES:
            if place.rows and place.bucket != RAW:
                assert any(place.pattern.startswith(folder.rstrip("*")) for folder in allowed), place
    assert set(statements["Delete"]["Action"]) == {"s3:DeleteObject", "s3:DeleteObjectVersion"}


def test_neither_models_nor_their_code_can_be_changed(statements: dict[str, Any]) -> None:
    for sid in ("Rewrite", "Delete"):
        assert folders(statements[sid], "RawBucket") == {"*"}  # uploads may be anywhere in their bucket, and only in theirs
        allowed = folders(statements[sid], "ModelsBucket")
        assert allowed == {"evaluations/*"}
        for place in PLACES:
            if place.bucket == MODELS and place.pattern.startswith(("training/", "checkpoints/", "code/")):
                assert not any(place.pattern.startswith(folder.rstrip("*")) for folder in allowed), place


def test_the_key_is_used_through_storage_only(statements: dict[str, Any]) -> None:
    services = statements["Key"]["Condition"]["StringEquals"]["kms:ViaService"]
    assert [text(service).split(".")[0] for service in services] == ["s3", "dynamodb"]


def test_no_lock_or_policy_keeps_versions_from_being_deleted(prod_templates: dict[str, Template]) -> None:
    """Object Lock would keep every version for its period, whoever asks."""
    for bucket in prod_templates["storage"].properties("AWS::S3::Bucket"):
        assert not bucket.get("ObjectLockEnabled")
    [key] = prod_templates["storage"].properties("AWS::KMS::Key")
    assert all(statement["Effect"] == "Allow" for statement in key["KeyPolicy"]["Statement"])
    for policy in prod_templates["storage"].properties("AWS::S3::BucketPolicy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Deny":
                assert set(statement["Condition"]) <= {"Bool", "NumericLessThan"}  # without TLS, or with an old one

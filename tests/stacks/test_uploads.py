"""Who uploads may upload, and nothing else: people of this account by a managed policy, others by the bucket and key policies."""

from __future__ import annotations

import pytest

from tests.stacks.conftest import UPLOADER, Template, settings_of

pytestmark = pytest.mark.slow

THROUGH_S3 = {"StringEquals": {"kms:ViaService": {"Fn::Join": ["", ["s3.us-east-1.", {"Ref": "AWS::URLSuffix"}]]}}}


def test_the_drop_policy_allows_uploads_to_the_raw_bucket_and_nothing_else(templates: dict[str, Template]) -> None:
    storage = templates["storage"]
    [policy] = [body for name, body in storage.resources("AWS::IAM::ManagedPolicy").items() if name.startswith("DropPolicy")]
    [raw] = [name for name in storage.resources("AWS::S3::Bucket") if name.startswith("RawBucket")]
    [key] = storage.resources("AWS::KMS::Key")
    bucket, objects = {"Fn::GetAtt": [raw, "Arn"]}, {"Fn::Join": ["", [{"Fn::GetAtt": [raw, "Arn"]}, "/*"]]}

    statements = {statement.pop("Sid"): statement for statement in policy["Properties"]["PolicyDocument"]["Statement"]}

    assert {sid: (set(statement["Action"]), statement["Resource"]) for sid, statement in statements.items()} == {
        "Upload": ({"s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}, objects),
        "FindBucket": ({"s3:GetBucketLocation", "s3:ListBucketMultipartUploads"}, bucket),
        "Key": ({"kms:GenerateDataKey", "kms:Decrypt"}, {"Fn::GetAtt": [key, "Arn"]}),
    }
    assert statements["Key"]["Condition"] == THROUGH_S3
    [output] = [value for name, value in storage.body["Outputs"].items() if name == "DropPolicyArn"]
    assert "DropPolicy" in output["Value"]["Ref"]


def test_another_accounts_uploader_is_in_the_bucket_and_key_policies(every_kind: dict[str, Template]) -> None:
    shared = every_kind["storage"]
    [statement] = [
        statement
        for policy in shared.properties("AWS::S3::BucketPolicy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement.get("Sid") == "UploadFromOtherAccounts"
    ]
    assert statement["Principal"] == {"AWS": UPLOADER}
    assert set(statement["Action"]) == {"s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}
    assert "RawBucket" in str(statement["Resource"])

    [key] = shared.properties("AWS::KMS::Key")
    [statement] = [each for each in key["KeyPolicy"]["Statement"] if each.get("Sid") == "UploadFromOtherAccounts"]
    assert statement["Principal"] == {"AWS": UPLOADER}
    assert set(statement["Action"]) == {"kms:GenerateDataKey", "kms:Decrypt"}
    assert statement["Condition"] == THROUGH_S3


def test_without_uploaders_of_other_accounts_no_statement_admits_one(templates: dict[str, Template]) -> None:
    assert "UploadFromOtherAccounts" not in str(templates["storage"].body)


@pytest.mark.parametrize("principal", ["*", "arn:aws:iam::111122223333:root", "arn:aws:s3:::bucket"])
def test_only_a_role_or_a_user_can_be_admitted(principal: str) -> None:
    with pytest.raises(ValueError, match=r"uploads\.principals"):
        settings_of("local", uploads={"principals": [principal]})

"""The pin of an artifact: the bytes that were judged run, from whichever object version, and no others."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from common.pinned_artifact import ArtifactReplacedError, check_artifact, pin_artifact, restore_command
from moto import mock_aws

from ptmlops_contracts.evaluation import Archive
from ptmlops_contracts.registry import METADATA_CHARACTERS, Pin, metadata_value, pin_of

BUCKET, KEY = "models-bucket", "training/run-1/job/output/model.tar.gz"
URI = f"s3://{BUCKET}/{KEY}"
MODEL, OTHER, LARGER = b"the model", b"not model", b"a larger archive"


@pytest.fixture(params=[True, False], ids=["versioned", "unversioned"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        if request.param:
            s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=MODEL)
        yield s3


def archive_of(content: bytes) -> Archive:
    return Archive(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content), manifest_sha256="0" * 64)


def registered(pin: Pin | None) -> dict[str, Any]:
    return {
        "ModelPackageVersion": 3,
        "InferenceSpecification": {"Containers": [{"ModelDataUrl": URI}]},
        "CustomerMetadataProperties": {"run_id": "run-1", **(pin.metadata() if pin else {})},
    }


@pytest.fixture
def package(client: Any) -> dict[str, Any]:
    return registered(pin_artifact(client, URI, archive_of(MODEL)))


def test_a_pin_names_object_version_digest_and_size_as_the_registry_takes_them(client: Any) -> None:
    pin = pin_artifact(client, URI, archive_of(MODEL))
    version = client.head_object(Bucket=BUCKET, Key=KEY).get("VersionId", "null")
    assert pin == Pin(version_id=version, sha256=hashlib.sha256(MODEL).hexdigest(), bytes="9")
    assert pin_of(registered(pin)) == pin
    assert all(metadata_value(value) == value and len(value) <= METADATA_CHARACTERS for value in pin.metadata().values())


def test_what_an_earlier_release_evaluated_is_pinned_as_it_is_now(client: Any) -> None:
    assert pin_artifact(client, URI, None).sha256 == hashlib.sha256(MODEL).hexdigest()


@pytest.mark.parametrize(
    ("content", "happened"),
    [
        (OTHER, f"was replaced .*SHA-256 {hashlib.sha256(OTHER).hexdigest()}"),
        (LARGER, "was replaced .*with 16 bytes"),
        (None, "was deleted"),
    ],
)
def test_an_artifact_that_is_not_what_was_evaluated_is_not_registered(
    client: Any, content: bytes | None, happened: str
) -> None:
    change(client, content)
    with pytest.raises(ArtifactReplacedError, match=f"(?s){happened}.*Nothing was registered.*list-object-versions") as raised:
        pin_artifact(client, URI, archive_of(MODEL))
    assert hashlib.sha256(MODEL).hexdigest() in str(raised.value)


def change(client: Any, content: bytes | None) -> None:
    if content is None:
        client.delete_object(Bucket=BUCKET, Key=KEY)
    else:
        client.put_object(Bucket=BUCKET, Key=KEY, Body=content)


def test_the_registered_artifact_runs(client: Any, package: dict[str, Any]) -> None:
    assert check_artifact(client, package) is None


@pytest.mark.parametrize("content", [OTHER, LARGER, b"", None])
def test_an_artifact_that_was_replaced_or_deleted_is_refused(
    client: Any, package: dict[str, Any], content: bytes | None
) -> None:
    change(client, content)
    pin = package["CustomerMetadataProperties"]
    with pytest.raises(ArtifactReplacedError, match="was deleted" if content is None else "was replaced") as raised:
        check_artifact(client, package)
    message = str(raised.value)
    assert "model version 3" in message
    assert pin["artifact_sha256"] in message
    assert f"`{restore_command(BUCKET, KEY, pin['artifact_version'])}`" in message


@pytest.mark.parametrize("content", [OTHER, LARGER, None])
def test_the_command_in_the_message_restores_it(content: bytes | None) -> None:
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        client.put_object(Bucket=BUCKET, Key=KEY, Body=MODEL)
        package = registered(pin_artifact(client, URI, archive_of(MODEL)))
        change(client, content)
        with pytest.raises(ArtifactReplacedError) as raised:
            check_artifact(client, package)
        command = str(raised.value).partition("restore it with `")[2].partition("`")[0]
        options = dict(zip(*[iter(shlex.split(command)[3:])] * 2, strict=True))
        client.copy_object(Bucket=options["--bucket"], Key=options["--key"], CopySource=options["--copy-source"])
        assert check_artifact(client, package) is None
        # The next one that is written is refused as the first was.
        change(client, OTHER)
        with pytest.raises(ArtifactReplacedError):
            check_artifact(client, package)


def test_the_same_bytes_under_another_id_run(client: Any, package: dict[str, Any]) -> None:
    """A bucket that was restored, or an object that was copied over itself."""
    change(client, None)
    change(client, MODEL)
    assert check_artifact(client, package) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"artifact_sha256": "missing", "artifact_version": "none"},
        {"artifact_sha256": "", "artifact_version": ""},
        {"artifact_sha256": "0" * 64, "artifact_version": "null"},
    ],
)
def test_a_pin_that_names_nothing_matches_nothing(client: Any, package: dict[str, Any], changes: dict[str, str]) -> None:
    package["CustomerMetadataProperties"] |= changes
    with pytest.raises(ArtifactReplacedError):
        check_artifact(client, package)


def test_a_version_of_an_earlier_release_is_accepted_with_a_note(client: Any) -> None:
    change(client, OTHER)
    note = check_artifact(client, registered(None))
    assert note == "version 3 was registered by an earlier release, without a digest of its artifact: nothing was compared"


def test_an_object_of_another_size_is_not_read(client: Any, package: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody could put 5 TB there, and the function would read until its time-out."""
    change(client, LARGER)
    read: list[int] = []
    import botocore.response

    monkeypatch.setattr(botocore.response.StreamingBody, "iter_chunks", lambda _, size: read.append(size) or iter(()))
    with pytest.raises(ArtifactReplacedError):
        check_artifact(client, package)
    assert not read

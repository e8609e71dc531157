"""The artifact of a model version: pinned when the version is registered, and compared with the pin before it runs.

The object version in S3 is compared first, which reads nothing. Other object versions are read to compare their SHA-256: a restored bucket,
or a copy of the pinned object version over the replaced one, has the same bytes under another id.
"""

from __future__ import annotations

import hashlib
import shlex
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from ptmlops_contracts.keys import parse_s3_uri
from ptmlops_contracts.registry import Pin, artifact_uri, metadata_value, pin_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

    from ptmlops_contracts.evaluation import Archive

UNVERSIONED = "null"  # the id of every object in a bucket that keeps no versions
PIECE_BYTES = 1 << 20


class ArtifactReplacedError(Exception):
    """The artifact is not the one that was evaluated or registered, or is gone. The message has the command that restores it."""


def pin_artifact(client: S3Client, uri: str, evaluated: Archive | None) -> Pin:
    """Return the pin of the artifact at an address, after a comparison with what Evaluate measured.

    One request reads the bytes and gives the id of the object version that they belong to.

    Args:
        client: S3.
        uri: the artifact.
        evaluated: `candidate.archive` of evaluation.json; None if a release before 0.3.0 evaluated it, so there is nothing to compare.

    Raises:
        ArtifactReplacedError: the artifact is gone, or is another one.
    """
    bucket, key = parse_s3_uri(uri)
    found = read_pin(client, bucket, key, size=str(evaluated["bytes"]) if evaluated else None)
    if found is not None and (evaluated is None or found.sha256 == evaluated["sha256"]):
        return found
    measured = f" What was measured has {evaluated['bytes']} bytes and SHA-256 {evaluated['sha256']}." if evaluated else ""
    raise ArtifactReplacedError(
        f"the candidate's artifact {uri} {describe_change(found)} since it was evaluated.{measured} Nothing was registered. Find the "
        f"object version that was measured with `aws s3api list-object-versions --bucket {bucket} --prefix {shlex.quote(key)}`, and restore "
        f"it with `{restore_command(bucket, key, 'ID')}`. Then `ptmlops replay` continues the run"
    )


def check_artifact(client: S3Client, package: Mapping[str, Any]) -> str | None:
    """Compare a version's artifact with its pin. Return a note if it has none: a release before 0.3.0 registered it.

    Raises:
        ArtifactReplacedError: the artifact was replaced or deleted after it was registered.
    """
    pin, uri, version = pin_of(package), artifact_uri(package), package["ModelPackageVersion"]
    if pin is None:
        return (
            f"version {version} was registered by an earlier release, without a digest of its artifact: nothing was compared"
        )
    bucket, key = parse_s3_uri(uri)
    current = _current_version(client, bucket, key)
    if current == pin.version_id != UNVERSIONED:
        return None
    found = None if current is None else read_pin(client, bucket, key, size=pin.bytes)
    if found is not None and found.sha256 == pin.sha256:
        return None
    raise ArtifactReplacedError(
        f"the artifact of model version {version}, {uri}, {describe_change(found)} since it was registered. Version {version} runs only "
        f"with object version {pin.version_id}, which has SHA-256 {pin.sha256}: restore it with "
        f"`{restore_command(bucket, key, pin.version_id)}`. If it no longer exists, let another version serve: `ptmlops rollback --reason TEXT`. Find out first who changed the artifact"
    )


def restore_command(bucket: str, key: str, version_id: str) -> str:
    """Return the command that makes an object version the present one again, as a copy."""
    source = shlex.quote(f"{bucket}/{quote(key)}?versionId={version_id}")
    return f"aws s3api copy-object --bucket {bucket} --key {shlex.quote(key)} --copy-source {source}"


def _current_version(client: S3Client, bucket: str, key: str) -> str | None:
    """Return the id of the present object version, as the registry stores it, or None if the object is gone."""
    try:
        return metadata_value(client.head_object(Bucket=bucket, Key=key).get("VersionId", UNVERSIONED))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
            raise
        return None


def read_pin(client: S3Client, bucket: str, key: str, *, size: str | None = None) -> Pin | None:
    """Return the pin of the present object, or None if it is gone.

    An object of another size than `size` is not read, so its pin has no digest.
    """
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None
    version, found, digest = metadata_value(answer.get("VersionId", UNVERSIONED)), str(answer["ContentLength"]), ""
    with closing(answer["Body"]) as body:
        if size in (None, found):
            summed = hashlib.sha256()
            for piece in body.iter_chunks(PIECE_BYTES):
                summed.update(piece)
            digest = summed.hexdigest()
    return Pin(version, digest, found)


def describe_change(found: Pin | None) -> str:
    """Return what became of an object that was expected to be another one."""
    if found is None:
        return "was deleted"
    digest = f" and SHA-256 {found.sha256}" if found.sha256 else ""
    return f"was replaced (now object version {found.version_id}, with {found.bytes} bytes{digest})"

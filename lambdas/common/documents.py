"""JSON documents in S3, and listings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def read_bytes(client: S3Client, bucket: str, key: str) -> bytes:
    """Return an object's content.

    Raises:
        ClientError: NoSuchKey if it does not exist.
    """
    return client.get_object(Bucket=bucket, Key=key)["Body"].read()


def find_bytes(client: S3Client, bucket: str, key: str) -> bytes | None:
    """Return an object's content, or None if it does not exist."""
    try:
        return read_bytes(client, bucket, key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None


def read_json(client: S3Client, bucket: str, key: str) -> Any:
    """Return a JSON document.

    Raises:
        ClientError: NoSuchKey if it does not exist.
    """
    return json.loads(read_bytes(client, bucket, key))


def find_json(client: S3Client, bucket: str, key: str) -> Any:
    """Return a JSON document, or None if it does not exist."""
    content = find_bytes(client, bucket, key)
    return None if content is None else json.loads(content)


def write_json(client: S3Client, bucket: str, key: str, document: object, *, indent: int | None = None) -> None:
    """Store a JSON document, on one line unless `indent` is given."""
    # A label may hold half of a surrogate pair, which UTF-8 cannot encode: it becomes a JSON escape.
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indent)
    body = text.encode(errors="backslashreplace")
    client.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def list_keys(client: S3Client, bucket: str, prefix: str) -> Iterator[str]:
    """Yield all keys below a prefix."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            yield entry["Key"]

"""S3 helpers of the Glue jobs: read JSON objects, list and delete keys."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from botocore.exceptions import ClientError

from ptmlops_contracts.keys import parse_s3_uri


def read_json(s3: Any, uri: str) -> Any:
    """Return the content of the JSON object at `uri`."""
    bucket, key = parse_s3_uri(uri)
    return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def read_if_present(s3: Any, uri: str) -> bytes | None:
    """Return the content of the object at `uri`, or None if there is no such object."""
    bucket, key = parse_s3_uri(uri)
    try:
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None
    return content


def read_json_if_present(s3: Any, uri: str) -> Any:
    """Return the content of the JSON object at `uri`, or None if there is no such object."""
    content = read_if_present(s3, uri)
    return None if content is None else json.loads(content)


def list_keys(s3: Any, bucket: str, *prefixes: str) -> set[str]:
    """Return the keys in `bucket` that begin with one of `prefixes`."""
    pages = s3.get_paginator("list_objects_v2")
    return {
        item["Key"]
        for prefix in prefixes
        for page in pages.paginate(Bucket=bucket, Prefix=prefix)
        for item in page.get("Contents", [])
    }


def delete_keys(s3: Any, bucket: str, keys: Collection[str]) -> None:
    """Delete objects. Keys without an object are ignored, as S3 does."""
    for key in sorted(keys):
        s3.delete_object(Bucket=bucket, Key=key)

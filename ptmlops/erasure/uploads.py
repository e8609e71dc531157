"""Rewrite an upload so that its new version is no new file: it is registered in the ledger before S3 reports it.

1. `REWRITE#<bucket>/<key>`, with a hash of what will be stored. From then on start_run leaves the key's messages in the queue.
2. The object. S3 answers with the version.
3. `FILE#…` of that version, with the run of the version that it replaces; and the run's chunks.
4. `REWRITE#…` is deleted.

A call that was interrupted between 2 and 3 left a version without an item. The next call finds it by its hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any

from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from ptmlops.erasure.places import RAW
from ptmlops.erasure.plan import Version
from ptmlops.erasure.search import versions_of
from ptmlops.errors import OperatorError
from ptmlops.ledger import Ledger
from ptmlops.target import Target
from ptmlops_contracts.ledger import (
    LEDGER_VERSION,
    NO_RUN,
    FileItem,
    ManifestFile,
    RewriteItem,
    chunk_key,
    expiry,
    file_key,
    ledger_time,
    rewrite_key,
)

# PutObject takes so much in one request; more goes in parts.
LARGEST_PUT = 5 * 1024**3
_PART = 512 * 1024**2
_BLOCK = 4 * 1024**2
# What an object keeps when it is rewritten.
_HEADERS = ("ContentType", "ContentEncoding", "ContentDisposition", "ContentLanguage", "CacheControl", "Metadata")


def store(target: Target, version: Version, content: IO[bytes], size: int) -> dict[str, str]:
    """Store a new version of an object, with the headers, metadata and tags of the old one. Returns its version id and ETag.

    Raises:
        OperatorError: the object has a newer version, which this one would hide.
    """
    s3, bucket = target.client("s3"), target.outputs[version.bucket]
    head = s3.head_object(Bucket=bucket, Key=version.key, VersionId=version.version_id)
    kept: dict[str, Any] = {name: head[name] for name in _HEADERS if head.get(name)}
    if tags := s3.get_object_tagging(Bucket=bucket, Key=version.key, VersionId=version.version_id).get("TagSet"):
        from urllib.parse import urlencode

        kept["Tagging"] = urlencode({tag["Key"]: tag["Value"] for tag in tags})
    name, only_if = {"Bucket": bucket, "Key": version.key}, {"IfMatch": head["ETag"]}
    try:
        if size <= LARGEST_PUT:
            answer = s3.put_object(**name, Body=content, **kept, **only_if)
        else:
            answer = _store_parts(s3, name, content, kept, only_if)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise
        raise OperatorError("an object was changed while rows were erased from it: run the command again") from None
    return {"version_id": answer["VersionId"], "etag": answer["ETag"].strip('"')}


def _store_parts(
    s3: Any, name: Mapping[str, str], content: IO[bytes], kept: Mapping[str, Any], only_if: Mapping[str, str]
) -> dict[str, Any]:
    upload = {**name, "UploadId": s3.create_multipart_upload(**name, **kept)["UploadId"]}
    parts: list[dict[str, Any]] = []
    while block := content.read(_PART):
        number = len(parts) + 1
        tag = s3.upload_part(**upload, PartNumber=number, Body=block)["ETag"]
        parts.append({"PartNumber": number, "ETag": tag})
    answer: dict[str, Any] = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **only_if)
    return answer


def rewrite(target: Target, version: Version, content: IO[bytes], size: int) -> None:
    """Store an upload without the rows, so that no run takes it for a new file."""
    bucket, ledger = target.outputs[RAW], Ledger.of(target)
    pk = file_key(bucket, version.key, version.version_id)
    item = _find(ledger, pk)
    if item is None:
        # No run has taken the file, so what is left of it is a new file. This version must not be taken any more.
        moment = datetime.now(UTC)
        now = ledger_time(moment)
        claim = FileItem(pk=pk, schema_version=LEDGER_VERSION, run_id=NO_RUN, claimed_at=now, cancelled_at=now)
        _put(ledger, {**claim, **expiry(moment, ledger.days())})
        content.seek(0)
        store(target, version, content, size)
        return
    intent = RewriteItem(
        pk=rewrite_key(bucket, version.key),
        schema_version=LEDGER_VERSION,
        run_id=item["run_id"],
        rewrites=item.get("rewrites", version.version_id),
        version_id=version.version_id,
        sha256=_sha256(content),
        begun_at=ledger_time(datetime.now(UTC)),
    )
    _put(ledger, intent)
    content.seek(0)
    stored = store(target, version, content, size)
    _register(target, ledger, intent, version.key, ManifestFile(bucket=bucket, key=version.key, size=size, **stored))  # type: ignore[typeddict-item] # both names are in `stored`


def complete_rewrites(target: Target, version: Version) -> bool:
    """Register the version that an interrupted call stored. Returns True if there is one: the upload is rewritten then.

    A version that is registered already is registered again, because its run's chunks may still name the old one.
    """
    bucket, ledger, s3 = target.outputs[RAW], Ledger.of(target), target.client("s3")
    intent = _find(ledger, rewrite_key(bucket, version.key))
    if intent is None or intent["version_id"] != version.version_id:
        return False
    for one in versions_of(target, RAW, version.key):
        if one.key != version.key or one.version_id == version.version_id:
            continue
        item = _find(ledger, file_key(bucket, one.key, one.version_id))
        if item and item.get("rewrites") != intent["rewrites"]:
            continue
        answer = s3.get_object(Bucket=bucket, Key=one.key, VersionId=one.version_id)
        digest = hashlib.sha256()
        for block in answer["Body"].iter_chunks(_BLOCK):
            digest.update(block)
        if digest.hexdigest() == intent["sha256"]:
            file = ManifestFile(
                bucket=bucket, key=one.key, version_id=one.version_id, size=one.size, etag=answer["ETag"].strip('"')
            )
            _register(target, ledger, intent, version.key, file)
            return True
    return False


def delete_items(target: Target, version: Version) -> None:
    """Remove an upload that is deleted from the ledger: its name may be the person's."""
    bucket, ledger = target.outputs[RAW], Ledger.of(target)
    pk = file_key(bucket, version.key, version.version_id)
    if item := _find(ledger, pk):
        _replace_in_chunks(ledger, item["run_id"], bucket, version.key, version.version_id, None)
        ledger.client.delete_item(TableName=ledger.table, Key={"pk": {"S": pk}})


def end_rewrite(target: Target, key: str) -> None:
    """Delete the item with which a rewrite was announced."""
    ledger = Ledger.of(target)
    ledger.client.delete_item(TableName=ledger.table, Key={"pk": {"S": rewrite_key(target.outputs[RAW], key)}})


def _register(target: Target, ledger: Ledger, intent: Mapping[str, Any], key: str, file: ManifestFile) -> None:
    now = datetime.now(UTC)
    item = FileItem(
        pk=file_key(file["bucket"], key, file["version_id"]),
        schema_version=LEDGER_VERSION,
        run_id=intent["run_id"],
        claimed_at=ledger_time(now),
        rewrites=intent["rewrites"],
    )
    old = _find(ledger, file_key(file["bucket"], key, intent["version_id"])) or {}
    if "cancelled_at" in old:
        item["cancelled_at"] = old["cancelled_at"]
    _put(ledger, {**item, **expiry(now, ledger.days())})
    if "cancelled_at" not in old:  # a cancelled file is marked as removed from its run by its version
        _replace_in_chunks(ledger, intent["run_id"], file["bucket"], key, intent["version_id"], file)
    end_rewrite(target, key)


def _replace_in_chunks(ledger: Ledger, run_id: str, bucket: str, key: str, version_id: str, file: ManifestFile | None) -> None:
    """Replace a file in the chunks of its run, or remove it, so that the run can be replayed."""
    run = ledger.run(run_id)
    if run is None:
        return
    for item in list(ledger.items(chunk_key(run_id, chunk) for chunk in run.get("chunks", ()))):
        files = [
            file if (one["bucket"], one["key"], one["version_id"]) == (bucket, key, version_id) else one
            for one in item["files"]
        ]
        if files != item["files"]:
            _put(ledger, {**item, "files": [one for one in files if one]})


def _find(ledger: Ledger, pk: str) -> dict[str, Any] | None:
    return next(iter(ledger.items([pk])), None)


def _put(ledger: Ledger, item: Mapping[str, Any]) -> None:
    ledger.client.put_item(
        TableName=ledger.table, Item={name: TypeSerializer().serialize(value) for name, value in item.items()}
    )


def _sha256(content: IO[bytes]) -> str:
    content.seek(0)
    digest = hashlib.sha256()
    while block := content.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()

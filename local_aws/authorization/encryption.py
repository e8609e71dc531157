"""The calls to KMS that an API request implies: the caller must be allowed to use the key of what it writes and reads.

Each service uses the key in the caller's name, through `kms:ViaService`, with an encryption context that names the resource.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local_aws.authorization.requests import ApiRequest, Need
from local_aws.authorization.stores import PolicyStores

# The uses of a key that KMS refuses if the key is disabled.
USES = frozenset({"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"})
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html: parts of an upload are read again.
_WRITE_OBJECT, _PARTS = ("GenerateDataKey",), ("Decrypt", "GenerateDataKey")
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
_QUEUE = {"sqs:SendMessage": ("GenerateDataKey", "Decrypt"), "sqs:ReceiveMessage": ("Decrypt",)}
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
_TOPIC = {"sns:Publish": ("GenerateDataKey", "Decrypt")}
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html: the table's key is decrypted for who
# reads or writes items.
_ITEMS = (
    "GetItem",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchGetItem",
    "BatchWriteItem",
    "Query",
    "Scan",
    "ConditionCheckItem",
)


def implied(need: Need, request: ApiRequest, stores: PolicyStores) -> Iterator[Need]:
    """Yield the calls to KMS that a call implies."""
    if need.action.startswith("s3:"):
        yield from _s3(need, request, stores)
    elif need.action in _QUEUE:
        yield from of_queue(need.resource, need.action, stores)
    elif need.action in _TOPIC:
        yield from of_topic(need.resource, stores)
    elif need.action.startswith("dynamodb:") and need.action.partition(":")[2] in _ITEMS:
        table = stores.table(need.resource.partition("table/")[2].partition("/")[0])
        specification = (table.sse_specification or {}) if table else {}
        if specification.get("Enabled") or specification.get("SSEEnabled"):
            context = {"aws:dynamodb:tablename": table.name, "aws:dynamodb:subscriberid": stores.account}
            yield from _uses(("Decrypt",), specification.get("KMSMasterKeyId"), "dynamodb", context, stores)


def of_queue(arn: str, action: str, stores: PolicyStores) -> Iterator[Need]:
    """Yield the calls to KMS for a message that is sent to or received from a queue."""
    queue = stores.queue(arn.rpartition(":")[2])
    reference = getattr(queue, "kms_master_key_id", None)
    yield from _uses(_QUEUE.get(action, ()), reference, "sqs", {"aws:sqs:arn": arn}, stores)


def of_topic(arn: str, stores: PolicyStores) -> Iterator[Need]:
    """Yield the calls to KMS for a message that is published to a topic."""
    topic = stores.topic(arn)
    reference = getattr(topic, "kms_master_key_id", None)
    yield from _uses(_TOPIC["sns:Publish"], reference, "sns", {"aws:sns:topicarn": arn}, stores)


def _s3(need: Need, request: ApiRequest, stores: PolicyStores) -> Iterator[Need]:
    name, _, key = need.resource.removeprefix("arn:aws:s3:::").partition("/")
    bucket = stores.bucket(name) if key else None
    if bucket is None:
        return
    if need.action == "s3:PutObject":
        reference = request.headers.get("x-amz-server-side-encryption-aws-kms-key-id") or _default_key(bucket)
        operations = _PARTS if "uploadId" in request.parameters else _WRITE_OBJECT
    elif need.action in ("s3:GetObject", "s3:GetObjectVersion") and request.headers.get("method") != "HEAD":
        wanted = request.parameters.get("versionId")
        versions = [one for one in bucket.keys.getlist(key, []) if not wanted or one.version_id == wanted]
        found: Any = versions[-1] if versions else None  # a delete marker has no encryption
        reference = found.kms_key_id if getattr(found, "encryption", None) == "aws:kms" else None
        operations = ("Decrypt",)
    else:
        return
    # With a bucket key, the context names the bucket.
    bucket_key = (bucket.encryption or {}).get("Rule", {}).get("BucketKeyEnabled")
    resource = f"arn:aws:s3:::{name}" if str(bucket_key).lower() == "true" else need.resource
    yield from _uses(operations, reference, "s3", {"aws:s3:arn": resource}, stores)


def _default_key(bucket: Any) -> str | None:
    """Return the key that a bucket encrypts with unless the request names another."""
    default = (bucket.encryption or {}).get("Rule", {}).get("ApplyServerSideEncryptionByDefault", {})
    return default.get("KMSMasterKeyID") if default.get("SSEAlgorithm") == "aws:kms" else None


def _uses(
    operations: tuple[str, ...], reference: str | None, service: str, context: dict[str, str], stores: PolicyStores
) -> Iterator[Need]:
    key = stores.key(reference) if reference else None
    if key is not None:
        keys = {f"kms:encryptioncontext:{name}": value for name, value in context.items()}
        keys |= {"kms:viaservice": f"{service}.{stores.region}.amazonaws.com", "kms:calleraccount": stores.account}
        for operation in operations:
            yield Need(f"kms:{operation}", key.arn, keys)

"""Cases that show whether local AWS refuses what AWS's API models refuse, made from botocore's models.

For each operation that the product calls: a valid request, and for each constraint in the model of its input one request that violates it
and nothing else. `docs/reference/local-aws-conformance.md` has the counts, and a test sends every case to a running local AWS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.model import Shape

from local_aws.validation import matches_pattern, service_model

# What the product calls: its functions, jobs and command line, the state machine's integrations and Lambda's pollers.
OPERATIONS = {
    "cloudformation": ("DescribeStacks", "GetTemplate", "GetTemplateSummary", "ListStackResources", "ListStacks"),
    "dynamodb": ("BatchGetItem", "DeleteItem", "DeleteTable", "DescribeContinuousBackups", "DescribeTable", "GetItem", "PutItem", "RestoreTableToPointInTime", "Scan", "TransactWriteItems", "UpdateItem"),
    "glue": ("BatchStopJobRun", "GetJobRun", "GetJobRuns", "StartJobRun"),
    "lambda": ("Invoke",),
    "sagemaker": (
        "CreateHyperParameterTuningJob", "CreateModel", "CreateModelPackage", "CreateProcessingJob", "CreateTransformJob",
        "DeleteModel", "DeleteModelPackage", "DescribeHyperParameterTuningJob", "DescribeModel", "DescribeModelPackage",
        "DescribeProcessingJob", "DescribeTrainingJob", "DescribeTransformJob", "ListModelPackages", "ListModels",
        "ListTags", "ListTrainingJobsForHyperParameterTuningJob", "StopHyperParameterTuningJob", "StopProcessingJob", "StopTransformJob",
        "UpdateModelPackage",
    ),
    "sns": ("ListSubscriptionsByTopic", "Publish"),
    "sqs": ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage", "SendMessage", "SendMessageBatch"),
    "stepfunctions": ("DescribeExecution", "DescribeStateMachine", "GetExecutionHistory", "ListExecutions", "RedriveExecution", "StartExecution", "StopExecution"),
}  # fmt: skip
# Called too, and checked only as far as moto checks them. Each with what that means.
LENIENT = {
    "s3": "headers and query parameters are read by moto: an unknown encoding type of keys, for instance, is accepted",
}
KINDS = ("missing", "minimum", "maximum", "pattern", "enumeration")
# Longer texts and lists than this are not made.
LARGEST = 20_000
# Texts of which one fits each pattern of the models.
_TEXTS = (
    "a", "ab", "a1", "1", "abcdefghij", "a" * 20, "a" * 32, "a" * 36, "a" * 64, "s3://bucket/key", "https://host/path", "text/csv",
    "arn:aws:iam::123456789012:role/name", "arn:aws:kms:us-east-1:123456789012:key/name", "1.0.0", "10.0.0.1", "2026-01-01",
    "arn:aws:sagemaker:us-east-1:123456789012:model-package/group/1", "arn:aws:sagemaker:us-east-1:123456789012:training-job/name",
    "arn:aws:states:us-east-1:123456789012:stateMachine:name", "arn:aws:states:us-east-1:123456789012:execution:name:run",
    "arn:aws:lambda:us-east-1:123456789012:function:name", "123456789012.dkr.ecr.us-east-1.amazonaws.com/name:1", "sg-12345678",
    "subnet-12345678", "ml.m5.large", "/opt/ml/input", "sha256:" + "a" * 64, "fs-12345678",
    "arn:aws:sagemaker:us-east-1:123456789012:training-plan/name", "arn:aws:sagemaker:us-east-1:aws:hub-content/name/DataSet/name", "{}", "$LATEST", "A", "0", "_", "/a",
)  # fmt: skip
_BAD_TEXTS = ("\u0007", "§ §", " ", "!", "a b\n", "§" * 40, "§" * 100, "a§" * 10)


@dataclass(frozen=True)
class Case:
    """A request that AWS's model refuses for one reason.

    Attributes:
        kind: One of KINDS.
        field: The field that breaks the rule, such as `Tags.0.Key`.
        request: The parameters.
    """

    kind: str
    field: str
    request: dict[str, Any]


def valid_request(service: str, operation: str) -> dict[str, Any]:
    """Return a request with the required parameters, each of which the model accepts."""
    shape = service_model(service).operation_model(operation).input_shape
    request: dict[str, Any] = sample(shape) if shape else {}
    return request


def cases(service: str, operation: str) -> Iterator[Case]:
    """Yield one case per constraint of an operation's input."""
    shape = service_model(service).operation_model(operation).input_shape
    for kind, field, request in _violations(shape, ()) if shape else ():
        yield Case(kind, field.rstrip("."), request)


def sample(shape: Shape) -> Any:
    """Return a small value that a shape accepts.

    Raises:
        ValueError: None of the texts fits the shape's pattern.
    """
    kind, limits = shape.type_name, shape.metadata
    if kind == "structure":
        members = shape.members  # type: ignore[attr-defined]
        return {name: sample(members[name]) for name in shape.required_members}
    if kind == "list":
        return [sample(shape.member)] * limits.get("min", 0)  # type: ignore[attr-defined]
    if kind == "map":
        return {sample(shape.key): sample(shape.value)} if limits.get("min") else {}  # type: ignore[attr-defined]
    if kind == "string":
        return _text(limits)
    if kind in ("integer", "long", "float", "double"):
        return max(limits.get("min", 1), min(1, limits.get("max", 1)))
    return {"boolean": False, "timestamp": "2026-01-01T00:00:00Z", "blob": b"a"}[kind]


def _text(limits: dict[str, Any]) -> str:
    if limits.get("enum"):
        return str(limits["enum"][0])
    low, high, pattern = limits.get("min", 0), limits.get("max", LARGEST), limits.get("pattern", "")
    for text in (*_TEXTS, "a" * low):
        if low <= len(text) <= high and (not pattern or matches_pattern(pattern, text)):
            return text
    raise ValueError(f"no text in conformance.py fits the pattern {pattern}: add one")


def _violations(shape: Shape, inside: tuple[str, ...]) -> Iterator[tuple[str, str, Any]]:
    """Yield kind, field and value for each constraint in a shape, once per recursive structure."""
    kind, limits = shape.type_name, shape.metadata
    if kind == "structure":
        base, members = sample(shape), shape.members  # type: ignore[attr-defined]
        for name in shape.required_members:
            yield "missing", f"{name}.", {key: value for key, value in base.items() if key != name}
        for name, member in members.items():
            if member.name not in inside:
                for found, field, value in _violations(member, (*inside, shape.name)):
                    yield found, f"{name}.{field}", {**base, name: value}
    elif kind in ("list", "map"):
        yield from _sizes(shape)
        inner = shape.member if kind == "list" else shape.value  # type: ignore[attr-defined]
        if inner.name not in inside:
            for found, field, value in _violations(inner, (*inside, shape.name)):
                at = "0" if kind == "list" else sample(shape.key)  # type: ignore[attr-defined]
                yield found, f"{at}.{field}", [value] if kind == "list" else {at: value}
        if kind == "map":
            for found, field, value in _violations(shape.key, inside):  # type: ignore[attr-defined]
                yield found, f"key.{field}", {value: sample(inner)}
    elif kind == "string":
        yield from _texts(limits)
    elif kind in ("integer", "long", "float", "double"):
        if "min" in limits:
            yield "minimum", "", limits["min"] - 1
        if "max" in limits:
            yield "maximum", "", limits["max"] + 1


def _sizes(shape: Shape) -> Iterator[tuple[str, str, Any]]:
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", LARGEST)
    if shape.type_name == "list":
        one = sample(shape.member)  # type: ignore[attr-defined]
        if low:
            yield "minimum", "", [one] * (low - 1)
        if high < LARGEST // 10:
            yield "maximum", "", [one] * (high + 1)
    elif low == 1:
        yield "minimum", "", {}


def _texts(limits: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    if limits.get("enum"):
        yield "enumeration", "", "not-one-of-these"
        return
    low, high, pattern = limits.get("min", 0), limits.get("max", LARGEST), limits.get("pattern")
    if low:
        yield "minimum", "", "a" * (low - 1)
    if high < LARGEST:
        yield "maximum", "", "a" * (high + 1)
    if pattern:
        # Not an empty text: as a key of a map or in a URL it would be lost.
        bad = next((text for text in _BAD_TEXTS if low <= len(text) <= high and not matches_pattern(pattern, text)), None)
        if bad:
            yield "pattern", "", bad

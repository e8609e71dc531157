"""Refuse what AWS refuses: check requests against botocore's model of the service, with patterns and lengths.

The check in botocore's client covers required fields and types only. The server side of AWS also refuses a name that does not match
its pattern or is too long; moto accepts it. One function over the model covers all services but S3.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
import regex
from botocore.model import Shape

from local_aws import patching
from local_aws.services.base import Service

# Services whose requests are one JSON body, by the name in X-Amz-Target.
_TARGETS = {
    "AWSGlue": "glue", "SageMaker": "sagemaker", "AWSStepFunctions": "stepfunctions", "AmazonAthena": "athena",
    "DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs", "TrentService": "kms", "Logs_20140328": "logs", "AWSEvents": "events",
}  # fmt: skip
# Services whose requests are forms or paths, which moto parses by botocore's model.
_PARSED = ("cloudformation", "lambda", "sns")
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
EXECUTION_INPUT_BYTES = 256 * 1024


@functools.cache
def service_model(service: str) -> Any:
    """Return botocore's model of a service, read once."""
    return botocore.session.get_session().get_service_model(service)


def problems(service: str, operation: str, request: dict[str, Any]) -> list[str]:
    """Return what the service would refuse in a request, each as `field: reason`. The list is empty if it would accept the request."""
    model = service_model(service)
    if operation not in model.operation_names:
        return []
    shape = model.operation_model(operation).input_shape
    refused = list(_check(shape, request, "")) if shape else []
    if operation == "StartExecution" and len(str(request.get("input", "")).encode()) > EXECUTION_INPUT_BYTES:
        refused.append(f"input: larger than {EXECUTION_INPUT_BYTES} bytes")
    return refused


def _check(shape: Shape, value: Any, path: str) -> Iterator[str]:
    kind, limits = shape.type_name, shape.metadata
    if kind == "structure" and isinstance(value, dict):
        members = shape.members  # type: ignore[attr-defined]
        for name in shape.required_members:
            if name not in value:
                yield f"{path}{name}: is missing"
        for name, item in value.items():
            if name in members:
                yield from _check(members[name], item, f"{path}{name}.")
    elif kind == "list" and isinstance(value, list):
        yield from _bounds(len(value), limits, path, "items")
        for index, item in enumerate(value):
            yield from _check(shape.member, item, f"{path}{index}.")  # type: ignore[attr-defined]
    elif kind == "map" and isinstance(value, dict):
        yield from _bounds(len(value), limits, path, "entries")
        for key, item in value.items():
            yield from _check(shape.key, key, f"{path}{key}.")  # type: ignore[attr-defined]
            yield from _check(shape.value, item, f"{path}{key}.")  # type: ignore[attr-defined]
    elif kind == "string" and isinstance(value, str):
        yield from _bounds(len(value), limits, path, "characters")
        pattern = limits.get("pattern")
        if pattern and not matches_pattern(pattern, value):
            yield f"{path.rstrip('.')}: '{value[:80]}' does not match {pattern}"
        values = limits.get("enum")
        if values and value not in values:
            yield f"{path.rstrip('.')}: '{value[:80]}' is not one of {', '.join(values[:12])}"
    elif kind in ("integer", "long", "float", "double") and isinstance(value, int | float):
        yield from _bounds(value, limits, path, "")


def _bounds(size: float, limits: dict[str, Any], path: str, unit: str) -> Iterator[str]:
    low, high = limits.get("min"), limits.get("max")
    field = path.rstrip(".")
    if low is not None and size < low:
        yield f"{field}: {size:g} {unit} is under the minimum of {low}".replace("  ", " ")
    if high is not None and size > high:
        yield f"{field}: {size:g} {unit} is over the maximum of {high}".replace("  ", " ")


def matches_pattern(pattern: str, value: str) -> bool:
    """Return whether a text matches a pattern of the models, which are written for Java."""
    try:
        return regex.fullmatch(_python_pattern(pattern), value, regex.DOTALL) is not None
    except regex.error:
        return True  # a pattern that Python cannot read refuses nothing


@functools.cache
def _python_pattern(pattern: str) -> str:
    return re.sub(r"\$\{\d+,\d+\}", "$", pattern)  # an end, so many times: Java allows it, Python does not


class RequestValidation(Service):
    """The check of every request of these services before moto answers it."""

    def install(self) -> None:
        """Extend the place where moto starts to answer a request."""
        from moto.core.responses import BaseResponse

        @patching.extend(BaseResponse, "call_action")
        def call_action(moto_call: Any, self: Any) -> Any:
            service, operation, request = _request(self)
            refused = problems(service, operation, request) if service else []
            return _refusal(service, refused) if refused else moto_call(self)


def _request(response: Any) -> tuple[str, str, dict[str, Any]]:
    """Return the service, the operation and the parameters of a request, or an empty service if it is not checked."""
    target = str(response.headers.get("X-Amz-Target") or "")
    prefix, _, operation = target.partition(".")
    service = _TARGETS.get(prefix, "")
    if service:
        body = response.body  # which moto has parsed already for DynamoDB
        return service, operation, body if isinstance(body, dict) else json.loads(body or "{}")
    service = response.boto3_service_name
    if service not in _PARSED or not (operation := response._get_action()):
        return "", "", {}
    if not response.automated_parameter_parsing:
        response.parse_parameters(response.normalized_request)
    return service, operation, dict(response.params)


def _refusal(service: str, refused: list[str]) -> tuple[int, dict[str, str], str]:
    """Return the response to a request that the model refuses, in the protocol of the service."""
    message = f"{len(refused)} validation error{'s' if len(refused) > 1 else ''} detected: " + "; ".join(refused[:5])
    if service in ("cloudformation", "sns"):
        error = f"<Error><Type>Sender</Type><Code>ValidationError</Code><Message>{escape(message)}</Message></Error>"
        return 400, {"content-type": "text/xml"}, f"<ErrorResponse>{error}</ErrorResponse>"
    answer = {"__type": "ValidationException", "message": message}
    return 400, {"x-amzn-errortype": "ValidationException"}, json.dumps(answer)

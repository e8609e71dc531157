"""What an API request needs: actions on resources, with the condition keys that the request itself sets.

Actions and resources are those of the Service Authorization Reference:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
An operation that is not here concerns UNKNOWN, which only the pattern `*` matches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

UNKNOWN = "arn:aws:unknown:::operation-that-local-aws-does-not-know"
NONE = "*"  # for actions that take no resource

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Need:
    """One action on one resource, with the condition keys of the request."""

    action: str
    resource: str
    context: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class ApiRequest:
    """A request.

    Attributes:
        service: The prefix of its actions, such as `states`.
        operation: The operation, or for S3 the action, as moto calls it.
        parameters: The parameters in the query and in a JSON body.
        path: The parts of the path.
        headers: The headers, with names in lower case.
        resource: What moto names as the resource: for S3 an ARN.
        body: The body.
        account: The account.
        region: The region.
    """

    service: str
    operation: str
    parameters: Parameters
    path: tuple[str, ...]
    headers: Mapping[str, str]
    resource: str
    body: bytes
    account: str
    region: str

    def arn(self, resource: str, service: str | None = None) -> str:
        """Return the ARN of a resource of this account and region."""
        return f"arn:aws:{service or self.service}:{self.region}:{self.account}:{resource}"


def needs(request: ApiRequest) -> list[Need]:
    """Return what a request needs, without what encryption implies."""
    find = _SERVICES.get(request.service)
    found = list(find(request)) if find else []
    if not found:
        found = [Need(f"{request.service}:{request.operation}", UNKNOWN)]
    return [*found, *_passed_roles(request)]


def _one(request: ApiRequest, resource: str | None, **context: str | tuple[str, ...]) -> Iterator[Need]:
    if resource:
        yield Need(f"{request.service}:{request.operation}", resource, context)


# -- S3 ---------------------------------------------------------------------------------------------------------------------

_S3_ACTIONS = {
    "HeadBucket": "ListBucket",
    "ListBuckets": "ListAllMyBuckets",
    "DeleteObjects": "DeleteObject",
}
_S3_KEYS = ("prefix", "delimiter", "max-keys", "x-amz-acl", "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id")  # fmt: skip
_BATCH_KEY = re.compile(rb"<Key>(.*?)</Key>", re.DOTALL)


def _s3(request: ApiRequest) -> Iterator[Need]:
    parameters, headers = request.parameters, request.headers
    action = _S3_ACTIONS.get(request.operation, request.operation)
    version = parameters.get("versionId")
    context = {f"s3:{key}": str(parameters[key]) for key in _S3_KEYS[:3] if key in parameters}
    context |= {f"s3:{key}": headers[key] for key in _S3_KEYS[3:] if key in headers}
    if version:
        context["s3:versionid"] = str(version)
        action = {"GetObject": "GetObjectVersion", "DeleteObject": "DeleteObjectVersion"}.get(action, action)
    if action == "DeleteObject" and "delete" in parameters:
        for key in _BATCH_KEY.findall(request.body):
            yield Need("s3:DeleteObject", f"{request.resource}/{_unescape(key.decode())}", context)
        return
    yield Need(f"s3:{action}", request.resource, context)
    source = headers.get("x-amz-copy-source")
    if source:
        path, _, source_version = unquote(source).lstrip("/").partition("?versionId=")
        yield Need("s3:GetObjectVersion" if source_version else "s3:GetObject", f"arn:aws:s3:::{path}")


def _unescape(text: str) -> str:
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text


# -- Data and messages ------------------------------------------------------------------------------------------------------

_ITEM_ACTIONS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem",
                 "Get": "GetItem"}  # fmt: skip


def _dynamodb(request: ApiRequest) -> Iterator[Need]:
    parameters = request.parameters
    if request.operation in ("ListTables", "DescribeLimits", "DescribeEndpoints"):
        yield from _one(request, NONE)
    elif request.operation in ("TransactWriteItems", "TransactGetItems"):
        seen = set()
        for item in parameters.get("TransactItems", []):
            for kind, body in item.items():
                seen.add((_ITEM_ACTIONS.get(kind, kind), _table(request, body.get("TableName"))))
        for action, table in sorted(seen):
            yield Need(f"dynamodb:{action}", table)
    elif "RequestItems" in parameters:
        for name in parameters["RequestItems"]:
            yield from _one(request, _table(request, name))
    elif parameters.get("TableName"):
        index = f"/index/{parameters['IndexName']}" if parameters.get("IndexName") else ""
        yield from _one(request, _table(request, parameters["TableName"]) + index)
    elif str(parameters.get("ResourceArn", "")).startswith("arn:"):
        yield from _one(request, parameters["ResourceArn"])


def _table(request: ApiRequest, name: Any) -> str:
    return str(name) if str(name).startswith("arn:") else request.arn(f"table/{name}")


def _sqs(request: ApiRequest) -> Iterator[Need]:
    parameters = request.parameters
    action = request.operation.removesuffix("Batch")
    url = str(parameters.get("QueueUrl") or "")
    name = url.rstrip("/").rpartition("/")[2] or parameters.get("QueueName")
    if name:
        yield Need(f"sqs:{action}", request.arn(str(name)))
    elif request.operation == "ListQueues":
        yield Need("sqs:ListQueues", request.arn(""))


def _sns(request: ApiRequest) -> Iterator[Need]:
    parameters = request.parameters
    action = "Publish" if request.operation == "PublishBatch" else request.operation
    arn = parameters.get("TopicArn") or parameters.get("TargetArn") or parameters.get("ResourceArn")
    if not arn and parameters.get("Name"):
        arn = request.arn(str(parameters["Name"]))
    if not arn and parameters.get("SubscriptionArn"):
        arn = str(parameters["SubscriptionArn"]).rpartition(":")[0]
    if arn or request.operation.startswith("List"):
        yield Need(f"sns:{action}", str(arn or NONE))


def _kms(request: ApiRequest) -> Iterator[Need]:
    parameters = request.parameters
    context = {f"kms:encryptioncontext:{key.lower()}": value for key, value in parameters.get("EncryptionContext", {}).items()}
    if request.operation in ("CreateKey", "ListKeys", "ListAliases", "GenerateRandom"):
        yield Need(f"kms:{request.operation}", NONE)
        return
    reference = str(parameters.get("KeyId") or parameters.get("TargetKeyId") or "")
    if reference and "alias/" not in reference:
        arn = reference if reference.startswith("arn:") else request.arn(f"key/{reference}")
        # A call in one's own name is not for a resource of another service.
        granting = {"kms:grantisforawsresource": "false"} if request.operation == "CreateGrant" else {}
        yield Need(f"kms:{request.operation}", arn, {**context, **granting})


def _logs(request: ApiRequest) -> Iterator[Need]:
    parameters = request.parameters
    group = parameters.get("logGroupName") or parameters.get("logGroupIdentifier")
    if group:
        yield from _one(request, log_group_arn(request, str(group), str(parameters.get("logStreamName") or "")))
    elif request.operation.startswith(("Describe", "List")):
        yield from _one(request, request.arn("log-group::log-stream:"))


def log_group_arn(request: ApiRequest, group: str, stream: str = "") -> str:
    """Return the ARN of a log stream, or of a log group as CloudWatch Logs names it in its decisions."""
    name = group.rpartition(":log-group:")[2].removesuffix(":*")
    return request.arn(f"log-group:{name}:log-stream:{stream}")


def _cloudwatch(request: ApiRequest) -> Iterator[Need]:
    if request.operation == "PutMetricData":
        yield Need("cloudwatch:PutMetricData", NONE, {"cloudwatch:namespace": str(request.parameters.get("Namespace", ""))})
    elif request.operation.startswith(("Get", "List")):
        yield from _one(request, NONE)
    else:
        name = request.parameters.get("AlarmName")
        yield from _one(request, request.arn(f"alarm:{name}") if name else None)


# -- Compute ----------------------------------------------------------------------------------------------------------------


def _lambda(request: ApiRequest) -> Iterator[Need]:
    action = {"Invoke": "InvokeFunction", "InvokeAsync": "InvokeFunction"}.get(request.operation, request.operation)
    path = request.path
    if "functions" in path and len(path) > path.index("functions") + 1:
        name = path[path.index("functions") + 1]
        arn = name if name.startswith("arn:") else request.arn(f"function:{name}")
        yield Need(f"lambda:{action}", arn)
    elif request.parameters.get("FunctionName"):
        name = str(request.parameters["FunctionName"])
        yield Need(f"lambda:{action}", name if name.startswith("arn:") else request.arn(f"function:{name}"))


def _states(request: ApiRequest) -> Iterator[Need]:
    parameters = request.parameters
    arn = parameters.get("executionArn") or parameters.get("stateMachineArn") or parameters.get("resourceArn")
    if not arn and parameters.get("name"):
        arn = request.arn(f"stateMachine:{parameters['name']}")
    if not arn and request.operation in ("ListStateMachines", "ListActivities"):
        arn = NONE
    yield from _one(request, arn)


_GLUE_NAMES = {"JobName": "job", "WorkflowName": "workflow", "CrawlerName": "crawler"}


def _glue(request: ApiRequest) -> Iterator[Need]:
    parameters = request.parameters
    for parameter, kind in _GLUE_NAMES.items():
        if parameters.get(parameter):
            yield from _one(request, request.arn(f"{kind}/{parameters[parameter]}"))
            return
    if request.operation in ("CreateJob", "GetJob", "UpdateJob", "DeleteJob"):
        yield from _one(request, request.arn(f"job/{parameters.get('Name', parameters.get('JobName'))}"))
    elif request.operation in ("GetJobs", "ListJobs", "GetSecurityConfiguration", "GetSecurityConfigurations"):
        yield from _one(request, NONE)
    elif database := parameters.get("DatabaseName") or parameters.get("DatabaseInput", {}).get("Name"):
        yield from _one(request, request.arn("catalog"))
        yield from _one(request, request.arn(f"database/{database}"))
        name = parameters.get("TableName") or (parameters.get("Name") if "Table" in request.operation else None)
        if "Table" in request.operation or "Partition" in request.operation:
            yield from _one(request, request.arn(f"table/{database}/{name or '*'}"))


_SAGEMAKER_KINDS = {
    "HyperParameterTuningJob": "hyper-parameter-tuning-job",
    "TrainingJob": "training-job",
    "ProcessingJob": "processing-job",
    "TransformJob": "transform-job",
    "ModelPackageGroup": "model-package-group",
    "Model": "model",
}


def _sagemaker(request: ApiRequest) -> Iterator[Need]:
    operation, parameters = request.operation, request.parameters
    resource: str | None = None
    if operation in ("CreateModelPackage", "ListModelPackages"):
        group = str(parameters.get("ModelPackageGroupName") or "").rpartition("/")[2]
        if operation == "CreateModelPackage":
            # The number of the new version is not known when the request is decided on.
            resource = request.arn(
                f"model-package/{group}/*" if group else f"model-package/{parameters.get('ModelPackageName')}"
            )
        else:
            resource = request.arn(f"model-package/{group}/*") if group else NONE
    elif operation.endswith("ModelPackage"):
        name = str(parameters.get("ModelPackageName") or parameters.get("ModelPackageArn") or "")
        resource = name if name.startswith("arn:") else request.arn(f"model-package/{name}")
    elif operation == "ListTrainingJobsForHyperParameterTuningJob":
        resource = request.arn(f"hyper-parameter-tuning-job/{parameters.get('HyperParameterTuningJobName')}")
    elif operation in ("AddTags", "ListTags", "DeleteTags"):
        resource = str(parameters.get("ResourceArn"))
    elif operation.startswith("List"):
        resource = NONE
    else:
        kind = next((kind for kind in _SAGEMAKER_KINDS if operation.endswith(kind)), None)
        name = str(parameters.get(f"{kind}Name") or "")
        resource = request.arn(f"{_SAGEMAKER_KINDS[kind]}/{name.rpartition('/')[2]}") if kind and name else None
    if resource is None:
        return
    tags = parameters.get("Tags") if operation.startswith("Create") else None
    context: dict[str, str | tuple[str, ...]] = {}
    if tags:
        context = {f"aws:requesttag/{tag['Key'].lower()}": tag["Value"] for tag in tags}
        context["aws:tagkeys"] = tuple(tag["Key"] for tag in tags)
    yield Need(f"sagemaker:{operation}", resource, context)
    if tags:
        yield Need("sagemaker:AddTags", resource, context)


# -- Everything else --------------------------------------------------------------------------------------------------------


def _events(request: ApiRequest) -> Iterator[Need]:
    name = request.parameters.get("Rule") or request.parameters.get("Name")
    if name:
        yield from _one(request, request.arn(f"rule/{name}"))
    elif request.operation == "PutEvents":
        yield from _one(request, request.arn("event-bus/default"))


def _athena(request: ApiRequest) -> Iterator[Need]:
    parameters = request.parameters
    group = parameters.get("WorkGroup") or parameters.get("Name")
    yield from _one(request, request.arn(f"workgroup/{group}") if group else None)


def _iam(request: ApiRequest) -> Iterator[Need]:
    name = request.parameters.get("RoleName")
    yield from _one(request, f"arn:aws:iam::{request.account}:role/{name}" if name else None)


def _sts(request: ApiRequest) -> Iterator[Need]:
    yield from _one(request, str(request.parameters.get("RoleArn") or NONE))


def _ssm(request: ApiRequest) -> Iterator[Need]:
    names = [request.parameters.get("Name"), *request.parameters.get("Names", [])]
    for name in filter(None, names):
        yield from _one(request, request.arn(f"parameter/{str(name).lstrip('/')}"))


def _cloudformation(request: ApiRequest) -> Iterator[Need]:
    name = str(request.parameters.get("StackName") or "")
    if name:
        yield from _one(request, name if name.startswith("arn:") else request.arn(f"stack/{name}/*"))
    elif request.operation.startswith(("Describe", "List", "Get", "Validate")):
        yield from _one(request, NONE)


_SERVICES: dict[str, Callable[[ApiRequest], Iterator[Need]]] = {
    "s3": _s3,
    "dynamodb": _dynamodb,
    "sqs": _sqs,
    "sns": _sns,
    "kms": _kms,
    "logs": _logs,
    "cloudwatch": _cloudwatch,
    "lambda": _lambda,
    "states": _states,
    "glue": _glue,
    "sagemaker": _sagemaker,
    "events": _events,
    "athena": _athena,
    "iam": _iam,
    "sts": _sts,
    "ssm": _ssm,
    "cloudformation": _cloudformation,
}

# The services that take a role with a request, and the fields that name it.
_PASSED_ROLES = {
    "sagemaker": ("sagemaker.amazonaws.com", ("RoleArn", "ExecutionRoleArn")),
    "glue": ("glue.amazonaws.com", ("Role",)),
    "lambda": ("lambda.amazonaws.com", ("Role",)),
    "states": ("states.amazonaws.com", ("roleArn",)),
    "cloudformation": ("cloudformation.amazonaws.com", ("RoleARN",)),
}


def _passed_roles(request: ApiRequest) -> Iterator[Need]:
    service, names = _PASSED_ROLES.get(request.service, ("", ()))
    if service and request.operation.startswith(("Create", "Update")):
        for role in sorted(set(_values_of(request.parameters, names))):
            yield Need("iam:PassRole", role, {"iam:passedtoservice": service})


def _values_of(value: object, names: tuple[str, ...]) -> Iterator[str]:
    """Yield the ARNs in all fields of these names, at any depth."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in names and isinstance(item, str) and item.startswith("arn:"):
                yield item
            else:
                yield from _values_of(item, names)
    elif isinstance(value, list):
        for item in value:
            yield from _values_of(item, names)

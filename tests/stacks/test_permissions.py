"""Each role may do what the code of its unit calls and what a named service does in its name, and nothing else."""

from __future__ import annotations

import ast
import fnmatch
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from local_aws import ROOT
from ptmlops_contracts.state import ATTEMPTS

# Methods of boto3's clients whose name or action is not the operation's. The Service Authorization Reference has the actions.
METHODS: dict[str, tuple[str, ...]] = {
    "list_objects_v2": ("s3:ListBucket",),
    "upload_fileobj": ("s3:PutObject", "s3:AbortMultipartUpload"),  # in parts if the file is large
    "head_object": ("s3:GetObject",),
    "search": (),  # of regular expressions
    "copy_object": ("s3:PutObject",),  # and s3:GetObject of the source
    "transact_write_items": ("dynamodb:PutItem", "dynamodb:UpdateItem"),  # a transaction needs the actions of its items
}

FUNCTION = {
    "logs:CreateLogStream": "Lambda writes the function's log",
    "logs:PutLogEvents": "Lambda writes the function's log",
    "xray:PutTraceSegments": "active tracing",
    "xray:PutTelemetryRecords": "active tracing",
    "kms:Decrypt": "environment variables and data are under our key",
    "kms:GenerateDataKey": "written data is under our key",
}
QUEUE = "Lambda reads the queue in the function's name"
ARTIFACT = "SageMaker looks at artifact and image in the caller's name when a package or model is created"
MODEL = {
    "iam:PassRole": "CreateModel hands the model's role to SageMaker",
    "ecr:BatchCheckLayerAvailability": ARTIFACT,
    "ecr:BatchGetImage": ARTIFACT,
    "ecr:DescribeImages": ARTIFACT,
    "ecr:GetDownloadUrlForLayer": ARTIFACT,
}
SPARK = "S3A, Spark's client, looks for buckets, and for uploads to end or to resume"
GLUE_LOGS = "Glue writes the job's log, encrypted by the security configuration"
GLUE = {
    "s3:GetObject": "Glue fetches the script and its modules",
    "s3:PutObject": "Spark writes",
    "s3:DeleteObject": "Spark overwrites folders, and removes temporary objects",
    "s3:AbortMultipartUpload": SPARK,
    "s3:GetBucketLocation": SPARK,
    "s3:ListBucketMultipartUploads": SPARK,
    "s3:ListMultipartUploadParts": SPARK,
    "kms:Decrypt": "data is under our key",
    "kms:Encrypt": "the security configuration requires it",
    "kms:GenerateDataKey": "written data is under our key",
    "logs:CreateLogGroup": GLUE_LOGS,
    "logs:CreateLogStream": GLUE_LOGS,
    "logs:PutLogEvents": GLUE_LOGS,
    "logs:AssociateKmsKey": GLUE_LOGS,
}
# https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html: what jobs and models need; their code calls no service.
SAGEMAKER = dict.fromkeys(
    (
        "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListBucket", "kms:Decrypt", "kms:DescribeKey",
        "kms:Encrypt", "kms:GenerateDataKey*", "kms:CreateGrant", "logs:CreateLogGroup", "logs:CreateLogStream",
        "logs:DescribeLogStreams", "logs:PutLogEvents", "cloudwatch:PutMetricData", "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
    ),
    "SageMaker copies data in and out, writes logs and metrics, pulls the image and encrypts volumes in the job's name",
)  # fmt: skip
JOBS = "the .sync integration starts a job, waits for its end, and stops it if the execution is stopped"
TAGGED = "jobs are created with tags"
DELIVERY = "log delivery and tracing of the state machine, as CDK grants them"
# The definition is data: its integrations need what Step Functions documents for each of them.
# https://docs.aws.amazon.com/step-functions/latest/dg/connect-glue.html, connect-sagemaker.html, connect-lambda.html
MACHINE = {
    "lambda:InvokeFunction": "states that call functions",
    **dict.fromkeys(("glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"), JOBS),
    **{
        f"sagemaker:{verb}{job}Job": JOBS
        for verb in ("Create", "Describe", "Stop")
        for job in ("HyperParameterTuning", "Processing", "Transform")
    },
    "sagemaker:ListTrainingJobsForHyperParameterTuningJob": "finds the best completed trial",
    "sagemaker:AddTags": TAGGED,
    "sagemaker:ListTags": TAGGED,
    **dict.fromkeys(("events:PutTargets", "events:PutRule", "events:DescribeRule"), "a rule reports that a job ended"),
    "iam:PassRole": "jobs get their roles",
    **dict.fromkeys(("kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"), "jobs are created with our key"),
    **dict.fromkeys(
        (
            "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
            "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
            "xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
        ),
        DELIVERY,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """A role, the code that has it, and what services do with it: actions, each with the reason."""

    stack: str
    role: str  # the beginning of its logical id
    sources: str  # folder of the code
    entry: str | None  # the module that starts, or None if the code calls no service
    services: Mapping[str, str] = field(default_factory=dict)


UNITS = [
    Unit(
        "workflow",
        "StartRunRole",
        "lambdas",
        "start_run.handler",
        {
            **FUNCTION,
            "sqs:ReceiveMessage": QUEUE,
            "sqs:DeleteMessage": QUEUE,
            "sqs:GetQueueAttributes": QUEUE,
            "sqs:ChangeMessageVisibility": QUEUE,
        },
    ),
    Unit("workflow", "CollectRunRole", "lambdas", "collect_run.handler", FUNCTION),
    Unit(
        "workflow",
        "PlanRunRole",
        "lambdas",
        "plan_run.handler",
        {**FUNCTION, **MODEL},
    ),
    Unit(
        "workflow",
        "PromoteModelRole",
        "lambdas",
        "promote_model.handler",
        {
            **FUNCTION,
            "s3:ListBucket": "a missing object is `not found` and not `access denied`",
            **MODEL,
            "kms:CreateGrant": "CreateModelPackage with our key",
            "kms:DescribeKey": "CreateModelPackage with our key",
        },
    ),
    Unit(
        "workflow",
        "RecordRunRole",
        "lambdas",
        "record_run.handler",
        {
            **FUNCTION,
            "s3:ListBucket": "a missing object is `not found` and not `access denied`",
            "sqs:SendMessage": "Lambda keeps events that the function could not handle",
        },
    ),
    Unit("workflow", "StateMachineRole", "stacks", None, MACHINE),
    Unit(
        "preparation",
        "PrepareRole",
        "glue_jobs",
        "prepare_complaints",
        {**GLUE, "s3:GetObjectVersion": "the version that was uploaded is read: get_object with VersionId"},
    ),
    Unit("preparation", "PublishRole", "glue_jobs", "publish_predictions", GLUE),
    Unit(
        "modeling",
        "DeployCodeRole",
        "lambdas",
        "deploy_code.handler",
        {**FUNCTION, "s3:GetObject": "CopyObject reads the source"},
    ),
    Unit("modeling", "TrainingRole", "training", "train", SAGEMAKER),
    Unit("modeling", "EvaluationRole", "training", "evaluate", SAGEMAKER),
    Unit("storage", "ModelRole", "training", "inference", SAGEMAKER),
]


@cache
def clients(sources: str) -> set[str]:
    """The services that the code creates clients of."""
    return {
        str(ast.literal_eval(node.args[0]))
        for path in (ROOT / sources).rglob("*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "boto3.client"
    }


@cache
def operations(sources: str) -> dict[str, set[str]]:
    """Method of the clients → the actions that it stands for."""
    session, actions = botocore.session.get_session(), dict[str, set[str]]()
    for service in sorted(clients(sources)):
        model = session.get_service_model(service)
        for operation in model.operation_names:
            actions.setdefault(xform_name(operation), set()).add(f"{model.signing_name}:{operation}")
    return {**actions, **{method: set(names) for method, names in METHODS.items() if actions}}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_file(folder: Path, module: str) -> Path | None:
    base = folder.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def reachable(folder: Path, entry: str) -> Iterator[ast.stmt]:
    """Every top-level statement of the code that the entry module can reach through names."""
    waiting, seen = [(entry, None)], set[tuple[str, str | None]]()
    while waiting:
        module, name = waiting.pop()
        path = module_file(folder, module)
        if (module, name) in seen or path is None:
            continue
        seen.add((module, name))
        body = parsed(path).body
        imports = {
            alias.asname or alias.name: (statement.module, alias.name)
            for statement in ast.walk(parsed(path))
            if isinstance(statement, ast.ImportFrom) and statement.module
            for alias in statement.names
        }
        defined = {statement.name: statement for statement in body if isinstance(statement, ast.FunctionDef | ast.ClassDef)}
        for statement in body if name is None else [defined[name]] if name in defined else []:
            yield statement
            for used in {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}:
                if used in imports:
                    origin, imported = imports[used]
                    is_module = module_file(folder, f"{origin}.{imported}") is not None
                    waiting.append((f"{origin}.{imported}", None) if is_module else (origin, imported))
                elif used in defined:
                    waiting.append((module, used))


def called(sources: str, entry: str) -> set[str]:
    """The actions of every client method that the code calls, or asks a paginator for."""
    found = set[str]()
    for statement in reachable(ROOT / sources, entry):
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                method: object = node.func.attr
                if method == "get_paginator" and isinstance(node.args[0], ast.Constant):
                    method = node.args[0].value
                actions = operations(sources).get(str(method), set())
                if any(keyword.arg == "VersionId" for keyword in node.keywords):
                    actions = {f"{action}Version" for action in actions}
                found |= actions
    return found


def allowed(template: Any, role: str) -> set[str]:
    """The actions of every policy of the role."""
    return {
        action
        for policy in template.properties("AWS::IAM::Policy")
        if any(reference["Ref"].startswith(role) for reference in policy["Roles"])
        for statement in policy["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.role)
def test_a_role_may_do_what_its_unit_calls_and_nothing_else(templates: dict[str, Any], unit: Unit) -> None:
    calls = called(unit.sources, unit.entry) if unit.entry else set()
    may = allowed(templates[unit.stack], unit.role)
    assert may - calls - set(unit.services) == set(), "no code and no service needs it"
    assert calls - may == set(), "the code calls it and would be refused"
    assert set(unit.services) - may == set(), "a reason for an action that the role does not have"


def test_no_role_with_a_policy_is_left_out(templates: dict[str, Any]) -> None:
    roles = {
        (stack, reference["Ref"])
        for stack in {unit.stack for unit in UNITS}
        for policy in templates[stack].properties("AWS::IAM::Policy")
        for reference in policy["Roles"]
    }
    assert len(roles) == len(UNITS)
    assert all(any(unit.stack == stack and role.startswith(unit.role) for unit in UNITS) for stack, role in roles)


def test_calls_are_found_through_functions_methods_and_paginators() -> None:
    """Otherwise the comparison would prove nothing."""
    assert clients("lambdas") == {"dynamodb", "glue", "s3", "sagemaker", "sns", "stepfunctions"}
    assert clients("glue_jobs") == {"s3", "sagemaker"}
    assert clients("training") == set()
    start = called("lambdas", "start_run.handler")
    assert start == {
        *(f"dynamodb:{action}Item" for action in ("BatchGet", "Get", "Put", "Update")),
        "states:StartExecution",
        "states:DescribeExecution",
    }
    assert "sagemaker:ListTrainingJobsForHyperParameterTuningJob" in called("lambdas", "record_run.handler")
    assert {"s3:GetObject", "s3:ListBucket", "s3:PutObject"} <= called("glue_jobs", "prepare_complaints")
    assert "s3:GetObjectVersion" in called("glue_jobs", "prepare_complaints"), "head_object with VersionId"
    assert "s3:GetObject" in called("lambdas", "promote_model.handler"), "head_object without it"


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_the_state_machine_may_start_tuning_jobs_of_every_attempt(templates: dict[str, Any], attempt: str) -> None:
    name = f"20260715-093000-0123abcd{attempt}1-0"
    [resource] = {
        json.dumps(statement["Resource"])
        for _, statement in templates["workflow"].statements()
        if "sagemaker:CreateHyperParameterTuningJob" in statement["Action"]
    }
    pattern = resource.rpartition("hyper-parameter-tuning-job/")[2].strip('"]}')
    assert fnmatch.fnmatchcase(name, pattern)
    assert not fnmatch.fnmatchcase("another-20260715-093000-0123abcd-1-0", pattern)


def test_a_job_that_was_deleted_is_not_found_instead_of_denied(templates: dict[str, Any]) -> None:
    """What does not exist has no tags: with a condition on them, a function that asks for it would be denied, and could not go on."""
    asked = {
        "sagemaker:ListTrainingJobsForHyperParameterTuningJob", "sagemaker:DescribeTrainingJob", "sagemaker:DescribeProcessingJob",
        "sagemaker:DescribeTransformJob",
    }  # fmt: skip
    of_record = [statement for name, statement in templates["workflow"].statements() if name.startswith("RecordRun")]
    found = [statement for statement in of_record if any(action in json.dumps(statement["Action"]) for action in asked)]
    assert len(found) == len(asked)
    assert not [statement for statement in found if "Condition" in statement]

"""Check an account before an environment is deployed to it: `ptmlops doctor`.

Each check asks one service and returns findings. A check that the service does not answer becomes a finding of its own, "not checked", and
never counts as passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from ptmlops.errors import explain
from ptmlops.target import Target
from stacks.config import Settings

BOOTSTRAP_STACK = "CDKToolkit"
# What the synthesized stacks require (`requiresBootstrapStackVersion` in manifest.json).
BOOTSTRAP_VERSION = 6
# start_run reads the queue with two pollers; each of the other three functions runs at least once at a time.
FUNCTION_CONCURRENCY = 5
DPUS = {"G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8}
SUBSCRIBED = "ACCOUNT_CREATED"


class Status(StrEnum):
    """What a check found."""

    OK = "ok"
    NOTE = "note"
    BLOCKED = "blocked"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was checked, what was found, and what to do next (empty if nothing)."""

    check: str
    status: Status
    found: str
    next_step: str = ""


Findings = Iterator[Finding]


@dataclass(frozen=True)
class Quota:
    """A quota of Service Quotas, by name, and how much the environment needs of it."""

    service: str
    name: str
    needed: int
    setting: str


def examine(target: Target, settings: Settings) -> list[Finding]:
    """Run every check. If there are no usable credentials, only the first one."""
    findings = list(_answered("credentials", lambda: _credentials(target, settings)))
    if findings[-1].status in (Status.BLOCKED, Status.NOT_CHECKED) and findings[-1].check == "credentials":
        return findings
    checks: dict[str, Callable[[], Findings]] = {
        "region": lambda: _region(target),
        "CDK bootstrap": lambda: _bootstrap(target, settings),
        "QuickSight": lambda: _quicksight(target, settings),
        "alarm addresses": lambda: _subscriptions(target, settings),
    }
    for title, check in checks.items():
        findings += _answered(title, check, is_local=bool(target.endpoint_url))
    for service in ("sagemaker", "glue", "lambda"):
        findings += _answered(
            f"quotas of {service}",
            lambda service=service: _quotas(target, settings, service),  # type: ignore[misc]
            is_local=bool(target.endpoint_url),
        )
    return findings


def quotas(settings: Settings) -> list[Quota]:
    """Return what one run of the environment needs at the same time."""
    compute, tuning = settings.compute, settings.tuning
    kind = "spot training" if settings.training.spot else "training"
    return [
        Quota(
            "sagemaker",
            f"{compute.training_instance} for {kind} job usage",
            tuning.max_parallel_jobs,
            "tuning.max_parallel_jobs",
        ),
        Quota("sagemaker", f"{compute.evaluation_instance} for processing job usage", 1, "one Evaluate per run"),
        Quota(
            "sagemaker",
            f"{compute.scoring_instance} for transform job usage",
            compute.scoring_instances,
            "compute.scoring_instances",
        ),
        Quota("glue", "Max concurrent job runs per account", 1, "one Glue job per run"),
        Quota(
            "glue",
            "Max task DPUs per account",
            compute.prepare_workers * DPUS[compute.prepare_worker],
            "compute.prepare_workers and compute.prepare_worker",
        ),
        Quota("lambda", "Concurrent executions", FUNCTION_CONCURRENCY, "the functions of two batches and one run"),
    ]


def _answered(title: str, check: Callable[[], Findings], *, is_local: bool = False) -> list[Finding]:
    """Return a check's findings. One that its service refuses or does not know is not checked."""
    findings = list[Finding]()
    try:
        findings += check()
    except NoCredentialsError as error:
        findings.append(Finding(title, Status.BLOCKED, "there are none", str(explain(error))))
    except ClientError as error:
        remedy = "" if is_local else "allow this call, or look in the console"
        found = "local AWS does not have it" if is_local else _refusal(error)
        findings.append(Finding(title, Status.NOT_CHECKED, found, remedy))
    except BotoCoreError as error:
        findings.append(Finding(title, Status.NOT_CHECKED, str(error), "check the network and the region"))
    return findings


def _refusal(error: ClientError) -> str:
    answer = error.response["Error"]
    message = " ".join(answer.get("Message", "").split())
    code = answer.get("Code")
    return f"{error.operation_name} answered {code}" + ("" if message.startswith("<") else f": {message}")  # a page of HTML


def _credentials(target: Target, settings: Settings) -> Findings:
    try:
        caller = target.client("sts").get_caller_identity()
    except ClientError as error:
        yield Finding("credentials", Status.BLOCKED, str(explain(error)), "log in, or use another --profile")
        return
    account, wanted = caller["Account"], settings.environment.account
    if wanted and wanted != account:
        yield Finding(
            "account",
            Status.BLOCKED,
            f"these credentials belong to {account}, environment.account is {wanted}",
            "use credentials of that account (--profile), or correct the setting",
        )
    else:
        yield Finding("account", Status.OK, f"{account}, as {caller['Arn']}")


def _region(target: Target) -> Findings:
    region = target.session.region_name
    [found] = target.client("ec2").describe_regions(RegionNames=[region], AllRegions=True)["Regions"]
    if found["OptInStatus"] == "not-opted-in":
        yield Finding(
            "region", Status.BLOCKED, f"{region} is not enabled in this account", "enable it under Account, AWS Regions"
        )
    else:
        yield Finding("region", Status.OK, f"{region}: {found['OptInStatus']}")


def _bootstrap(target: Target, settings: Settings) -> Findings:
    command = f"cdk bootstrap -c environment={settings.name}"
    try:
        [stack] = target.client("cloudformation").describe_stacks(StackName=BOOTSTRAP_STACK)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        yield Finding("CDK bootstrap", Status.BLOCKED, "not bootstrapped in this region", command)
        return
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    version = int(outputs.get("BootstrapVersion", 0))
    if not stack["StackStatus"].endswith("_COMPLETE") or "ROLLBACK" in stack["StackStatus"]:
        yield Finding("CDK bootstrap", Status.BLOCKED, f"stack {BOOTSTRAP_STACK} is in {stack['StackStatus']}", command)
    elif version < BOOTSTRAP_VERSION:
        yield Finding("CDK bootstrap", Status.BLOCKED, f"version {version}; the stacks need {BOOTSTRAP_VERSION}", command)
    else:
        yield Finding("CDK bootstrap", Status.OK, f"version {version}")


def _quicksight(target: Target, settings: Settings) -> Findings:
    principal = settings.analytics.quicksight_principal
    if not principal:
        return
    _, _, _, region, account, resource = principal.split(":", 5)
    yield from _answered("QuickSight subscription", lambda: _quicksight_subscription(target, account))
    kind, namespace, name = resource.split("/", 2)
    # Users and groups live in the region of QuickSight's identities, which the principal's ARN names.
    client = target.session.client("quicksight", region_name=region, endpoint_url=target.endpoint_url)
    try:
        if kind == "group":
            client.describe_group(GroupName=name, AwsAccountId=account, Namespace=namespace)
        else:
            client.describe_user(UserName=name, AwsAccountId=account, Namespace=namespace)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        yield Finding(
            "QuickSight principal",
            Status.BLOCKED,
            f"there is no {kind} {name} in namespace {namespace} of {region}",
            "create it in QuickSight, or correct analytics.quicksight_principal",
        )
        return
    yield Finding("QuickSight principal", Status.OK, f"{kind} {name}")


def _quicksight_subscription(target: Target, account: str) -> Findings:
    client, next_step = target.client("quicksight"), "subscribe to QuickSight, or remove analytics.quicksight_principal"
    try:
        information = client.describe_account_subscription(AwsAccountId=account)["AccountInfo"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        yield Finding("QuickSight subscription", Status.BLOCKED, "the account is not subscribed", next_step)
        return
    status, edition = information.get("AccountSubscriptionStatus"), information.get("Edition")
    if status != SUBSCRIBED:
        yield Finding("QuickSight subscription", Status.BLOCKED, f"its status is {status}", next_step)
    elif edition == "STANDARD":
        yield Finding(
            "QuickSight subscription", Status.BLOCKED, "Standard edition has no groups and no API", "upgrade to Enterprise"
        )
    else:
        yield Finding("QuickSight subscription", Status.OK, f"{edition} edition")


def _subscriptions(target: Target, settings: Settings) -> Findings:
    if settings.unnotified:
        problem, _, remedy = settings.unnotified.partition(": ")
        yield Finding("alarm addresses", Status.BLOCKED, problem, remedy)
        return
    if not settings.alarms.has_recipient:
        found = "alarms.nobody is true" if settings.alarms.nobody else "the environment is disposable and names no recipient"
        yield Finding(
            "alarm addresses", Status.NOTE, f"{found}: alarms notify nobody", "add an address to alarms.emails to change it"
        )
        return
    if not settings.alarms.emails:  # nobody confirms a topic or a channel
        yield Finding("alarm addresses", Status.OK, "alarms go to a topic or a channel")
        return
    topic = _notification_topic(target, settings)
    if topic is None:
        mails = ", ".join(settings.alarms.emails)
        yield Finding(
            "alarm addresses", Status.NOTE, "not deployed yet", f"after the deployment, confirm the mail sent to {mails}"
        )
        return
    subscribed = {
        subscription["Endpoint"]: subscription["SubscriptionArn"]
        for page in target.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        for subscription in page["Subscriptions"]
        if subscription["Protocol"] == "email"
    }
    for address in settings.alarms.emails:
        arn = subscribed.get(address)
        if arn is None:
            yield Finding("alarm address", Status.NOTE, f"{address} is not subscribed", "deploy the storage stack again")
        elif arn == "PendingConfirmation":
            yield Finding("alarm address", Status.NOTE, f"{address} has not confirmed", "follow the link in the mail from AWS")
        else:
            yield Finding("alarm address", Status.OK, f"{address} is subscribed")


def _notification_topic(target: Target, settings: Settings) -> str | None:
    try:
        [stack] = target.client("cloudformation").describe_stacks(StackName=f"{settings.prefix}-storage")["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return None
    outputs = {output["OutputKey"]: str(output["OutputValue"]) for output in stack.get("Outputs", [])}
    return outputs.get("NotificationTopicArn")


def _quotas(target: Target, settings: Settings, service: str) -> Findings:
    client = target.client("service-quotas")
    listed: dict[str, dict[str, Any]] = {}
    for page in client.get_paginator("list_aws_default_service_quotas").paginate(ServiceCode=service):
        listed |= {quota["QuotaName"].casefold(): quota for quota in page["Quotas"]}
    for wanted in (quota for quota in quotas(settings) if quota.service == service):
        default = listed.get(wanted.name.casefold())
        if default is None:
            found = "Service Quotas does not list it in this region"
            yield Finding(wanted.name, Status.NOT_CHECKED, found, "look for it in the console of Service Quotas")
            continue
        value = int(_applied(client, service, default))
        # What runs need adds up, but the functions' concurrency is for all of them.
        runs_at_once = 1 if service == "lambda" else settings.arrivals.max_running
        wanted_by_all = wanted.needed * runs_at_once
        request = (
            f"aws service-quotas request-service-quota-increase --service-code {service} "
            f"--quota-code {default['QuotaCode']} --desired-value {wanted_by_all}"
        )
        if value < wanted.needed:
            found = f"{value}, and each run at the same time needs {wanted.needed} ({wanted.setting})"
            yield Finding(wanted.name, Status.BLOCKED, found, request)
        elif value < wanted_by_all:
            found = (
                f"{value}: enough for one run. {runs_at_once} at the same time (arrivals.max_running) need {wanted_by_all}, "
                "and wait for each other"
            )
            yield Finding(wanted.name, Status.NOTE, found, request)
        else:
            yield Finding(wanted.name, Status.OK, f"{value}; each run at the same time needs {wanted.needed}")


def _applied(client: Any, service: str, default: dict[str, Any]) -> float:
    """Return the quota's value in this account, which is the default unless an increase was granted."""
    try:
        return float(client.get_service_quota(ServiceCode=service, QuotaCode=default["QuotaCode"])["Quota"]["Value"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchResourceException":
            raise
        return float(default["Value"])

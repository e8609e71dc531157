"""What `ptmlops doctor` finds in an account: moto's server answers, and what it cannot answer is never reported as checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto.backends import get_backend
from moto.server import ThreadedMotoServer
from moto.servicequotas.exceptions import NoSuchResource
from moto.servicequotas.models import ServiceQuotasBackend
from typer.testing import CliRunner

from ptmlops import account
from ptmlops.account import Finding, Status
from ptmlops.main import app
from ptmlops.options import CommonOptions
from ptmlops.target import Target
from stacks.config import Settings
from tests.stacks.conftest import kept_assembly

pytestmark = pytest.mark.slow  # moto loads each of its services

ACCOUNT = "123456789012"
GROUP = f"arn:aws:quicksight:us-east-1:{ACCOUNT}:group/default/care"
USER = f"arn:aws:quicksight:us-east-1:{ACCOUNT}:user/default/ana"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="localhost", port=0, verbose=False)
    server.start()
    yield f"http://localhost:{server.get_host_and_port()[1]}"
    server.stop()


@pytest.fixture(scope="module")
def shared_target(endpoint: str) -> Target:
    """One for all tests, because making its clients takes longer than all calls."""
    session = boto3.Session(aws_access_key_id="id", aws_secret_access_key="key", region_name="us-east-1")
    return Target("x", session, endpoint)


@pytest.fixture
def target(shared_target: Target) -> Target:
    for stack in (account.BOOTSTRAP_STACK, "ptmlops-x-storage"):
        shared_target.client("cloudformation").delete_stack(StackName=stack)
    get_backend("quicksight").reset()
    return shared_target


@pytest.fixture
def granted(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, tuple[float, float | None]]]:
    """Quotas that moto's server answers with: service → name → (default, value granted to the account or None)."""
    quotas: dict[str, dict[str, tuple[float, float | None]]] = {
        "sagemaker": {
            "ml.m5.xlarge for training job usage": (0, 15),
            "ml.m5.xlarge for spot training job usage": (0, None),
            "ml.m5.large for processing job usage": (4, None),
            "ml.m5.large for transform job usage": (2, None),
        },
        "glue": {"Max concurrent job runs per account": (30, None), "Max task DPUs per account": (100, None)},
        "lambda": {"Concurrent executions": (1000, 10)},
    }

    def listed(_: Any, service_code: str) -> list[dict[str, Any]]:
        if service_code not in quotas:
            raise NoSuchResource
        return [
            {"QuotaName": name, "QuotaCode": _code(name), "Value": value[0]} for name, value in quotas[service_code].items()
        ]

    def applied(_: Any, service_code: str, quota_code: str) -> dict[str, Any]:
        for name, (_default, value) in quotas[service_code].items():
            if _code(name) == quota_code and value is not None:
                return {"QuotaName": name, "QuotaCode": quota_code, "Value": value}
        raise NoSuchResource

    monkeypatch.setattr(ServiceQuotasBackend, "list_aws_default_service_quotas", listed)
    monkeypatch.setattr(ServiceQuotasBackend, "get_service_quota", applied)
    return quotas


def _code(name: str) -> str:
    return f"L-{abs(hash(name)) % 10**8:08d}"


def settings_of(**tables: Any) -> Settings:
    return Settings.model_validate(
        {"name": "x", "environment": {"account": ACCOUNT}, "alarms": {"emails": ["team@example.com"]}, **tables}
    )


def bootstrap(target: Target, version: int | None, *, stack: str = "CDKToolkit") -> None:
    outputs = {} if version is None else {"Outputs": {"BootstrapVersion": {"Value": str(version)}}}
    template = json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, **outputs})
    target.client("cloudformation").create_stack(StackName=stack, TemplateBody=template)


def found(target: Target, settings: Settings, check: str) -> Finding:
    findings = account.examine(target, settings)
    assert check in {finding.check for finding in findings}, [finding.check for finding in findings]
    [finding] = [finding for finding in findings if finding.check == check]
    return finding


def test_an_account_that_is_ready_is_not_blocked(target: Target, granted: object) -> None:
    bootstrap(target, account.BOOTSTRAP_VERSION)
    findings = account.examine(target, settings_of())
    assert {finding.status for finding in findings} == {Status.OK, Status.NOTE}
    assert [finding.found for finding in findings if finding.status is Status.NOTE] == ["not deployed yet"]
    assert {finding.check for finding in findings} >= {
        "account", "region", "CDK bootstrap", "ml.m5.xlarge for training job usage", "Concurrent executions",
    }  # fmt: skip


def test_the_required_bootstrap_version_is_that_of_the_stacks() -> None:
    manifest = json.loads((kept_assembly("local") / "manifest.json").read_text(encoding="utf-8"))
    needed = {
        artifact["properties"]["requiresBootstrapStackVersion"]
        for artifact in manifest["artifacts"].values()
        if "requiresBootstrapStackVersion" in artifact.get("properties", {})
    }
    assert max(needed) == account.BOOTSTRAP_VERSION


def test_credentials_of_another_account_block(target: Target) -> None:
    finding = found(target, settings_of(environment={"account": "999999999999"}), "account")
    assert finding.status is Status.BLOCKED
    assert "999999999999" in finding.found
    assert "--profile" in finding.next_step


def test_without_credentials_nothing_else_is_checked(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    [finding] = account.examine(Target("x", boto3.Session(region_name="us-east-1"), endpoint), settings_of())
    assert (finding.check, finding.status) == ("credentials", Status.BLOCKED)
    assert "aws sso login" in finding.next_step


def test_a_region_that_is_not_enabled_blocks(target: Target) -> None:
    stubbed = Stubber(target.client("ec2"))
    answer = {"Regions": [{"RegionName": "us-east-1", "OptInStatus": "not-opted-in"}]}
    stubbed.add_response("describe_regions", answer, {"RegionNames": ["us-east-1"], "AllRegions": True})
    with stubbed:
        finding = found(target, settings_of(), "region")
    assert finding.status is Status.BLOCKED
    assert "enable it" in finding.next_step


@pytest.mark.parametrize(
    ("version", "told"),
    [(None, "version 0"), (5, "version 5")],
    ids=["a stack of this name that is not the CDK's", "too old for the stacks"],
)
def test_an_old_bootstrap_blocks(target: Target, version: int | None, told: str) -> None:
    bootstrap(target, version)
    finding = found(target, settings_of(), "CDK bootstrap")
    assert finding.status is Status.BLOCKED
    assert told in finding.found
    assert finding.next_step == "cdk bootstrap -c environment=x"


def test_a_missing_or_failed_bootstrap_blocks(target: Target) -> None:
    assert found(target, settings_of(), "CDK bootstrap").found == "not bootstrapped in this region"
    bootstrap(target, account.BOOTSTRAP_VERSION)
    [stack] = get_backend("cloudformation")[ACCOUNT]["us-east-1"].stacks.values()
    stack.status = "ROLLBACK_COMPLETE"
    finding = found(target, settings_of(), "CDK bootstrap")
    assert (finding.status, finding.found) == (Status.BLOCKED, "stack CDKToolkit is in ROLLBACK_COMPLETE")


@pytest.mark.parametrize(
    ("tables", "check", "told"),
    [
        ({"training": {"spot": True}}, "ml.m5.xlarge for spot training job usage", "0, and each run"),
        ({"tuning": {"max_jobs": 20, "max_parallel_jobs": 16}}, "ml.m5.xlarge for training job usage", "15, and each run"),
        ({"compute": {"scoring_instances": 3}}, "ml.m5.large for transform job usage", "2, and each run"),
        ({"compute": {"prepare_workers": 26, "prepare_worker": "G.4X"}}, "Max task DPUs per account", "needs 104"),
    ],
    ids=["a spot quota of its own", "the granted value, not the default", "instances per job", "workers times DPUs"],
)
@pytest.mark.slow
def test_a_quota_that_is_too_small_blocks_with_the_command(
    target: Target, granted: object, tables: dict[str, Any], check: str, told: str
) -> None:
    finding = found(target, settings_of(**tables), check)
    assert finding.status is Status.BLOCKED
    assert told in finding.found
    assert f"--quota-code {_code(check)} --desired-value" in finding.next_step


def test_a_quota_that_is_not_listed_is_not_checked(target: Target, granted: dict[str, Any]) -> None:
    del granted["sagemaker"]["ml.m5.large for processing job usage"]
    finding = found(target, settings_of(), "ml.m5.large for processing job usage")
    assert finding.status is Status.NOT_CHECKED
    assert "does not list" in finding.found


def test_a_service_that_does_not_answer_is_not_checked(target: Target) -> None:
    finding = found(target, settings_of(), "quotas of sagemaker")  # moto has the quotas of VPCs only
    assert finding.status is Status.NOT_CHECKED
    assert (finding.found, finding.next_step) == ("local AWS does not have it", "")


def test_a_principal_that_does_not_exist_blocks(target: Target) -> None:
    for principal, name in ((GROUP, "group care"), (USER, "user ana")):
        finding = found(target, settings_of(analytics={"quicksight_principal": principal}), "QuickSight principal")
        assert finding.status is Status.BLOCKED
        assert name in finding.found


def test_a_group_that_exists_is_found_and_the_subscription_is_not_checked_by_moto(target: Target) -> None:
    target.client("quicksight").create_group(GroupName="care", AwsAccountId=ACCOUNT, Namespace="default")
    settings = settings_of(analytics={"quicksight_principal": GROUP})
    assert found(target, settings, "QuickSight principal").status is Status.OK
    subscription = found(target, settings, "QuickSight subscription")
    assert subscription.status is Status.NOT_CHECKED
    assert "<" not in subscription.found


@pytest.mark.parametrize(
    ("information", "status"),
    [
        ({"AccountSubscriptionStatus": "ACCOUNT_CREATED", "Edition": "ENTERPRISE"}, Status.OK),
        ({"AccountSubscriptionStatus": "ACCOUNT_CREATED", "Edition": "STANDARD"}, Status.BLOCKED),
        ({"AccountSubscriptionStatus": "UNSUBSCRIBED", "Edition": "ENTERPRISE"}, Status.BLOCKED),
        (None, Status.BLOCKED),
    ],
    ids=["Enterprise", "Standard has no groups", "ended", "never subscribed"],
)
def test_the_subscription_of_quicksight_is_judged_by_status_and_edition(
    target: Target, information: dict[str, str] | None, status: Status
) -> None:
    stubbed = Stubber(target.client("quicksight"))  # checks the answer against botocore's model
    if information is None:
        stubbed.add_client_error("describe_account_subscription", "ResourceNotFoundException", http_status_code=404)
    else:
        stubbed.add_response("describe_account_subscription", {"AccountInfo": information}, {"AwsAccountId": ACCOUNT})
    with stubbed:
        finding = found(target, settings_of(analytics={"quicksight_principal": GROUP}), "QuickSight subscription")
    assert finding.status is status


@pytest.mark.slow
def test_an_environment_that_would_notify_nobody_is_blocked(target: Target) -> None:
    finding = found(target, settings_of(alarms={}), "alarm addresses")
    assert finding.status is Status.BLOCKED
    assert "nobody = true" in finding.next_step
    assert found(target, settings_of(alarms={"nobody": True}), "alarm addresses").status is Status.NOTE


def test_a_topic_or_a_channel_is_a_recipient(target: Target) -> None:
    chat = {"slack_workspace_id": "T01", "slack_channel_id": "C01"}
    for alarms in (chat, {"topic_arn": f"arn:aws:sns:us-east-1:{ACCOUNT}:pages"}):
        assert found(target, settings_of(alarms=alarms), "alarm addresses").status is Status.OK


def test_an_address_that_has_not_confirmed_is_named(target: Target) -> None:
    topic = target.client("sns").create_topic(Name="notices")["TopicArn"]
    output = {"NotificationTopicArn": {"Value": topic}}
    template = json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Outputs": output})
    target.client("cloudformation").create_stack(StackName="ptmlops-x-storage", TemplateBody=template)
    for address in ("a@example.com", "b@example.com"):
        target.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
    pending = get_backend("sns")[ACCOUNT]["us-east-1"].subscriptions
    next(each for each in pending.values() if each.endpoint == "b@example.com").arn = "PendingConfirmation"

    settings = settings_of(alarms={"emails": ["a@example.com", "b@example.com", "c@example.com"]})
    findings = [finding for finding in account.examine(target, settings) if finding.check == "alarm address"]
    assert [(finding.status, finding.found) for finding in findings] == [
        (Status.OK, "a@example.com is subscribed"),
        (Status.NOTE, "b@example.com has not confirmed"),
        (Status.NOTE, "c@example.com is not subscribed"),
    ]


@pytest.mark.parametrize("ready", [True, False])
def test_the_command_reports_each_line_and_fails_if_something_blocks(
    target: Target, granted: object, monkeypatch: pytest.MonkeyPatch, ready: bool
) -> None:
    monkeypatch.setattr(CommonOptions, "target", lambda _: target)
    monkeypatch.setattr("stacks.config.load_settings", lambda _: settings_of())
    if ready:
        bootstrap(target, account.BOOTSTRAP_VERSION)
    shown = CliRunner().invoke(app, ["doctor", "-e", "x"])
    document = json.loads(CliRunner().invoke(app, ["doctor", "-e", "x", "--json"]).stdout)

    assert shown.exit_code == (0 if ready else 1)
    assert {"check", "status", "found", "next_step"} == set(document[0])
    assert all(entry["check"] in shown.stdout and entry["next_step"] in shown.stdout for entry in document)
    assert ("not bootstrapped" in shown.stdout) is not ready


def test_a_quota_for_one_run_only_is_a_note_with_the_command_for_all(
    target: Target, granted: dict[str, dict[str, tuple[float, float | None]]]
) -> None:
    granted["sagemaker"]["ml.m5.large for transform job usage"] = (1, None)
    finding = found(target, settings_of(arrivals={"max_running": 3}), "ml.m5.large for transform job usage")
    assert finding.status is Status.NOTE
    assert "3 at the same time (arrivals.max_running) need 3" in finding.found
    assert finding.next_step.endswith("--desired-value 3")

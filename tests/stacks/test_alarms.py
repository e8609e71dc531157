"""Every alarm reaches people, says what to do first, and is about a metric that somebody emits."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ptmlops_contracts.metrics import Metric
from tests.stacks.conftest import Template
from tests.stacks.notices import CHANNELS, broken_links, headings

Templates = dict[str, Template]
KINDS = {
    "RunsFailed", "RunsTimedOut", "RunsAborted", "RunsThrottled", "DeadLetters", "OldArrivals", "StartRunErrors", "CollectRunErrors",
    "PlanRunErrors", "PromoteModelErrors", "RecordRunErrors", "FileDroppedNotDelivered", "RunFailedNotDelivered", "RejectedRows",
    "Drift", "LiveAccuracy", "RunOverBudget", "MonthOverBudget", "ModelWaiting",
}  # fmt: skip


def alarms(templates: Templates) -> dict[str, dict[str, Any]]:
    return {
        name[:-8]: body["Properties"] for name, body in templates["monitoring"].resources("AWS::CloudWatch::Alarm").items()
    }


def test_each_notice_arrives(prod_templates: Templates) -> None:
    assert set(alarms(prod_templates)) == KINDS
    assert broken_links(prod_templates) == []


def every(kind: str, stack: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Templates], None]:
    """A change of each resource of a kind."""

    def mutate(templates: Templates) -> None:
        found = templates[stack].resources(kind)
        assert found
        for body in found.values():
            change(body["Properties"])

    return mutate


def without_service(document: str) -> Callable[[dict[str, Any]], None]:
    def change(properties: dict[str, Any]) -> None:
        statements = properties[document]["Statement"]
        statements[:] = [each for each in statements if "cloudwatch" not in str(each["Principal"])]

    return change


def for_other_account(document: str) -> Callable[[dict[str, Any]], None]:
    def change(properties: dict[str, Any]) -> None:
        for statement in properties[document]["Statement"]:
            if "cloudwatch" in str(statement["Principal"]):
                statement["Condition"] = {"StringEquals": {"aws:SourceAccount": "999999999999"}}

    return change


def denied(document: str) -> Callable[[dict[str, Any]], None]:
    return lambda properties: properties[document]["Statement"].append(
        {"Effect": "Deny", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "*", "Resource": "*"}
    )


ALARM, TOPIC_POLICY, KEY = "AWS::CloudWatch::Alarm", "AWS::SNS::TopicPolicy", "AWS::KMS::Key"
SUBSCRIPTION = "AWS::SNS::Subscription"


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (every(ALARM, "monitoring", lambda p: p.pop("AlarmActions")), "AlarmActions has no topic"),
        (every(ALARM, "monitoring", lambda p: p.pop("OKActions")), "OKActions has no topic"),
        (
            every(ALARM, "monitoring", lambda p: p.update(AlarmActions=["arn:aws:sns:us-east-1:1:x"])),
            "AlarmActions has no topic",
        ),
        (every(ALARM, "monitoring", lambda p: p.update(ActionsEnabled=False)), "actions are disabled"),
        (every(ALARM, "monitoring", lambda p: p.update(AlarmDescription="Do something.")), "address of a runbook"),
        (every(ALARM, "monitoring", lambda p: p.update(AlarmDescription="x runbooks.md#nowhere")), "no section nowhere"),
        (every(TOPIC_POLICY, "storage", without_service("PolicyDocument")), "does not let CloudWatch publish"),
        (every(TOPIC_POLICY, "storage", for_other_account("PolicyDocument")), "does not let CloudWatch publish"),
        (every(TOPIC_POLICY, "storage", denied("PolicyDocument")), "does not let CloudWatch publish"),
        (every(TOPIC_POLICY, "storage", lambda p: p.update(Topics=[])), "does not let CloudWatch publish"),
        (every(KEY, "storage", without_service("KeyPolicy")), "does not let CloudWatch use kms:GenerateDataKey"),
        (every(KEY, "storage", for_other_account("KeyPolicy")), "does not let CloudWatch use kms:Decrypt"),
        (every(SUBSCRIPTION, "storage", lambda p: p.update(TopicArn={"Ref": "Other"})), "nobody is subscribed"),
        (every(SUBSCRIPTION, "storage", lambda p: p.update(FilterPolicy={"kind": ["x"]})), "nobody is subscribed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_link_is_noticed_for_each_alarm(
    broken: Callable[[Templates], None], says: str, prod_templates: Templates
) -> None:
    templates = copy.deepcopy(prod_templates)
    broken(templates)
    problems = broken_links(templates)
    assert {problem.partition(": ")[0][:-8] for problem in problems if says in problem} == KINDS


def test_one_alarm_without_an_action_is_named(prod_templates: Templates) -> None:
    templates = copy.deepcopy(prod_templates)
    [(_, drift)] = [item for item in templates["monitoring"].resources(ALARM).items() if item[0].startswith("Drift")]
    drift["Properties"]["AlarmActions"] = []
    [problem] = broken_links(templates)
    assert problem.startswith("Drift")


def test_each_section_of_the_runbooks_belongs_to_an_alarm(every_kind: Templates) -> None:
    addresses = {alarm["AlarmDescription"].partition("#")[2] for alarm in alarms(every_kind).values()}
    assert headings() == addresses
    assert all(len(alarm["AlarmDescription"].partition(" docs/")[0]) > 30 for alarm in alarms(every_kind).values())


def test_channels_receive_and_may_call_nothing(every_kind: Templates) -> None:
    assert broken_links(every_kind) == []
    for kind in CHANNELS:
        [channel] = every_kind["monitoring"].properties(kind)
        assert "AWSDenyAll" in str(channel["GuardrailPolicies"])
    [role] = [body for body in every_kind["monitoring"].properties("AWS::IAM::Role") if "chatbot" in str(body)]
    assert "Policies" not in role
    assert "ManagedPolicyArns" not in role
    assert every_kind["monitoring"].properties("AWS::IAM::Policy") == []


def test_an_existing_topic_gets_alarms_beside_ours(every_kind: Templates) -> None:
    for alarm in alarms(every_kind).values():
        for actions in (alarm["AlarmActions"], alarm["OKActions"]):
            assert "arn:aws:sns:us-east-1:111122223333:operations" in actions
            assert len(actions) == 2


def test_no_files_for_some_days_is_missing_data_that_counts(every_kind: Templates) -> None:
    alarm = alarms(every_kind)["NoFiles"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/SQS", "NumberOfMessagesSent", "Sum")
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (3600, 72, "breaching")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)


def test_alarms_on_own_metrics_name_what_functions_emit(prod_templates: Templates) -> None:
    own = {name: alarm for name, alarm in alarms(prod_templates).items() if alarm["Namespace"] == "ptmlops-prod"}
    assert {name: (alarm["MetricName"], alarm["Threshold"], alarm["TreatMissingData"]) for name, alarm in own.items()} == {
        "RejectedRows": (Metric.REJECT_SHARE.title, 10, "notBreaching"),
        "Drift": (Metric.DRIFT_TIMES_THRESHOLD.title, 1, "ignore"),
        "LiveAccuracy": (Metric.LIVE_ACCURACY_FALL.title, 5, "ignore"),
        "RunOverBudget": (Metric.RUN_COST.title, 10, "notBreaching"),
        "MonthOverBudget": (Metric.MONTH_COST.title, 100, "ignore"),
        "ModelWaiting": (Metric.MODELS_WAITING.title, 1, "ignore"),
    }
    for alarm in own.values():
        assert alarm["Dimensions"] == [{"Name": "service", "Value": "ptmlops"}]


def test_an_alarm_looks_back_no_further_than_cloudwatch_allows(every_kind: Templates) -> None:
    """A week with periods of an hour and more, a day with shorter ones (PutMetricAlarm)."""
    for alarm in alarms(every_kind).values():
        limit = 604_800 if alarm["Period"] >= 3600 else 86_400
        assert alarm["Period"] * alarm["EvaluationPeriods"] <= limit


def test_a_page_without_sections_has_no_anchor(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n## Runs failed: what now?\n", encoding="utf-8")
    assert headings(page) == {"runs-failed-what-now"}

"""The documented idle costs name every resource of the template that is paid for by the month."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.components import idle_costs
from stacks.components.idle_costs import ALARMS, DASHBOARDS, KEYS, POLLED_QUEUES

# Types that cost nothing while nothing runs, each with the reason. A type that is in neither list fails the test.
FREE = {
    "AWS::Athena::NamedQuery": "a text",
    "Custom::PublishedCode": "a copy per deployment",
    "AWS::Athena::WorkGroup": "queries pay by bytes read",
    "AWS::DynamoDB::Table": "on demand; storage and backups by the GB",
    "AWS::Events::Rule": "AWS services' own events are free",
    "AWS::Glue::Database": "the first million catalog objects are free",
    "AWS::Glue::Job": "by the second of a run",
    "AWS::Glue::SecurityConfiguration": "a setting",
    "AWS::Glue::Table": "the first million catalog objects are free",
    "AWS::IAM::ManagedPolicy": "IAM is free",
    "AWS::IAM::Policy": "IAM is free",
    "AWS::IAM::Role": "IAM is free",
    "AWS::Lambda::EventInvokeConfig": "a setting",
    "AWS::Lambda::Function": "by request and duration",
    "AWS::Lambda::Permission": "a setting",
    "AWS::Logs::LogGroup": "storage by the GB",
    "AWS::Logs::QueryDefinition": "a text",
    "AWS::QuickSight::Analysis": "by reader and SPICE capacity of the account's subscription",
    "AWS::QuickSight::Dashboard": "by reader and SPICE capacity of the account's subscription",
    "AWS::QuickSight::DataSet": "by reader and SPICE capacity of the account's subscription",
    "AWS::QuickSight::DataSource": "by reader and SPICE capacity of the account's subscription",
    "AWS::QuickSight::RefreshSchedule": "by reader and SPICE capacity of the account's subscription",
    "AWS::S3::Bucket": "storage by the GB",
    "AWS::S3::BucketPolicy": "a setting",
    "AWS::SNS::Subscription": "1,000 mails per month are free",
    "AWS::SNS::Topic": "by message",
    "AWS::SNS::TopicPolicy": "a setting",
    "AWS::SQS::Queue": "by request: those that nobody polls are free",
    "AWS::SQS::QueuePolicy": "a setting",
    "AWS::SageMaker::ModelPackageGroup": "a registry is free",
    "AWS::StepFunctions::StateMachine": "by state transition",
}
PAID = {
    "AWS::KMS::Key": KEYS,
    "AWS::CloudWatch::Alarm": ALARMS,
    "AWS::CloudWatch::Dashboard": DASHBOARDS,
    "AWS::Lambda::EventSourceMapping": POLLED_QUEUES,
}


def test_every_resource_is_paid_for_as_documented_or_free_while_idle(shared_templates: dict[str, Any]) -> None:
    counts: dict[str, int] = {}
    for template in shared_templates.values():
        for body in template.body["Resources"].values():
            counts[body["Type"]] = counts.get(body["Type"], 0) + 1
    assert {kind: counts.pop(kind) for kind in PAID} == PAID
    assert set(counts) - set(FREE) == set()


def test_the_alarms_watch_one_metric_each(shared_templates: dict[str, Any]) -> None:
    """CloudWatch charges an alarm per metric."""
    for alarm in shared_templates["monitoring"].properties("AWS::CloudWatch::Alarm"):
        assert "Metrics" not in alarm


def test_the_polling_is_that_of_five_long_polls() -> None:
    assert idle_costs.polls_per_month() == 657_000
    by_part = {row.part: row for row in idle_costs.idle_costs()}
    [polling] = [row for part, row in by_part.items() if "polling" in part]
    assert polling.usd == pytest.approx(0.2628)
    assert polling.usd_in_free_tier == 0
    assert sum(row.usd for row in by_part.values()) == pytest.approx(1 + 2 + 1.9 + 3 + 0.2628)


def test_data_is_gone_within_the_configured_days_with_its_old_versions(prod_templates: dict[str, Any]) -> None:
    """Expiry makes a version noncurrent, so the days of both are added."""
    rules = {
        name: {rule["Id"]: rule for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"]}
        for name, bucket in prod_templates["storage"].resources("AWS::S3::Bucket").items()
        if "AccessLog" not in name
    }
    days = {}
    for name, rule in rules.items():
        if "expire" in rule:
            noncurrent = rule["expire"].get("NoncurrentVersionExpiration") or rule["noncurrent"]["NoncurrentVersionExpiration"]
            days[name[:8]] = rule["expire"]["ExpirationInDays"] + noncurrent["NoncurrentDays"]
    assert days == {"Prepared": 400, "OutputBu": 30}

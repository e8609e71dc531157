"""The alarms of an environment, as data: name, metric, threshold, and what to do first.

docs/how-to/runbooks.md has a section per alarm; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from ptmlops_contracts.metrics import Metric
from stacks.components.run_metrics import run_metric
from stacks.config import Settings
from stacks.storage_stack import Storage
from stacks.workflow_stack import Workflow

PERIOD = cdk.Duration.minutes(5)
HOUR = cdk.Duration.hours(1)
Missing = cloudwatch.TreatMissingData


@dataclass(frozen=True, kw_only=True)
class AlarmDefinition:
    """One alarm.

    Attributes:
        name: the construct's id, which begins the alarm's name.
        metric: what is watched.
        advice: what happened, and what to do first.
        runbook: the heading of its section in the runbooks.
        threshold: the alarm is raised from this value on; `below`: below it.
        periods: how many periods in sequence.
        missing: what a period without data means. Between runs there is no data, and nothing is wrong. A state that stays until the next
            run measures it again is IGNORE.
    """

    name: str
    metric: cloudwatch.IMetric
    advice: str
    runbook: str = ""
    threshold: float = 1
    below: bool = False
    periods: int = 1
    missing: Missing = Missing.NOT_BREACHING

    def description(self, runbooks: str) -> str:
        """Return the advice with the address of the runbook's section."""
        return f"{self.advice} {runbooks}#{(self.runbook or self.name).lower()}"


def alarm_definitions(settings: Settings, storage: Storage, workflow: Workflow) -> list[AlarmDefinition]:
    """Return every alarm of the environment."""
    return [
        *_of_runs(workflow),
        *_of_arrivals(settings, storage),
        *_of_functions(workflow),
        *_of_results(settings),
    ]


def _of_runs(workflow: Workflow) -> Iterator[AlarmDefinition]:
    machine = workflow.state_machine
    yield AlarmDefinition(
        name="RunsFailed",
        metric=machine.metric_failed(period=PERIOD, statistic="Sum"),
        advice="A run failed. `ptmlops status` says in which state and why; `ptmlops logs RUN` shows its log.",
    )
    yield AlarmDefinition(
        name="RunsTimedOut",
        metric=machine.metric_timed_out(period=PERIOD, statistic="Sum"),
        advice="A run took longer than its limit. Find the job that hangs: `ptmlops status` names the state.",
    )
    yield AlarmDefinition(
        name="RunsAborted",
        metric=machine.metric_aborted(period=PERIOD, statistic="Sum"),
        advice="A person or a policy stopped a run. Ask who did, then continue it with `ptmlops replay RUN`.",
    )
    yield AlarmDefinition(
        name="RunsThrottled",
        metric=machine.metric_throttled(period=PERIOD, statistic="Sum"),
        advice="Step Functions throttled state transitions. Look at the account's quotas of Step Functions in this region.",
    )


def _of_arrivals(settings: Settings, storage: Storage) -> Iterator[AlarmDefinition]:
    oldest, days = settings.alarms.oldest_arrival_minutes, settings.alarms.no_files_days
    yield AlarmDefinition(
        name="DeadLetters",
        metric=storage.dead_letters.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum"),
        advice="An uploaded file started no run, or a failure was not recorded. Repair the cause, then `ptmlops replay --dead-letters`.",
    )
    yield AlarmDefinition(
        name="OldArrivals",
        metric=storage.arrivals.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum"),
        advice=f"An uploaded file has waited for over {oldest} minutes. Look at the start_run function's log.",
        threshold=oldest * 60,
    )
    if days:
        yield AlarmDefinition(
            name="NoFiles",
            # A metric of SQS: it counts what is uploaded even if our functions do not run.
            metric=storage.arrivals.metric_number_of_messages_sent(period=HOUR, statistic="Sum"),
            advice=f"No file was uploaded for {days} days. Ask the system or the people who upload.",
            threshold=1,
            below=True,
            # By the hour: CloudWatch looks at some periods more than those it evaluates.
            periods=24 * days,
            missing=Missing.BREACHING,
        )


def _of_functions(workflow: Workflow) -> Iterator[AlarmDefinition]:
    for name, function in workflow.functions.items():
        yield AlarmDefinition(
            name=f"{''.join(part.title() for part in name.split('_'))}Errors",
            metric=function.metric_errors(period=PERIOD, statistic="Sum"),
            advice=f"The {name} function raised an error. Look at its log for the traceback: the saved query `errors`.",
            runbook="FunctionErrors",
        )
    for name, rule in workflow.rules.items():
        yield AlarmDefinition(
            name=f"{name}NotDelivered",
            metric=cloudwatch.Metric(
                namespace="AWS/Events",
                metric_name="FailedInvocations",
                dimensions_map={"RuleName": rule.rule_name},
                statistic="Sum",
                period=PERIOD,
            ),
            advice=f"EventBridge could not deliver an event of the rule {name}. Look at the policies of the key and of the queues.",
            runbook="NotDelivered",
        )


def _of_results(settings: Settings) -> Iterator[AlarmDefinition]:
    alarms, namespace = settings.alarms, settings.prefix

    def largest(metric: Metric) -> cloudwatch.Metric:
        return run_metric(namespace, metric, period=PERIOD, statistic="Maximum")

    yield AlarmDefinition(
        name="RejectedRows",
        metric=largest(Metric.REJECT_SHARE),
        advice=f"At least {alarms.reject_share:.0%} of a run's rows were rejected. Its report says which rows of which file, and why.",
        threshold=round(alarms.reject_share * 100, 4),
    )
    yield AlarmDefinition(
        name="Drift",
        metric=largest(Metric.DRIFT_TIMES_THRESHOLD),
        advice="A run's complaints differ from those that the model was measured on. Its report says in what; label its review list.",
        threshold=alarms.drift_times,
        missing=Missing.IGNORE,
    )
    yield AlarmDefinition(
        name="LiveAccuracy",
        metric=largest(Metric.LIVE_ACCURACY_FALL),
        advice="People confirm fewer answers than held-out complaints promised. The run's report says of which categories; label and train.",
        threshold=round(alarms.live_accuracy_fall * 100, 4),
        missing=Missing.IGNORE,
    )
    yield AlarmDefinition(
        name="RunOverBudget",
        metric=largest(Metric.RUN_COST),
        advice=f"A run cost {alarms.run_usd:g} USD or more. Its run.json has the cost per part; look for the largest.",
        threshold=alarms.run_usd,
    )
    yield AlarmDefinition(
        name="MonthOverBudget",
        metric=largest(Metric.MONTH_COST),
        advice=f"The month's runs cost {alarms.month_usd:g} USD or more. Look at the saved query runs_and_costs in Athena.",
        threshold=alarms.month_usd,
        missing=Missing.IGNORE,
    )
    yield AlarmDefinition(
        name="ModelWaiting",
        metric=largest(Metric.MODELS_WAITING),
        advice="A new model waits for approval. `ptmlops models` shows its numbers; `ptmlops promote VERSION --reason TEXT` lets it serve.",
        missing=Missing.IGNORE,
    )

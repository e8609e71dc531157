"""Alarms: evaluated on the stored metrics, and reported to topics whose policy and key allow it. moto only stores them."""

from __future__ import annotations

import json
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from local_aws import patching
from local_aws.authorization.authorizer import DeniedError
from local_aws.authorization.requests import Need
from local_aws.context import LocalContext
from local_aws.metrics import dimensions_of
from local_aws.services.base import Service
from local_aws.services.cloudwatch.evaluation import (
    COMPARISONS,
    INSUFFICIENT_DATA,
    Condition,
    Sample,
    evaluate,
    points_of,
)
from local_aws.services.cloudwatch.queues import QueueMetrics

EVALUATION_SECONDS = 1.0
# An alarm looks back for a week at most, and at two periods more.
KEPT = timedelta(days=10)
STATISTICS = frozenset({"Sum", "SampleCount", "Average", "Minimum", "Maximum"})

Key = tuple[str, str, frozenset[tuple[str, str]]]  # namespace, name, dimensions


class Alarms(dict[str, Any]):
    """moto's alarms by name. A new one begins without data, and a changed one keeps its state, as on AWS. moto calls both OK."""

    def __setitem__(self, name: str, alarm: Any) -> None:
        known = self.get(name)
        alarm.state_value = known.state_value if known else INSUFFICIENT_DATA
        super().__setitem__(name, alarm)


class CloudWatchService(Service):
    """The metrics and alarms of one local AWS."""

    def __init__(self, context: LocalContext) -> None:
        super().__init__(context)
        self._samples: dict[Key, list[Sample]] = defaultdict(list)
        self._lock = threading.Lock()  # guards the samples
        self._queues = QueueMetrics(context)
        self._stopping = threading.Event()
        self._refused: set[str] = set()

    def install(self) -> None:
        """Keep metrics for evaluation, report states, and begin to evaluate."""
        self.context.backend("cloudwatch").alarms = Alarms()
        self._keep_metrics()
        self._report_states()
        self._queues.install()
        threading.Thread(target=self._work, name="alarms", daemon=True).start()

    def shutdown(self) -> None:
        """Stop evaluating."""
        self._stopping.set()

    def evaluate_all(self) -> None:
        """Evaluate every alarm, and report those whose state changed."""
        backend = self.context.backend("cloudwatch")
        now = self.context.metrics.clock.now()
        for alarm in list(backend.alarms.values()):
            condition = self._condition(alarm)
            if condition is None:
                continue
            dimensions = frozenset((one.name, one.value) for one in alarm.dimensions)
            with self._lock:
                samples = list(self._samples.get((alarm.namespace, alarm.metric_name, dimensions), ()))
            verdict = evaluate(points_of(samples, condition, now), condition, alarm.state_value)
            if verdict.state != alarm.state_value:
                data = {"evaluatedAt": now.isoformat(), "recentDatapoints": verdict.points, "threshold": condition.threshold}
                backend.set_alarm_state(alarm.name, verdict.reason, json.dumps(data), verdict.state)

    def _work(self) -> None:
        while not self._stopping.wait(EVALUATION_SECONDS):
            try:
                self._queues.sample()
                self.evaluate_all()
            except Exception as error:  # noqa: BLE001 - alarms outlive any single failure, as the service does
                print(f"alarms: {error!r}", file=sys.stderr)  # noqa: T201 - the server's log

    def _condition(self, alarm: Any) -> Condition | None:
        """Return what an alarm watches, or None for one that cannot be evaluated here. The server's log names it once."""
        statistic = alarm.statistic
        if (
            alarm.rule
            or alarm.metric_data_queries
            or statistic not in STATISTICS
            or alarm.comparison_operator not in COMPARISONS
        ):
            if alarm.name not in self._refused:
                self._refused.add(alarm.name)
                print(  # noqa: T201 - the server's log
                    f"alarm {alarm.name} is not evaluated: local AWS knows alarms on one metric, with {', '.join(sorted(STATISTICS))}",
                    file=sys.stderr,
                )
            return None
        periods = int(alarm.evaluation_periods)
        return Condition(
            statistic=statistic,
            period=timedelta(seconds=int(alarm.period)),
            threshold=float(alarm.threshold),
            comparison=alarm.comparison_operator,
            evaluation_periods=periods,
            datapoints_to_alarm=int(alarm.datapoints_to_alarm or periods),
            missing=alarm.treat_missing_data or "missing",
        )

    def _keep_metrics(self) -> None:
        from moto.cloudwatch.models import CloudWatchBackend

        @patching.extend(CloudWatchBackend, "put_metric_data")
        def put_metric_data(moto_put: Any, self_: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
            now = self.context.metrics.clock.now()
            # moto has times in UTC without a time zone.
            stamped = [
                {**datum, "Timestamp": _utc(datum.get("Timestamp") or now).replace(tzinfo=None)} for datum in metric_data
            ]
            moto_put(self_, namespace, stamped)
            with self._lock:
                for datum in stamped:
                    samples = self._samples[namespace, str(datum["MetricName"]), dimensions_of(datum)]
                    samples.extend(_samples(datum))
                    oldest = now - KEPT
                    samples[:] = [sample for sample in samples if sample.moment > oldest]

    def _report_states(self) -> None:
        """Report each state that is set, by an evaluation or by SetAlarmState."""
        from moto.cloudwatch.models import CloudWatchBackend

        @patching.extend(CloudWatchBackend, "set_alarm_state")
        def set_alarm_state(
            moto_set: Any, self_: Any, alarm_name: str, reason: str, reason_data: str, state_value: str
        ) -> None:
            before = self_.alarms[alarm_name].state_value if alarm_name in self_.alarms else INSUFFICIENT_DATA
            moto_set(self_, alarm_name, reason, reason_data, state_value)
            alarm = self_.alarms[alarm_name]
            actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}.get(state_value, alarm.insufficient_data_actions)
            for arn in (actions or []) if alarm.actions_enabled else []:
                if arn.split(":")[2] == "sns":
                    self._notify(alarm, arn, state_value, before)

    def _notify(self, alarm: Any, topic: str, state: str, before: str) -> None:
        """Publish a state, as the service. If the topic or its key does not allow it, nobody is told, as on AWS."""
        try:
            need = Need("sns:Publish", topic)
            self.context.authorizer.check_service("cloudwatch.amazonaws.com", need, source_arn=alarm.alarm_arn)
        except DeniedError:  # the authorizer has printed it
            return
        message = {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            "AWSAccountId": self.context.account_id,
            "NewStateValue": state,
            "NewStateReason": alarm.state_reason,
            "StateChangeTime": self.context.metrics.clock.now().isoformat(timespec="milliseconds"),
            "OldStateValue": before,
            "AlarmArn": alarm.alarm_arn,
        }
        title = f'{state}: "{alarm.name}"'
        self.context.backend("sns").topics[topic].publish(json.dumps(message), subject=title[:100])


def _samples(datum: dict[str, Any]) -> Iterator[Sample]:
    """Yield the values of a datum of PutMetricData."""
    moment = _utc(datum["Timestamp"])
    if statistics := datum.get("StatisticValues"):
        count, total, least, most = (float(statistics[name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum"))
        yield Sample(moment, count, total, least, most)
        return
    values = [float(value) for value in datum.get("Values") or [datum.get("Value", 0)]]
    counts = [float(count) for count in datum.get("Counts") or [1] * len(values)]
    for value, count in zip(values, counts, strict=True):
        yield Sample(moment, count, value * count, value, value)


def _utc(moment: datetime) -> datetime:
    """Return a time with the time zone UTC; one without a time zone is in UTC."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

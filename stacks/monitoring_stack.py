"""Alarms, a dashboard and saved log queries."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.components.common import EnvironmentStack
from stacks.config import Settings
from stacks.storage_stack import Storage
from stacks.workflow_stack import Workflow

PERIOD = cdk.Duration.minutes(5)


class MonitoringStack(EnvironmentStack):
    """Every alarm goes to the notification topic, when it rises and when it is over."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        env: cdk.Environment,
        storage: Storage,
        workflow: Workflow,
    ) -> None:
        super().__init__(scope, construct_id, settings=settings, env=env)
        self._storage, self._topic = storage, storage.topic
        machine, arrivals, dead = workflow.state_machine, storage.arrivals, storage.dead_letters
        oldest = settings.alarms.oldest_arrival_minutes
        alarms = [
            self._alarm(
                "RunsFailed",
                machine.metric_failed(period=PERIOD, statistic="Sum"),
                "A run failed. Its run.json and `ptmlops status` say where and why; fix it, then redrive the execution.",
            ),
            self._alarm(
                "RunsTimedOut",
                machine.metric_timed_out(period=PERIOD, statistic="Sum"),
                "A run took longer than its limit. Look for the job that hangs; `ptmlops status` names the state.",
            ),
            self._alarm(
                "RunsAborted",
                machine.metric_aborted(period=PERIOD, statistic="Sum"),
                "A person or a policy stopped a run.",
            ),
            self._alarm(
                "DeadLetters",
                dead.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum"),
                "An uploaded file started no run, or a failure was not recorded. `ptmlops replay --dead-letters` sends it again.",
            ),
            self._alarm(
                "OldArrivals",
                arrivals.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum"),
                f"An uploaded file has waited for over {oldest} minutes. Look at the start_run function's log.",
                threshold=oldest * 60,
            ),
        ]
        for name, function in workflow.functions.items():
            title = "".join(part.title() for part in name.split("_"))
            alarms.append(
                self._alarm(
                    f"{title}Errors",
                    function.metric_errors(period=PERIOD, statistic="Sum"),
                    f"The {name} function raised an error. See its log for the traceback.",
                )
            )
        for name, rule in workflow.rules.items():
            alarms.append(
                self._alarm(
                    f"{name}NotDelivered",
                    cloudwatch.Metric(
                        namespace="AWS/Events",
                        metric_name="FailedInvocations",
                        dimensions_map={"RuleName": rule.rule_name},
                        statistic="Sum",
                        period=PERIOD,
                    ),
                    f"EventBridge could not deliver an event of the rule {name}. Look at the policies of the key and of the queues, "
                    "then `ptmlops replay --dead-letters` and `ptmlops reconcile`.",
                )
            )
        dashboard = self._create_dashboard(workflow, alarms)
        self._create_queries(workflow)
        self.output("DashboardName", dashboard.dashboard_name)

    def _alarm(self, name: str, metric: cloudwatch.IMetric, description: str, *, threshold: float = 1) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            alarm_description=description,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            # Between drops there is no data, and that is how it should be.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self._topic))
        alarm.add_ok_action(actions.SnsAction(self._topic))
        return alarm

    def _create_dashboard(self, workflow: Workflow, alarms: list[cloudwatch.Alarm]) -> cloudwatch.Dashboard:
        machine = workflow.state_machine
        hour = cdk.Duration.hours(1)
        dashboard = cloudwatch.Dashboard(self, "Dashboard", default_interval=cdk.Duration.days(7))

        def graph(title: str, metrics: list[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
            return cloudwatch.GraphWidget(title=title, left=metrics, width=12, height=6)

        dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24, height=3))
        dashboard.add_widgets(
            graph(
                "Runs",
                [
                    machine.metric_succeeded(period=hour, statistic="Sum"),
                    machine.metric_failed(period=hour, statistic="Sum"),
                    machine.metric_timed_out(period=hour, statistic="Sum"),
                ],
            ),
            graph("Time of a run (ms)", [machine.metric_time(period=hour, statistic="Maximum")]),
        )
        dashboard.add_widgets(
            graph(
                "Files waiting",
                [
                    self._storage.arrivals.metric_approximate_number_of_messages_visible(period=PERIOD),
                    self._storage.dead_letters.metric_approximate_number_of_messages_visible(period=PERIOD),
                ],
            ),
            graph(
                "Errors", [function.metric_errors(period=hour, statistic="Sum") for function in workflow.functions.values()]
            ),
        )
        return dashboard

    def _create_queries(self, workflow: Workflow) -> None:
        groups = [function.log_group.log_group_name for function in workflow.functions.values()]
        for name, text in {
            # What a function raises has errorMessage and no message; what Lambda ends by force has only a report.
            "errors": "fields @timestamp, @log, errorType, coalesce(errorMessage, message, record.status) as what, run_id "
            "| filter level in ['ERROR', 'CRITICAL', 'WARNING'] or record.status in ['timeout', 'error', 'failure'] "
            "| sort @timestamp desc | limit 100",
            "runs": "fields @timestamp, run_id, message | filter ispresent(run_id) | sort @timestamp desc | limit 200",
        }.items():
            logs.CfnQueryDefinition(
                self,
                f"Query{name.title()}",
                name=f"{self.settings.prefix}/{name}",
                log_group_names=groups,
                query_string=text,
            )

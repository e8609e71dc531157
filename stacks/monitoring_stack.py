"""Alarms, who receives them, the dashboard and saved log queries."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from ptmlops_contracts.logs import MACHINE, SAGEMAKER_GROUPS
from stacks.components.alarms import AlarmDefinition, alarm_definitions
from stacks.components.chat_channels import create_channels
from stacks.components.common import EnvironmentStack
from stacks.components.dashboard import create_dashboard
from stacks.config import Settings
from stacks.preparation_stack import Jobs
from stacks.storage_stack import Storage
from stacks.workflow_stack import Workflow

Comparison = cloudwatch.ComparisonOperator


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
        jobs: Jobs,
        workflow: Workflow,
    ) -> None:
        super().__init__(scope, construct_id, settings=settings, env=env)
        topics: list[sns.ITopic] = [storage.topic]
        if settings.alarms.topic_arn:
            topics.append(sns.Topic.from_topic_arn(self, "ExistingTopic", settings.alarms.topic_arn))
        alarms = [self._alarm(definition, topics) for definition in alarm_definitions(settings, storage, workflow)]
        create_channels(self, storage.topic)
        dashboard = create_dashboard(self, settings=settings, storage=storage, workflow=workflow, alarms=alarms)
        groups = {
            **{name: function.log_group.log_group_name for name, function in workflow.functions.items()},
            **{unit: group.log_group_name for unit, group in jobs.log_groups.items()},
            MACHINE: workflow.machine_log.log_group_name,
        }
        self._create_queries(groups)
        self.output("DashboardName", dashboard.dashboard_name)

    def _alarm(self, definition: AlarmDefinition, topics: list[sns.ITopic]) -> cloudwatch.Alarm:
        above, below = Comparison.GREATER_THAN_OR_EQUAL_TO_THRESHOLD, Comparison.LESS_THAN_THRESHOLD
        alarm = cloudwatch.Alarm(
            self,
            definition.name,
            metric=definition.metric,
            alarm_description=definition.description(self.settings.alarms.runbooks),
            threshold=definition.threshold,
            evaluation_periods=definition.periods,
            comparison_operator=below if definition.below else above,
            treat_missing_data=definition.missing,
        )
        for topic in topics:
            alarm.add_alarm_action(actions.SnsAction(topic))
            alarm.add_ok_action(actions.SnsAction(topic))
        return alarm

    def _create_queries(self, groups: Mapping[str, str]) -> None:
        """Save the queries. SageMaker's groups have one of their own: a query fails on a group that does not exist yet."""
        # What a function raises has errorMessage and no message; what Lambda ends by force has only a report; of the state machine's
        # events, those about failures have an error.
        errors = (
            "fields @timestamp, @log, errorType, coalesce(errorMessage, message, details.cause, details.error, record.status) as what, "
            "coalesce(run_id, execution_arn) as run "
            "| filter level in ['ERROR', 'CRITICAL', 'WARNING'] or record.status in ['timeout', 'error', 'failure'] "
            "or ispresent(details.error) "
            "| sort @timestamp desc | limit 100"
        )
        run = (
            "fields @timestamp, @log, coalesce(run_id, execution_arn) as run, coalesce(message, type) as what "
            "| filter ispresent(run_id) or ispresent(execution_arn) | sort @timestamp desc | limit 200"
        )
        own, of_sagemaker = list(groups.values()), list(SAGEMAKER_GROUPS.values())
        for name, text, where in (
            ("errors", errors, own),
            ("runs", run, own),
            ("sagemaker", "fields @timestamp, @logStream, @message | sort @timestamp desc | limit 200", of_sagemaker),
        ):
            logs.CfnQueryDefinition(
                self,
                f"Query{name.title()}",
                name=f"{self.settings.prefix}/{name}",
                log_group_names=where,
                query_string=text,
            )

"""Slack and Teams channels that get alarms and notices, by Amazon Q Developer in chat applications (before: AWS Chatbot).

An administrator authorizes the service in Slack or Teams once, in its console. CloudFormation then needs the ids.
https://docs.aws.amazon.com/chatbot/latest/adminguide/setting-up.html
"""

from __future__ import annotations

from aws_cdk import aws_chatbot as chatbot
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns

from stacks.components.common import EnvironmentStack

# Without a guardrail, members of the channel could use AdministratorAccess. The channel only receives.
NOTHING = "AWSDenyAll"


def create_channels(stack: EnvironmentStack, topic: sns.ITopic) -> None:
    """Create the configurations of the channels that the settings name."""
    alarms = stack.settings.alarms
    if not alarms.slack_channel_id and not alarms.teams_channel_id:
        return
    role = iam.Role(
        stack,
        "ChatRole",
        description="Delivers notices to chat channels; may do nothing",
        assumed_by=iam.ServicePrincipal(
            "chatbot.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
        ),
    )
    guardrails = [f"arn:{stack.partition}:iam::aws:policy/{NOTHING}"]
    if alarms.slack_channel_id and alarms.slack_workspace_id:
        chatbot.CfnSlackChannelConfiguration(
            stack,
            "Slack",
            configuration_name=f"{stack.settings.prefix}-slack",
            iam_role_arn=role.role_arn,
            slack_workspace_id=alarms.slack_workspace_id,
            slack_channel_id=alarms.slack_channel_id,
            sns_topic_arns=[topic.topic_arn],
            guardrail_policies=guardrails,
            logging_level="ERROR",
        )
    if alarms.teams_channel_id and alarms.teams_team_id and alarms.teams_tenant_id:
        chatbot.CfnMicrosoftTeamsChannelConfiguration(
            stack,
            "Teams",
            configuration_name=f"{stack.settings.prefix}-teams",
            iam_role_arn=role.role_arn,
            teams_tenant_id=alarms.teams_tenant_id,
            team_id=alarms.teams_team_id,
            teams_channel_id=alarms.teams_channel_id,
            sns_topic_arns=[topic.topic_arn],
            guardrail_policies=guardrails,
            logging_level="ERROR",
        )

"""CloudWatch alarms: a state that is set with SetAlarmState is reported to topics whose policy and key allow it. moto only stores it.

Metrics are not evaluated, so no alarm changes its state by itself.
"""

from __future__ import annotations

import json
from typing import Any

from local_aws import patching
from local_aws.authorization.authorizer import DeniedError
from local_aws.authorization.requests import Need
from local_aws.services.base import Service


class CloudWatchService(Service):
    """The actions of alarms."""

    def install(self) -> None:
        """Extend SetAlarmState."""
        from moto.cloudwatch.models import CloudWatchBackend

        @patching.extend(CloudWatchBackend, "set_alarm_state")
        def set_alarm_state(
            moto_set: Any, self_: Any, alarm_name: str, reason: str, reason_data: str, state_value: str
        ) -> None:
            moto_set(self_, alarm_name, reason, reason_data, state_value)
            alarm = self_.alarms[alarm_name]
            actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}.get(state_value, alarm.insufficient_data_actions)
            for arn in (actions or []) if alarm.actions_enabled else []:
                if arn.split(":")[2] == "sns":
                    self._notify(alarm, arn, state_value)

    def _notify(self, alarm: Any, topic: str, state: str) -> None:
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
            "AlarmArn": alarm.alarm_arn,
        }
        title = f'{state}: "{alarm.name}"'
        self.context.backend("sns").topics[topic].publish(json.dumps(message), subject=title[:100])

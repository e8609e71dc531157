"""The state that starts a Glue or SageMaker job and waits for its end (`.sync`).

Step Functions asks the service for the status of the job again and again. Here the jobs run in the same process, so the state asks once
after the start, waits for the end in memory, and asks again. Both calls are made with the state machine's role, so a permission that
is missing is noticed as on AWS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from local_aws.authorization.authorizer import DeniedError
from local_aws.authorization.job_roles import job_end_rule
from local_aws.context import LocalContext
from local_aws.services.stepfunctions.integrations import Integration
from local_aws.validation import service_model

# How long a state waits until it looks whether the execution was stopped.
CHECK_SECONDS = 0.5
TASK_FAILED = "States.TaskFailed"
_ERROR_PREFIXES = {"glue": "Glue", "sagemaker": "SageMaker"}


def job_task_class(context: LocalContext, integrations: Mapping[tuple[str, str], Integration]) -> type:
    """Return the task of both services. It is made here because importing moto's classes takes long."""
    from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
    from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
        StateTaskServiceCallback,
    )
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

    class JobTask(StateTaskServiceCallback):
        """A state that starts a job with the state machine's role, waits for its end, and stops it if the execution is stopped."""

        def __init__(self) -> None:
            super().__init__(supported_integration_patterns={ResourceCondition.Sync})

        def _get_supported_parameters(self) -> set[str] | None:
            service, action = self.resource.service_name, self.resource.api_action
            model = service_model(service)
            operation = action[0].upper() + action[1:]
            if operation not in model.operation_names:
                return None
            shape: Any = model.operation_model(operation).input_shape
            return set(shape.members)

        def _failure(self, env: Any, error: str, cause: str) -> Any:
            name = StatesErrorName(StatesErrorNameType.StatesTaskFailed) if error == TASK_FAILED else CustomErrorName(error)
            details = TaskFailedEventDetails(
                error=error, cause=cause, resource=self._get_sfn_resource(), resourceType=self._get_sfn_resource_type()
            )
            return FailureEvent(
                env=env,
                error_name=name,
                event_type=HistoryEventType.TaskFailed,
                event_details=EventDetails(taskFailedEventDetails=details),
            )

        def _from_error(self, env: Any, ex: Exception) -> Any:
            if isinstance(ex, ClientError):
                prefix = _ERROR_PREFIXES[self.resource.service_name]
                return self._failure(env, f"{prefix}.{ex.response['Error']['Code']}", ex.response["Error"]["Message"])
            if isinstance(ex, DeniedError):
                return self._failure(env, f"{_ERROR_PREFIXES[self.resource.service_name]}.AccessDeniedException", str(ex))
            return super()._from_error(env=env, ex=ex)

        def _client(self, state_credentials: Any) -> Any:
            return context.client(self.resource.service_name, state_credentials.role_arn, "states.amazonaws.com")

        def _eval_service_task(
            self, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
        ) -> None:
            wanted = job_end_rule(context.region, context.account_id, self.resource.api_action)
            context.authorizer.check_role(state_credentials.role_arn, "states", wanted)
            action = re.sub(r"([A-Z])", r"_\1", self.resource.api_action).lower()
            answer = getattr(self._client(state_credentials), action)(**normalised_parameters)
            answer.pop("ResponseMetadata", None)
            env.stack.append(answer)

        def _eval_integration_pattern(
            self, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
        ) -> None:
            answer = env.stack.pop()
            job = integrations[self.resource.service_name, self.resource.api_action]
            finished = job.finished(normalised_parameters, answer)
            while True:
                description = job.describe(self._client(state_credentials), normalised_parameters, answer)
                description.pop("ResponseMetadata", None)
                if description[job.status] == job.succeeded:
                    env.stack.append(_state_output(description))
                    return
                if description[job.status] in job.failed:
                    cause = json.dumps(_state_output(description))
                    raise FailureEventException(self._failure(env, TASK_FAILED, cause))
                while not finished.wait(CHECK_SECONDS):
                    if not env.is_running():
                        job.stop(self._client(state_credentials), normalised_parameters, answer)
                        return

    return JobTask


def _state_output(value: Any) -> Any:
    """Return a description as a state's output, where times are epoch milliseconds."""
    if isinstance(value, dict):
        return {key: _state_output(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_state_output(item) for item in value]
    return int(value.timestamp() * 1000) if isinstance(value, datetime) else value

"""Step Functions: moto's interpreter, with jobs that it waits for, the state machine's role, status events and redrive.

What moto lacks and is added here: `.sync` for Glue and SageMaker (its own Glue task fails on an endpoint that is not there),
calls with the role of the state machine, `$$.Execution.RedriveCount`, the "Execution Status Change" events of EventBridge, and
RedriveExecution.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from local_aws.context import LocalContext
from local_aws.validation import service_model

# How long a waiting state sleeps between two looks at its job: longer each time, up to the last value.
POLL_SECONDS = (0.1, 0.2, 0.3, 0.4, 0.5)
TASK_FAILED = "States.TaskFailed"


@dataclass(frozen=True)
class _Job:
    """How Step Functions runs one kind of job to its end: https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html."""

    describe: Callable[[Any, dict[str, Any], dict[str, Any]], dict[str, Any]]
    stop: Callable[[Any, dict[str, Any], dict[str, Any]], object]
    status: str
    succeeded: str
    ended_badly: frozenset[str]


def _sagemaker(kind: str, name: str) -> _Job:
    return _Job(
        describe=lambda client, request, _: getattr(client, f"describe_{kind}")(**{name: request[name]}),
        stop=lambda client, request, _: getattr(client, f"stop_{kind}")(**{name: request[name]}),
        status=name.removesuffix("Name") + "Status",
        succeeded="Completed",
        ended_badly=frozenset({"Failed", "Stopped"}),
    )


JOBS = {
    ("glue", "startJobRun"): _Job(
        describe=lambda client, request, answer: {
            **client.get_job_run(JobName=request["JobName"], RunId=answer["JobRunId"])["JobRun"],
            "JobName": request["JobName"],
        },
        stop=lambda client, request, answer: client.batch_stop_job_run(
            JobName=request["JobName"], JobRunIds=[answer["JobRunId"]]
        ),
        status="JobRunState",
        succeeded="SUCCEEDED",
        ended_badly=frozenset({"FAILED", "TIMEOUT", "ERROR", "STOPPED"}),
    ),
    ("sagemaker", "createTrainingJob"): _sagemaker("training_job", "TrainingJobName"),
    ("sagemaker", "createHyperParameterTuningJob"): _sagemaker("hyper_parameter_tuning_job", "HyperParameterTuningJobName"),
    ("sagemaker", "createProcessingJob"): _sagemaker("processing_job", "ProcessingJobName"),
    ("sagemaker", "createTransformJob"): _sagemaker("transform_job", "TransformJobName"),
}


def install(context: LocalContext) -> None:
    """Extend moto's interpreter; called once, before the first request."""
    from moto.core.config import default_user_config
    from moto.stepfunctions import models
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends
    from moto.stepfunctions.responses import StepFunctionResponse

    default_user_config["stepfunctions"]["execute_state_machine"] = True
    # CloudFormation's state machines belong where they are executed.
    models.stepfunctions_backends = stepfunctions_parser_backends

    job_task = _job_task_class(context)
    moto_task_for = state_task_factory.state_task_service_for

    def task_for(service_name: str) -> Any:
        return job_task() if service_name in ("glue", "sagemaker") else moto_task_for(service_name)

    state_task_factory.state_task_service_for = task_for

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        return context.client(service, state_credentials.role_arn, "states.amazonaws.com")

    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions.parser.") and hasattr(module, "boto_client_for"):
            module.boto_client_for = client_for  # type: ignore[attr-defined]

    moto_environment = ExecutionWorker._get_evaluation_environment

    def environment(self: Any) -> Any:
        env = moto_environment(self)
        execution = self._execution_communication.execution
        env.states.context_object.context_object_data["Execution"]["RedriveCount"] = getattr(execution, "redrive_count", 0)
        return env

    ExecutionWorker._get_evaluation_environment = environment

    moto_terminated = BaseExecutionWorkerCommunication.terminated

    def terminated(self: Any) -> None:
        moto_terminated(self)
        _tell(context, self.execution)

    BaseExecutionWorkerCommunication.terminated = terminated

    moto_start = Execution.start

    def start(self: Any) -> None:
        moto_start(self)
        _tell(context, self)

    Execution.start = start

    moto_history = Execution.to_history_output

    def history(self: Any) -> Any:
        # Until the worker thread has made its environment there is no history; after a redrive there is an older one too.
        current = moto_history(self)["events"] if self.exec_worker and self.exec_worker.env else []
        earlier = getattr(self, "earlier_events", [])
        offset = earlier[-1]["id"] if earlier else 0
        shifted = [{**event, "id": event["id"] + offset} for event in current]
        return {"events": [*earlier, *shifted]}

    Execution.to_history_output = history
    moto_describe = Execution.to_describe_output

    def describe(self: Any) -> Any:
        answer = moto_describe(self)
        ended_badly = answer["status"] in ("FAILED", "TIMED_OUT", "ABORTED")
        return {
            **answer,
            "redriveCount": getattr(self, "redrive_count", 0),
            "redriveStatus": "REDRIVABLE" if ended_badly else "NOT_REDRIVABLE",
        }

    Execution.to_describe_output = describe

    def redrive_execution(self: Any) -> Any:
        from moto.core.responses import ActionResult

        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        _redrive(execution)
        return ActionResult({"redriveDate": datetime.now(UTC)})

    StepFunctionResponse.redrive_execution = redrive_execution


def _tell(context: LocalContext, execution: Any) -> None:
    """Send the execution's status to EventBridge, in the documented shape of aws.states events."""

    def millis(moment: datetime | None) -> int | None:
        return int(moment.timestamp() * 1000) if moment else None

    status = str(getattr(execution.exec_status, "value", execution.exec_status))
    event = {
        "version": "0",
        "id": f"{time.time_ns():x}",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": context.account_id,
        "time": datetime.now(UTC).timestamp(),  # moto's targets write it out
        "region": context.region,
        "resources": [execution.exec_arn],
        "detail": {
            "executionArn": execution.exec_arn,
            "stateMachineArn": execution.state_machine_arn,
            "name": execution.name,
            "status": status,
            "startDate": millis(execution.start_date),
            "stopDate": millis(execution.stop_date),
            "input": json.dumps(execution.input_data),
            "inputDetails": {"included": True},
            "output": json.dumps(execution.output) if status == "SUCCEEDED" else None,
            "outputDetails": {"included": True} if status == "SUCCEEDED" else None,
            "error": execution.error,
            "cause": execution.cause,
            "redriveCount": getattr(execution, "redrive_count", 0),
        },
    }
    for bus in context.backend("events").event_buses.values():
        for rule in list(bus.rules.values()):
            rule.send_to_targets(copy.deepcopy(event), transform_input=False)


def _redrive(execution: Any) -> None:
    """Go on from the state that did not succeed, with its input; what succeeded before is not repeated."""
    from moto.core.exceptions import AWSError

    class ExecutionNotRedrivable(AWSError):
        TYPE = "ExecutionNotRedrivable"
        STATUS = 400

    if execution.status not in ("FAILED", "TIMED_OUT", "ABORTED"):
        raise ExecutionNotRedrivable(f"Execution is {execution.status} and cannot be redriven")
    events = execution.to_history_output()["events"]
    entered = [event for event in events if "stateEnteredEventDetails" in event]
    if not entered:
        raise ExecutionNotRedrivable("Execution failed before its first state")
    failed = entered[-1]["stateEnteredEventDetails"]
    execution.earlier_events = [
        *events,
        {"id": events[-1]["id"] + 1, "previousEventId": 0, "type": "ExecutionRedriven", "timestamp": datetime.now(UTC)},
    ]
    execution.redrive_count = getattr(execution, "redrive_count", 0) + 1
    definition = json.loads(execution.state_machine.definition)
    definition["StartAt"] = failed["name"]
    execution.error = execution.cause = execution.stop_date = None
    worker = execution._get_start_execution_worker()
    details = copy.copy(worker._evaluation_details)
    details.state_machine_details = copy.copy(details.state_machine_details)
    details.state_machine_details.definition = json.dumps(definition)
    details.execution_details = copy.copy(details.execution_details)
    details.execution_details.inpt = json.loads(failed["input"])
    worker._evaluation_details = details
    execution.exec_worker = worker
    execution.exec_status = type(execution.exec_status).RUNNING
    worker.start()


def _job_task_class(context: LocalContext) -> type:
    """The task of both services, made where moto's classes can be imported."""
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
        """Starts a job with the state machine's role, waits for its end, and stops it when the state is no longer wanted."""

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
            return FailureEvent(
                env=env,
                error_name=name,
                event_type=HistoryEventType.TaskFailed,
                event_details=EventDetails(
                    taskFailedEventDetails=TaskFailedEventDetails(
                        error=error, cause=cause, resource=self._get_sfn_resource(), resourceType=self._get_sfn_resource_type()
                    )
                ),
            )

        def _from_error(self, env: Any, ex: Exception) -> Any:
            if isinstance(ex, ClientError):
                prefix = {"glue": "Glue", "sagemaker": "SageMaker"}[self.resource.service_name]
                return self._failure(env, f"{prefix}.{ex.response['Error']['Code']}", ex.response["Error"]["Message"])
            return super()._from_error(env=env, ex=ex)

        def _eval_service_task(
            self, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
        ) -> None:
            client = context.client(self.resource.service_name, state_credentials.role_arn, "states.amazonaws.com")
            action = re.sub(r"([A-Z])", r"_\1", self.resource.api_action).lower()
            answer = getattr(client, action)(**normalised_parameters)
            answer.pop("ResponseMetadata", None)
            env.stack.append(answer)

        def _eval_integration_pattern(
            self, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
        ) -> None:
            answer = env.stack.pop()
            job = JOBS[(self.resource.service_name, self.resource.api_action)]
            pauses = itertools.chain(POLL_SECONDS, itertools.repeat(POLL_SECONDS[-1]))
            while True:
                client = context.client(self.resource.service_name, state_credentials.role_arn, "states.amazonaws.com")
                if not env.is_running():
                    job.stop(client, normalised_parameters, answer)
                    return
                description = job.describe(client, normalised_parameters, answer)
                description.pop("ResponseMetadata", None)
                if description[job.status] == job.succeeded:
                    env.stack.append(_plain(description))
                    return
                if description[job.status] in job.ended_badly:
                    cause = json.dumps(_plain(description))
                    raise FailureEventException(self._failure(env, TASK_FAILED, cause))
                time.sleep(next(pauses))

    return JobTask


def _plain(value: Any) -> Any:
    """A Describe answer as a state's output: times are epoch milliseconds there."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value.timestamp() * 1000) if isinstance(value, datetime) else value

"""moto's interpreter of state machines, extended by what it lacks.

It lacks `.sync` for Glue and SageMaker (its own Glue task fails on an endpoint that does not exist), calls with the role of the state
machine, `$$.Execution.RedriveCount`, the "Execution Status Change" events of EventBridge, and RedriveExecution.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime
from typing import Any

from local_aws import patching
from local_aws.context import LocalContext
from local_aws.logs import write_log
from local_aws.services.base import Service
from local_aws.services.eventbridge import EventBridgeService
from local_aws.services.glue.service import GlueService
from local_aws.services.sagemaker.service import SageMakerService
from local_aws.services.stepfunctions.integrations import integrations
from local_aws.services.stepfunctions.job_task import job_task_class
from local_aws.services.stepfunctions.redrive import ENDED_BADLY, full_history, redrive, redrive_count

_METRICS = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}


class StepFunctionsService(Service):
    """The executions of one local AWS. Their state is moto's."""

    def __init__(
        self, context: LocalContext, *, glue: GlueService, sagemaker: SageMakerService, events: EventBridgeService
    ) -> None:
        super().__init__(context)
        self._integrations = integrations(glue, sagemaker)
        self._events = events

    def install(self) -> None:
        """Extend moto's interpreter."""
        from moto.core.config import default_user_config
        from moto.stepfunctions import models
        from moto.stepfunctions.parser.models import stepfunctions_parser_backends

        default_user_config["stepfunctions"]["execute_state_machine"] = True
        # Without it CloudFormation creates state machines in a store that executes none.
        patching.set_value(models, "stepfunctions_backends", stepfunctions_parser_backends)
        self._read_definite_paths()
        self._run_jobs()
        self._call_with_role_of_state_machine()
        self._announce_status()
        self._log_events()
        self._keep_reason_of_stop()
        self._redrive()

    def _read_definite_paths(self) -> None:
        """Give the value at a path such as `$.trials[0].name`, as Step Functions does. moto gives a list of one value."""
        from moto.stepfunctions.parser.asl.utils import json_path

        @patching.replace(json_path, "_is_singleton_array_access")
        def is_definite(path: str) -> bool:
            return not re.search(r"\*|:|,|\?|\.\.", path)

    def _run_jobs(self) -> None:
        from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory

        job_task = job_task_class(self.context, self._integrations)

        @patching.extend(state_task_factory, "state_task_service_for")
        def state_task_service_for(moto_task_for: Any, service_name: str) -> Any:
            return job_task() if service_name in ("glue", "sagemaker") else moto_task_for(service_name)

    def _call_with_role_of_state_machine(self) -> None:
        def boto_client_for(region: str, service: str, state_credentials: Any = None) -> Any:
            return self.context.client(service, state_credentials.role_arn, "states.amazonaws.com")

        for name, module in list(sys.modules.items()):
            if name.startswith("moto.stepfunctions.parser.") and hasattr(module, "boto_client_for"):
                patching.replace(module, "boto_client_for")(boto_client_for)

    def _announce_status(self) -> None:
        from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution

        @patching.extend(BaseExecutionWorkerCommunication, "terminated")
        def terminated(moto_terminated: Any, self_: Any) -> None:
            moto_terminated(self_)
            execution = self_.execution
            self._send_status(execution, str(getattr(execution.exec_status, "value", execution.exec_status)))

        @patching.extend(Execution, "start")
        def start(moto_start: Any, self_: Any) -> None:
            self_._cloud_watch_logging_session = self._logging_session(self_)
            moto_start(self_)
            self._send_status(self_, "RUNNING")  # a short execution may have ended by now, which another event tells

    def _logging_session(self, execution: Any) -> Any:
        """Return what logs an execution's events as its state machine's LoggingConfiguration says, or None. moto never makes one."""
        from moto.stepfunctions.parser.asl.eval.event.logging import CloudWatchLoggingConfiguration, CloudWatchLoggingSession

        wanted = execution.state_machine.loggingConfiguration
        configuration = CloudWatchLoggingConfiguration.from_logging_configuration(execution.state_machine_arn, wanted)
        return configuration and CloudWatchLoggingSession(execution.exec_arn, configuration)

    def _log_events(self) -> None:
        """Log events in the form of https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html."""
        from moto.stepfunctions.models import StateMachine
        from moto.stepfunctions.parser.asl.eval.event.logging import CloudWatchLoggingSession

        def logging_of(properties: Any) -> dict[str, Any]:
            """Return a template's LoggingConfiguration as the API names its parts."""
            wanted = properties.get("LoggingConfiguration") or {}
            groups = [one["CloudWatchLogsLogGroup"]["LogGroupArn"] for one in wanted.get("Destinations", [])]
            return {
                "level": wanted.get("Level", "OFF"),
                "includeExecutionData": wanted.get("IncludeExecutionData", False),
                "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}} for arn in groups],
            }

        @patching.extend(StateMachine, "create_from_cloudformation_json")
        def create(
            moto_create: Any,
            cls: Any,
            resource_name: Any,
            cloudformation_json: Any,
            account_id: Any,
            region_name: Any,
            **kwargs: Any,
        ) -> Any:
            machine = moto_create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
            machine.loggingConfiguration = logging_of(cloudformation_json["Properties"])
            return machine

        @patching.replace(CloudWatchLoggingSession, "publish_history_log")
        def publish_history_log(self_: Any, history_log: Any) -> None:
            moment = history_log["event_timestamp"]
            if isinstance(moment, str):
                moment = datetime.fromisoformat(moment)
            line = {**history_log, "type": str(getattr(history_log["type"], "value", history_log["type"]))}
            line["event_timestamp"] = str(int(moment.timestamp() * 1000))
            where = self_.configuration
            write_log(self.context, where.log_group_name, where.log_stream_name, [json.dumps(line, default=str)])

    def _keep_reason_of_stop(self) -> None:
        """Keep error and cause of StopExecution, which moto ignores: who stopped an execution says why."""
        from moto.stepfunctions.responses import StepFunctionResponse

        @patching.extend(StepFunctionResponse, "stop_execution")
        def stop_execution(moto_stop: Any, self: Any) -> Any:
            execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
            if execution.status == "RUNNING":
                execution.error, execution.cause = self._get_param("error"), self._get_param("cause")
            return moto_stop(self)

    def _redrive(self) -> None:
        from moto.core.responses import ActionResult
        from moto.stepfunctions.parser.backend.execution import Execution
        from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
        from moto.stepfunctions.responses import StepFunctionResponse

        @patching.add(StepFunctionResponse, "redrive_execution")
        def redrive_execution(self: Any) -> Any:
            execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
            redrive(execution)
            return ActionResult({"redriveDate": execution.redrive_date})

        @patching.extend(ExecutionWorker, "_get_evaluation_environment")
        def evaluation_environment(moto_environment: Any, self: Any) -> Any:
            environment = moto_environment(self)
            count = redrive_count(self._execution_communication.execution)
            environment.states.context_object.context_object_data["Execution"]["RedriveCount"] = count
            return environment

        @patching.extend(Execution, "to_history_output")
        def history(moto_history: Any, self: Any) -> Any:
            # There is no history until the worker's thread has made its environment.
            started = self.exec_worker and self.exec_worker.env
            return {"events": full_history(self, moto_history(self)["events"] if started else [])}

        @patching.extend(Execution, "to_describe_output")
        def describe(moto_describe: Any, self: Any) -> Any:
            answer = moto_describe(self)
            redrivable = "REDRIVABLE" if answer["status"] in ENDED_BADLY else "NOT_REDRIVABLE"
            date = {"redriveDate": self.redrive_date} if redrive_count(self) else {}
            return {**answer, **date, "redriveCount": redrive_count(self), "redriveStatus": redrivable}

    def _count(self, execution: Any, status: str) -> None:
        """Emit the metrics of https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html."""
        metrics, machine = self.context.metrics, execution.state_machine_arn
        metrics.add("AWS/States", _METRICS[status], 1, StateMachineArn=machine)
        if status != "RUNNING" and execution.stop_date:
            milliseconds = (execution.stop_date - execution.start_date).total_seconds() * 1000
            metrics.add("AWS/States", "ExecutionTime", milliseconds, "Milliseconds", StateMachineArn=machine)

    def _send_status(self, execution: Any, status: str) -> None:
        """Send a status of the execution to EventBridge, in the documented form of aws.states events."""

        def milliseconds(moment: datetime | None) -> int | None:
            return int(moment.timestamp() * 1000) if moment else None

        succeeded, has_ended = status == "SUCCEEDED", status != "RUNNING"
        self._count(execution, status)
        detail = {
            "executionArn": execution.exec_arn,
            "stateMachineArn": execution.state_machine_arn,
            "name": execution.name,
            "status": status,
            "startDate": milliseconds(execution.start_date),
            "stopDate": milliseconds(execution.stop_date) if has_ended else None,
            "input": json.dumps(execution.input_data),
            "inputDetails": {"included": True},
            "output": json.dumps(execution.output) if succeeded else None,
            "outputDetails": {"included": True} if succeeded else None,
            "error": execution.error if has_ended else None,
            "cause": execution.cause if has_ended else None,
            "redriveCount": redrive_count(execution),
        }
        self._events.send(
            source="aws.states",
            detail_type="Step Functions Execution Status Change",
            resource=execution.exec_arn,
            detail=detail,
        )

"""Start runs from the arrivals queue, and run the state machine: the path of a file through the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ptmlops_contracts.logs import FUNCTION_LOG_GROUPS, MACHINE
from stacks.components.common import EnvironmentStack
from stacks.components.run_functions import RunFunctions
from stacks.components.run_machine import allow_execution_reads, create_state_machine, record_failures
from stacks.config import Settings
from stacks.modeling_stack import Modeling
from stacks.preparation_stack import Jobs
from stacks.storage_stack import Storage


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """Resources that the monitoring stack watches."""

    state_machine: sfn.IStateMachine
    functions: Mapping[str, lambda_.Function]
    rules: Mapping[str, events.Rule]
    machine_log: logs.ILogGroup


class WorkflowStack(EnvironmentStack):
    """Everything between an uploaded file and a recorded run."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        env: cdk.Environment,
        storage: Storage,
        jobs: Jobs,
        modeling: Modeling,
    ) -> None:
        super().__init__(scope, construct_id, settings=settings, env=env)
        functions = RunFunctions(self, storage=storage, modeling=modeling)
        collect, plan = functions.create_collect(), functions.create_plan()
        promote, record = functions.create_promote(), functions.create_record(jobs)
        machine, machine_log = create_state_machine(
            self,
            storage=storage,
            jobs=jobs,
            modeling=modeling,
            collect=collect,
            plan=plan,
            promote=promote,
            record=record,
        )
        allow_execution_reads(self, machine, collect=collect, record=record)
        start = functions.create_start(storage.arrivals, machine)
        failed = record_failures(self, machine, record, storage.dead_letters)

        self.outputs = Workflow(
            state_machine=machine,
            functions={
                "start_run": start.function,
                "collect_run": collect.function,
                "plan_run": plan.function,
                "promote_model": promote.function,
                "record_run": record.function,
            },
            rules={"FileDropped": storage.uploaded, "RunFailed": failed},
            machine_log=machine_log,
        )
        groups = {name: function.log_group.log_group_name for name, function in self.outputs.functions.items()}
        self.output(FUNCTION_LOG_GROUPS, self.to_json_string({**groups, MACHINE: machine_log.log_group_name}))
        self.output("StateMachineArn", machine.state_machine_arn)
        self.output("StartRunFunctionName", start.function.function_name)
        self.output("RecordRunFunctionName", record.function.function_name)

"""The state machine of a run, its role, and the rule that records runs that failed."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn

from ptmlops_contracts.run import RunStatus
from stacks.components.arrivals import run_failed_rule_name
from stacks.components.common import EnvironmentStack, acknowledge, allow, pass_role
from stacks.components.network import in_network
from stacks.components.run_definition import run_definition
from stacks.components.unit_function import UnitFunction
from stacks.modeling_stack import Modeling
from stacks.preparation_stack import Jobs
from stacks.storage_stack import Storage


def create_state_machine(
    stack: EnvironmentStack,
    *,
    storage: Storage,
    jobs: Jobs,
    modeling: Modeling,
    collect: UnitFunction,
    plan: UnitFunction,
    promote: UnitFunction,
    record: UnitFunction,
) -> tuple[sfn.StateMachine, logs.ILogGroup]:
    """Create the state machine with its log group, and its role, which may call the functions and start, watch and stop the jobs."""
    role = _machine_role(stack, jobs=jobs, modeling=modeling, functions=(collect, plan, promote, record))
    allow(role, "Key", ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"], [storage.key.key_arn])
    definition = run_definition(
        settings=stack.settings,
        storage=storage,
        jobs=jobs,
        modeling=modeling,
        collect_arn=collect.function.function_arn,
        plan_arn=plan.function.function_arn,
        promote_arn=promote.function.function_arn,
        record_arn=record.function.function_arn,
    )
    # AWS delivers these logs only to groups under this prefix without running into a policy size limit.
    # The end of the stack's id is in the name: a retained group would block the next stack of the same name.
    group = stack.log_group(
        stack,
        "RunLogs",
        key=storage.key,
        name=f"/aws/vendedlogs/states/{stack.settings.prefix}/{cdk.Fn.select(2, cdk.Fn.split('/', stack.stack_id))}",
    )
    machine = sfn.StateMachine(
        stack,
        "Run",
        # A fixed name: the ARN of a run's execution contains it, and must be the same after the stack was destroyed and deployed again.
        state_machine_name=stack.settings.prefix,
        comment="From dropped complaint files to published predictions",
        definition_body=sfn.DefinitionBody.from_string(stack.to_json_string(in_network(definition, storage.network))),
        role=role,
        tracing_enabled=True,
        logs=sfn.LogOptions(
            destination=group,
            level=sfn.LogLevel.ALL,
            include_execution_data=False,
        ),
    )
    acknowledge(
        role,
        "AwsSolutions-IAM5",
        "jobs are named per run, so their ARNs are patterns, and conditions on tags limit them to this environment; log delivery and X-Ray take no resource",
    )
    return machine, group


def _machine_role(stack: EnvironmentStack, *, jobs: Jobs, modeling: Modeling, functions: Sequence[UnitFunction]) -> iam.Role:
    role = iam.Role(
        stack,
        "StateMachineRole",
        assumed_by=iam.ServicePrincipal(
            "states.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
        ),
    )
    allow(
        role,
        "Invoke",
        ["lambda:InvokeFunction"],
        [unit.function.function_arn for unit in functions],
    )
    allow(
        role,
        "Glue",
        ["glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"],
        [jobs.prepare_arn, jobs.publish_arn],
    )
    for title, kind, name in (
        ("HyperParameterTuningJob", "hyper-parameter-tuning-job", "Tuning"),
        ("ProcessingJob", "processing-job", "Processing"),
        ("TransformJob", "transform-job", "Transform"),
    ):
        jobs_of_runs = [stack.sagemaker_job_arn(kind)]
        allow(role, f"Start{name}", [f"sagemaker:Create{title}", "sagemaker:AddTags"], jobs_of_runs, stack.new_jobs)
        watch = [f"sagemaker:Describe{title}", f"sagemaker:Stop{title}", "sagemaker:ListTags"]
        allow(role, f"Watch{name}", watch, jobs_of_runs, stack.own_jobs)
    allow(
        role,
        "Trials",
        ["sagemaker:ListTrainingJobsForHyperParameterTuningJob"],
        [stack.sagemaker_job_arn("hyper-parameter-tuning-job")],
        stack.own_jobs,
    )
    # Step Functions learns from these rules that a job ended. It manages them under fixed names.
    allow(
        role,
        "JobEvents",
        ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
        [
            stack.format_arn(
                service="events",
                resource="rule",
                resource_name=f"StepFunctionsGetEventsForSageMaker{kind}JobsRule",
            )
            for kind in ("Tuning", "Processing", "Transform")
        ],
    )
    for passed in (modeling.training_role, modeling.evaluation_role):
        pass_role(role, passed, "sagemaker.amazonaws.com")
    return role


def record_failures(
    stack: EnvironmentStack, machine: sfn.StateMachine, record: UnitFunction, dead_letters: sqs.IQueue
) -> events.Rule:
    """Create the rule that calls record_run when a run ends without success."""
    # Refer to the queue by its ARN: its stack has the policies, and must not depend on this one (see create_arrivals).
    dead_letters = sqs.Queue.from_queue_arn(stack, "DeadLetters", dead_letters.queue_arn)
    # Not a Catch: the Fail state behind it would be what a redrive repeats, and it would miss time-outs and aborts
    # (docs/decisions/0001-failures-are-recorded-by-event.md).
    rule = events.Rule(
        stack,
        "RunFailed",
        rule_name=run_failed_rule_name(stack.settings.prefix),
        description="A run ended without success",
        event_pattern=events.EventPattern(
            source=["aws.states"],
            detail_type=["Step Functions Execution Status Change"],
            detail={
                "stateMachineArn": [machine.state_machine_arn],
                "status": [status.value for status in RunStatus if status is not RunStatus.SUCCEEDED],
            },
        ),
        targets=[targets.LambdaFunction(record.function, retry_attempts=8, dead_letter_queue=dead_letters)],
    )
    # The rule sends to the queue what it cannot deliver. Lambda sends what makes the function fail three times.
    record.function.configure_async_invoke(on_failure=destinations.SqsDestination(dead_letters), retry_attempts=2)
    allow(record.role, "NotRecorded", ["sqs:SendMessage"], [dead_letters.queue_arn])
    return rule


def allow_execution_reads(
    stack: EnvironmentStack, machine: sfn.StateMachine, *, collect: UnitFunction, record: UnitFunction
) -> None:
    """Let collect_run see if executions run, and record_run read their histories.

    These are policies of their own: in a role's default policy, function, role and state machine would depend on each other in a cycle.
    """
    executions = stack.format_arn(
        service="states",
        resource="execution",
        resource_name=f"{machine.state_machine_name}:*",
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )
    for name, unit, actions in (
        ("DescribeExecutions", collect, ["states:DescribeExecution"]),
        ("ReadExecutions", record, ["states:DescribeExecution", "states:GetExecutionHistory"]),
    ):
        policy = iam.Policy(stack, name, roles=[unit.role])
        policy.add_statements(iam.PolicyStatement(sid="Executions", actions=actions, resources=[executions]))
        acknowledge(policy, "AwsSolutions-IAM5", "executions of our own state machine, named per run")

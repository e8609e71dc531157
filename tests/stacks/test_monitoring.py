"""The log queries find what the functions really log."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from typing import Any

from ptmlops_contracts.job_log import JsonLines
from ptmlops_contracts.logs import FUNCTION_LOG_GROUPS, JOB_LOG_GROUPS, SAGEMAKER_GROUPS

# What awslambdaric, Lambda's own runtime for Python, writes where a handler raises and where it logs.
RAISE = """
import sys
from awslambdaric import bootstrap
from awslambdaric.lambda_runtime_log_utils import JsonFormatter
import logging
sink = bootstrap.StandardLogSink()
bootstrap.log_error(bootstrap.make_error("the bucket is gone", "ClientError", [], "1"), sink)
record = logging.LogRecord("record_run", logging.WARNING, "", 1, "message not understood", (), None)
record.run_id = "20260715-093000-0123abcd"
sys.stdout.write(JsonFormatter().format(record))
"""


def test_the_errors_query_shows_what_was_raised_and_what_was_logged(templates: dict[str, Any]) -> None:
    environment = {**os.environ, "AWS_LAMBDA_LOG_FORMAT": "JSON"}
    done = subprocess.run([sys.executable, "-c", RAISE], env=environment, capture_output=True, text=True, check=True)
    raised, logged = (json.loads(line) for line in done.stdout.splitlines())
    [query] = [
        found["QueryString"]
        for found in templates["monitoring"].properties("AWS::Logs::QueryDefinition")
        if found["Name"].endswith("/errors")
    ]
    shown = set(re.findall(r"\w+", query.partition("|")[0]))
    levels = re.search(r"level in \[([^\]]+)\]", query)

    assert levels
    assert {raised["level"], logged["level"]} <= set(re.findall(r"\w+", levels[1]))
    assert raised["errorMessage"] == "the bucket is gone"
    assert {"errorMessage", "errorType"} <= shown & raised.keys()
    assert {"message", "run_id"} <= shown & logged.keys()


def test_functions_and_state_machine_send_traces(templates: dict[str, Any]) -> None:
    """Active tracing needs the permission, too: without it, traces are dropped without an error."""
    functions = {
        name: function
        for template in templates.values()
        for name, function in template.resources("AWS::Lambda::Function").items()
    }
    assert len(functions) == 6
    for function in functions.values():
        assert function["Properties"]["TracingConfig"] == {"Mode": "Active"}
    [machine] = templates["workflow"].properties("AWS::StepFunctions::StateMachine")
    assert machine["TracingConfiguration"] == {"Enabled": True}
    sending = {
        role["Ref"]
        for template in templates.values()
        for policy in template.properties("AWS::IAM::Policy")
        for role in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "xray:PutTraceSegments" in statement["Action"]
    }
    roles = {function["Properties"]["Role"]["Fn::GetAtt"][0] for function in functions.values()}
    assert sending == roles | {machine["RoleArn"]["Fn::GetAtt"][0]}


def test_the_saved_queries_and_the_log_command_cover_every_log_group(templates: dict[str, Any]) -> None:
    """One of each: six functions less the one that only deployments call, two streams of two Glue jobs, state machine, SageMaker."""
    monitoring = templates["monitoring"]
    queries = {
        query["Name"].partition("/")[2]: query["LogGroupNames"]
        for query in monitoring.properties("AWS::Logs::QueryDefinition")
    }
    own = {
        (stack, name) for stack in ("preparation", "workflow") for name in templates[stack].resources("AWS::Logs::LogGroup")
    }
    assert len(own) == 10
    for name in ("errors", "runs"):
        assert {str(group["Fn::ImportValue"]).split("Ref")[-1][:-8] for group in queries[name]} == {
            logical for _, logical in own
        }
    assert set(queries["sagemaker"]) == {f"/aws/sagemaker/{kind}Jobs" for kind in ("Training", "Processing", "Transform")}
    for stack, output in (("preparation", JOB_LOG_GROUPS), ("workflow", FUNCTION_LOG_GROUPS)):
        stated = json.dumps(templates[stack].body["Outputs"][output]["Value"])
        assert all(f'"Ref": "{name}"' in stated for own_stack, name in own if own_stack == stack)
    assert set(SAGEMAKER_GROUPS.values()) == set(queries["sagemaker"])


def test_the_runs_query_shows_lines_of_functions_jobs_and_state_machine(templates: dict[str, Any]) -> None:
    [query] = [
        found["QueryString"]
        for found in templates["monitoring"].properties("AWS::Logs::QueryDefinition")
        if found["Name"].endswith("/runs")
    ]
    fields, _, rest = query.partition("|")
    job = json.loads(JsonLines(service="train", run_id="r").format(logging.LogRecord("x", logging.INFO, "", 1, "m", (), None)))
    of_machine = {"type", "execution_arn"}  # https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
    for keys in ({"run_id", "message"} & job.keys(), of_machine):
        assert len(keys) == 2
        assert keys <= set(re.findall(r"\w+", fields))
    assert {"run_id", "execution_arn"} <= set(re.findall(r"\w+", rest))

"""One bare local AWS (nothing deployed) for the tests of its parts; each test makes what it needs under its own names."""

from __future__ import annotations

import io
import json
import tarfile
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from local_aws import LocalAws

# Seconds in a minute of a Glue job's time limit.
MINUTE = 10


@dataclass
class Sandbox:
    """What tests do again and again, by the same APIs that a user would call."""

    aws: LocalAws
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = self.aws.client(service)
        return self.clients[service]

    def name(self, prefix: str = "t") -> str:
        return f"{prefix}-{uuid.uuid4().hex[:10]}"

    def bucket(self) -> str:
        name = self.name("bucket")
        self.client("s3").create_bucket(Bucket=name)
        return name

    def put(self, bucket: str, key: str, body: str | bytes) -> str:
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=body if isinstance(body, bytes) else body.encode())
        return f"s3://{bucket}/{key}"

    def get(self, bucket: str, key: str) -> str:
        return str(self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode())

    def role(self, service: str, *statements: dict[str, Any]) -> str:
        trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        statements = (*statements, *SERVICE_NEEDS.get(service, ()))
        name = self.name("role")
        iam = self.client("iam")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
        return str(arn)

    def as_role(self, role_arn: str, service: str) -> Any:
        given = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
        session = boto3.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
            region_name=self.aws.session().region_name,
        )
        return session.client(service, endpoint_url=self.aws.endpoint_url)

    def function(self, source: str, *, timeout: int = 20, role: str | None = None, **more: Any) -> str:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("handler.py", source)
        name = self.name("function")
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role or self.role("lambda"),
            Handler="handler.lambda_handler",
            Code={"ZipFile": archive.getvalue()},
            Timeout=timeout,
            **more,
        )
        return name

    def invoke(self, function: str, event: object = None) -> tuple[Any, str | None]:
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read()), answer.get("FunctionError")

    def glue_job(self, script: str, **more: Any) -> tuple[str, str]:
        """Create a job. Returns its name and the bucket that its role may use, which holds `script.py`."""
        bucket, name = self.bucket(), self.name("job")
        address = self.put(bucket, "script.py", script)
        self.client("glue").create_job(
            **{
                "Name": name,
                "Role": data_role(self, "glue", bucket),
                "GlueVersion": "5.1",
                "WorkerType": "G.1X",
                "NumberOfWorkers": 2,
                "Command": {"Name": "glueetl", "PythonVersion": "3", "ScriptLocation": address},
                **more,
            }
        )
        return name, bucket

    def glue_run(self, job: str, **arguments: str) -> dict[str, Any]:
        """Run a job to its end. Returns what GetJobRun answers."""
        glue = self.client("glue")
        run = glue.start_job_run(JobName=job, Arguments={f"--{name}": value for name, value in arguments.items()})["JobRunId"]

        def ended() -> Any:
            found = glue.get_job_run(JobName=job, RunId=run)["JobRun"]
            return found if found["JobRunState"] in ("SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED") else None

        found: dict[str, Any] = eventually(ended, 180)
        return found

    def logs(self, group: str) -> str:
        client = self.client("logs")
        return "\n".join(event["message"] for event in client.filter_log_events(logGroupName=group)["events"])


def policy(*statements: dict[str, Any]) -> str:
    """A document with these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, on: str | list[str] = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on}


def let_events(action: str, *, on: str, rule: str) -> dict[str, Any]:
    """A statement that lets EventBridge deliver events of one rule."""
    source = {"ArnEquals": {"aws:SourceArn": rule}}
    return {**allow(action, on=on), "Principal": {"Service": "events.amazonaws.com"}, "Condition": source}


LOGS = allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
# What each service does with a role besides what the role's code does.
SERVICE_NEEDS = {
    "lambda": (LOGS,),
    "glue": (LOGS,),
    "sagemaker": (
        LOGS,
        allow(
            "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"
        ),
        allow("cloudwatch:PutMetricData"),
    ),
}


def data_role(sandbox: Sandbox, service: str, bucket: str) -> str:
    """A role that may do with the objects of one bucket what jobs do."""
    return sandbox.role(
        service,
        allow("s3:GetObject", "s3:PutObject", "s3:DeleteObject", on=f"arn:aws:s3:::{bucket}/*"),
        allow("s3:ListBucket", "s3:GetBucketLocation", on=f"arn:aws:s3:::{bucket}"),
    )


def archive(**files: str) -> bytes:
    """A .tar.gz with these files; `_` before the ending in a keyword stands for the dot."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name.replace("_py", ".py").replace("_json", ".json"))
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return content.getvalue()


def eventually(check: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true answer of `check`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"did not happen within {seconds} s")


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with LocalAws.start(tmp_path_factory.mktemp("bare-aws"), minute=MINUTE) as aws:
        yield Sandbox(aws)

"""Glue on local AWS: the script really runs, on a warm Spark that keeps nothing of one run for the next."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from local_aws import ROOT
from local_aws.services.glue import driver
from local_aws.services.glue.spark_pool import WarmSpark
from tests.unit.local_aws.conftest import MINUTE, Sandbox, allow, eventually

pytestmark = pytest.mark.slow  # every test starts processes

HEAD = """
import boto3, json, os, pathlib, sys
from pyspark.sql import SparkSession
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
bucket = arguments.get('--bucket')
spark = SparkSession.builder.getOrCreate()
java = spark._jvm.java.lang.ProcessHandle.current().pid()
def report(**facts):
    boto3.client('s3').put_object(Bucket=bucket, Key='report.json', Body=json.dumps({'java': java, **facts}))
"""


def reported(sandbox: Sandbox, bucket: str) -> dict[str, Any]:
    """What a script's `report` wrote."""
    found: dict[str, Any] = json.loads(sandbox.get(bucket, "report.json"))
    return found


def succeed(sandbox: Sandbox, script: str, **more: Any) -> dict[str, Any]:
    """Run HEAD and `script` as a new job, which must succeed. Returns what it reported."""
    job, bucket = sandbox.glue_job(HEAD + script, **more)
    run = sandbox.glue_run(job, bucket=bucket)
    assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
    return reported(sandbox, bucket)


def test_a_glue_run_gets_its_arguments_and_role_and_logs(sandbox: Sandbox) -> None:
    script = (
        "import boto3, sys\n"
        "arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))\n"
        "print('hola', arguments['--who'], arguments['--default'])\n"
        "boto3.client('s3').put_object(Bucket=arguments['--bucket'], Key='out', Body=arguments['--JOB_NAME'].encode())\n"
    )
    job, bucket = sandbox.glue_job(
        script, DefaultArguments={"--default": "d", "--custom-logGroup-prefix": "/glue/test", "--who": "nobody"}
    )

    run = sandbox.glue_run(job, who="ñ", bucket=bucket)

    assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
    assert sandbox.get(bucket, "out") == job
    logs = sandbox.logs("/glue/test/output")
    assert "hola ñ d" in logs
    assert "RuntimeWarning" not in logs  # the log holds what the script prints
    assert run["ExecutionTime"] >= 1


def test_spark_reads_and_writes_s3_addresses(sandbox: Sandbox) -> None:
    script = (
        "import sys\nfrom pyspark.sql import SparkSession\n"
        "bucket = dict(zip(sys.argv[1::2], sys.argv[2::2]))['--bucket']\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "rows = spark.read.json(f's3://{bucket}/in/')\n"
        "rows.selectExpr('n * 2 AS n').write.parquet(f's3://{bucket}/out/')\n"
    )
    job, bucket = sandbox.glue_job(script)
    sandbox.put(bucket, "in/a.json", '{"n": 1}\n{"n": 20}\n')

    run = sandbox.glue_run(job, bucket=bucket)

    assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
    listed = sandbox.client("s3").list_objects_v2(Bucket=bucket, Prefix="out/")["Contents"]
    parts = [item["Key"] for item in listed if item["Key"].endswith(".parquet")]
    tables = [
        pq.read_table(io.BytesIO(sandbox.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())) for key in parts
    ]
    assert sorted(row["n"] for table in tables for row in table.to_pylist()) == [2, 40]


def test_a_module_that_is_not_as_pinned_fails_the_run(sandbox: Sandbox) -> None:
    job, _ = sandbox.glue_job("print('never')\n", DefaultArguments={"--additional-python-modules": "jinja2==0.1"})
    assert "jinja2 is" in sandbox.glue_run(job)["ErrorMessage"]


@pytest.mark.parametrize(
    ("option", "wheels", "error"),
    [
        ("--no-deps", [], "needs --no-index"),
        ("--no-index --no-deps", [], "jinja2 is"),
        ("--no-index --no-deps", ["pyspark-3.5.6-py3-none-any.whl"], "no wheel of jinja2==0.1"),
    ],
)
def test_a_zip_of_wheels_is_held_to_what_is_there(sandbox: Sandbox, option: str, wheels: list[str], error: str) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("wheels/requirements.txt", "pyspark==3.5.6\njinja2==0.1\n")
        for wheel in wheels:
            archive.writestr(f"wheels/{wheel}", b"")
    options = {"--additional-python-modules": "s3://none/none", "--python-modules-installer-option": option}
    job, bucket = sandbox.glue_job("print('never')\n", DefaultArguments=options)
    address = sandbox.put(bucket, "modules.gluewheels.zip", content.getvalue())

    run = sandbox.glue_run(job, **{"additional-python-modules": address})

    assert error in run["ErrorMessage"]
    assert run["LogGroupName"] == "/aws-glue/jobs/output"


def test_a_run_copies_nothing_that_it_does_not_open(sandbox: Sandbox) -> None:
    job, bucket = sandbox.glue_job(
        HEAD
        + """
rows = spark.read.json(f's3://{bucket}/in/').count()
report(rows=rows, copied=sorted(path.name for path in pathlib.Path.home().rglob('*') if path.is_file()))
"""
    )
    sandbox.put(bucket, "in/a.json", '{"n": 1}')
    for number in range(50):
        sandbox.put(bucket, f"history/{number}.json", '{"n": 1}')
    assert sandbox.glue_run(job, bucket=bucket)["JobRunState"] == "SUCCEEDED"
    found = reported(sandbox, bucket)
    assert (found["rows"], found["copied"]) == (1, ["script.py"])


@pytest.mark.nightly
def test_spark_overwrites_appends_and_renames_on_s3(sandbox: Sandbox) -> None:
    """With keys that need quoting, and an empty result."""
    found = succeed(
        sandbox,
        """
out = f's3://{bucket}/año=1/a b'
spark.range(5).repartition(3).write.parquet(out)
spark.range(2).write.mode('append').parquet(out)
appended = spark.read.parquet(out).count()
spark.range(3).write.mode('overwrite').parquet(out)
spark.range(0).write.mode('overwrite').json(f's3://{bucket}/empty')
keys = [item['Key'] for item in boto3.client('s3').list_objects_v2(Bucket=bucket)['Contents']]
report(appended=appended, rows=spark.read.parquet(out).count(), keys=keys)
""",
    )
    assert (found["appended"], found["rows"]) == (7, 3)
    assert "año=1/a b/_SUCCESS" in found["keys"]
    assert not [key for key in found["keys"] if "_temporary" in key or key.endswith(".crc")]


# -- one warm Spark, many runs ----------------------------------------------------------------------------------------------


def test_jobs_with_different_roles_take_turns_and_each_is_denied_what_only_the_other_may_do(sandbox: Sandbox) -> None:
    """In the driver, in Spark's own reads, and in Spark's Python workers."""
    script = (
        HEAD
        + """
other = arguments['--other']
def denied(work):
    try:
        work()
    except Exception as error:
        return 'AccessDenied' in str(error) or 'AccessControlException' in str(error)
    return False
def in_worker(name):
    def read(batches):
        boto3.client('s3').get_object(Bucket=name, Key='data.json')['Body'].read()
        yield from batches
    return lambda: spark.range(0, 1, 1, 1).mapInArrow(read, 'id long').collect()
own = spark.read.json(f's3://{bucket}/data.json').first()['owner']
in_worker(bucket)()
report(
    own=own,
    driver=denied(lambda: boto3.client('s3').get_object(Bucket=other, Key='data.json')),
    spark=denied(lambda: spark.read.json(f's3://{other}/data.json').collect()),
    write=denied(lambda: spark.range(1).write.json(f's3://{other}/out')),
    worker=denied(in_worker(other)),
)
"""
    )
    (first, a), (second, b) = sandbox.glue_job(script), sandbox.glue_job(script)
    for bucket, owner in ((a, "a"), (b, "b")):
        sandbox.put(bucket, "data.json", json.dumps({"owner": owner}))

    seen = []
    for job, bucket, other in ((first, a, b), (second, b, a), (first, a, b)):
        run = sandbox.glue_run(job, bucket=bucket, other=other)
        assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
        seen.append(reported(sandbox, bucket))

    assert [found["own"] for found in seen] == ["a", "b", "a"]
    for found in seen:
        assert {name: found[name] for name in ("driver", "spark", "write", "worker")} == dict.fromkeys(
            ("driver", "spark", "write", "worker"), True
        )
    assert len({found["java"] for found in seen}) == 1


def test_a_run_uses_the_code_that_is_deployed_now(sandbox: Sandbox) -> None:
    def library(answer: int) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("deployed/__init__.py", f"ANSWER = {answer}\n")
        return content.getvalue()

    script = """
import deployed
def work(batches):
    import deployed, pyarrow
    for batch in batches:
        yield pyarrow.RecordBatch.from_pydict({'n': [deployed.ANSWER] * batch.num_rows})
worker = spark.range(1).mapInArrow(work, 'n long').first()['n']
report(version=%d, driver=deployed.ANSWER, worker=worker)
"""
    job, bucket = sandbox.glue_job(HEAD + script % 1)
    options = {"extra-py-files": sandbox.put(bucket, "library.zip", library(1)), "bucket": bucket}
    assert sandbox.glue_run(job, **options)["JobRunState"] == "SUCCEEDED"
    before = reported(sandbox, bucket)
    sandbox.put(bucket, "script.py", HEAD + script % 2)
    sandbox.put(bucket, "library.zip", library(2))
    assert sandbox.glue_run(job, **options)["JobRunState"] == "SUCCEEDED"
    after = reported(sandbox, bucket)

    assert [before[name] for name in ("version", "driver", "worker")] == [1, 1, 1]
    assert [after[name] for name in ("version", "driver", "worker")] == [2, 2, 2]
    assert before["java"] == after["java"]


def test_a_run_has_no_package_of_the_project_but_what_it_brings(sandbox: Sandbox) -> None:
    """They are installed here, and not on Glue: neither for the script nor for the workers of Spark."""
    found = succeed(
        sandbox,
        """
from importlib.util import find_spec
def is_found(name='ptmlops_contracts'):
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
def work(batches):
    import pyarrow
    for batch in batches:
        yield pyarrow.RecordBatch.from_pydict({'found': [is_found()] * batch.num_rows})
report(driver=is_found(), worker=spark.range(1).mapInArrow(work, 'found boolean').first()['found'])
""",
    )
    assert (found["driver"], found["worker"]) == (False, False)


def test_what_a_run_leaves_in_spark_does_not_reach_the_next(sandbox: Sandbox) -> None:
    before = succeed(
        sandbox,
        """
spark.range(3).createOrReplaceTempView('left')
spark.range(3).createGlobalTempView('left_for_all')
spark.range(3).cache().count()
spark.sparkContext.parallelize([1, 2]).persist().count()
spark.udf.register('left_udf', lambda: 'x')
spark.conf.set('spark.sql.session.timeZone', 'Pacific/Auckland')
spark.sparkContext._jsc.hadoopConfiguration().set('left.by', 'the first run')
json.dumps = lambda *_: '{}'
os.environ['LEFT'] = 'here'
from json import JSONEncoder
boto3.client('s3').put_object(Bucket=bucket, Key='report.json', Body=JSONEncoder().encode({'java': java}))
""",
    )
    after = succeed(
        sandbox,
        """
jvm_session = spark._jsparkSession
report(
    views=[table.name for table in spark.catalog.listTables()],
    for_all=len(spark.catalog.listTables('global_temp')),
    cached=jvm_session.sharedState().cacheManager().isEmpty(),
    persistent=len(spark.sparkContext._jsc.getPersistentRDDs()),
    udf=spark.catalog.functionExists('left_udf'),
    zone=spark.conf.get('spark.sql.session.timeZone'),
    hadoop=spark.sparkContext._jsc.hadoopConfiguration().get('left.by'),
    variable=os.environ.get('LEFT'),
)
""",
    )

    java, zone = after.pop("java"), after.pop("zone")
    assert java == before["java"]
    assert zone != "Pacific/Auckland"
    assert after == {
        "views": [], "for_all": 0, "cached": True, "persistent": 0, "udf": False, "hadoop": None, "variable": None
    }  # fmt: skip


def test_runs_at_the_same_time_have_a_spark_each(sandbox: Sandbox) -> None:
    script = (
        HEAD
        + """
import time
client = boto3.client('s3')
client.put_object(Bucket=bucket, Key=f"started/{arguments['--name']}", Body=b'')
while client.list_objects_v2(Bucket=bucket, Prefix='started/')['KeyCount'] < 2:
    time.sleep(0.2)
client.put_object(Bucket=bucket, Key=f"java/{arguments['--name']}", Body=str(java).encode())
"""
    )
    job, bucket = sandbox.glue_job(script, ExecutionProperty={"MaxConcurrentRuns": 2})
    glue = sandbox.client("glue")
    started = [
        glue.start_job_run(JobName=job, Arguments={"--bucket": bucket, "--name": name})["JobRunId"] for name in ("a", "b")
    ]

    def ended() -> bool:
        states = [glue.get_job_run(JobName=job, RunId=run)["JobRun"]["JobRunState"] for run in started]
        assert not {"FAILED", "STOPPED", "TIMEOUT"} & set(states)
        return states == ["SUCCEEDED", "SUCCEEDED"]

    eventually(ended, 180)
    assert sandbox.get(bucket, "java/a") != sandbox.get(bucket, "java/b")


# -- runs that take their Spark with them: last, so that the tests above share one --------------------------------------------


@pytest.mark.nightly
def test_a_spark_that_cannot_be_restored_is_replaced(sandbox: Sandbox) -> None:
    before = succeed(sandbox, "spark.sql('CREATE TABLE left_behind (n INT) USING parquet')\nreport()\n")
    after = succeed(sandbox, "report(tables=len(spark.catalog.listTables()))\n")
    assert after["java"] != before["java"]
    assert after["tables"] == 0


LEFT = {
    "tables": "spark.sql('CREATE TABLE left_behind (n INT) USING parquet')",
    "added files": "spark.sparkContext.addFile(__file__)",
    "system properties": "spark._jvm.System.setProperty('left.by', 'the first run')",
    "the log level": "spark.sparkContext.setLogLevel('OFF')",
}


@pytest.mark.nightly
def test_everything_that_a_run_leaves_and_that_cannot_be_restored_is_reported(tmp_path: Path) -> None:
    """The pool replaces a Spark with any such report."""
    spark = WarmSpark(tmp_path / "spark")
    try:
        spark.wait_until_ready()
        left_over: list[set[str]] = []
        for number, left in enumerate(LEFT.values()):
            script = tmp_path / f"{number}.py"
            script.write_text(f"from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n{left}\n")
            variables = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), driver.BUCKETS: "", "AWS_REGION": "us-east-1"}
            environment = {**os.environ, **variables, **spark.lend(print)}
            subprocess.run([sys.executable, "-m", driver.__name__, str(script)], env=environment, check=True, cwd=tmp_path)
            left_over.append(set(spark.restore()))
    finally:
        spark.end()
    assert left_over == [set(list(LEFT)[: count + 1]) for count in range(len(LEFT))]


@pytest.mark.nightly
def test_a_script_that_fails_is_a_failed_run_with_its_error_and_its_retry_gets_another_spark(sandbox: Sandbox) -> None:
    fail = "raise ValueError('the file has no text column')\n"
    started = "boto3.client('s3').put_object(Bucket=bucket, Key=f\"java/{arguments['--JOB_RUN_ID']}\", Body=str(java))\n"
    job, bucket = sandbox.glue_job(HEAD + started + fail, MaxRetries=1)
    glue = sandbox.client("glue")

    run = sandbox.glue_run(job, bucket=bucket)

    assert run["JobRunState"] == "FAILED"
    assert "ValueError: the file has no text column" in run["ErrorMessage"]
    retry, first = eventually(lambda: len(runs := glue.get_job_runs(JobName=job)["JobRuns"]) == 2 and runs)  # MaxRetries
    assert (first["Id"], retry["PreviousRunId"], retry["Attempt"]) == (run["Id"], run["Id"], 1)
    ended = ("SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT")
    eventually(lambda: glue.get_job_run(JobName=job, RunId=retry["Id"])["JobRun"]["JobRunState"] in ended, 60)
    assert sandbox.get(bucket, f"java/{first['Id']}") != sandbox.get(bucket, f"java/{retry['Id']}")


def test_more_runs_than_allowed_are_refused_and_a_stopped_run_stops(sandbox: Sandbox) -> None:
    job, _ = sandbox.glue_job("import time; time.sleep(300)\n", ExecutionProperty={"MaxConcurrentRuns": 1})
    glue = sandbox.client("glue")
    run = glue.start_job_run(JobName=job)["JobRunId"]

    with pytest.raises(ClientError, match="ConcurrentRunsExceededException"):
        glue.start_job_run(JobName=job)
    eventually(lambda: glue.get_job_run(JobName=job, RunId=run)["JobRun"]["JobRunState"] == "RUNNING")
    assert glue.batch_stop_job_run(JobName=job, JobRunIds=[run])["SuccessfulSubmissions"]

    assert eventually(lambda: glue.get_job_run(JobName=job, RunId=run)["JobRun"]["JobRunState"] == "STOPPED")


@pytest.mark.nightly
def test_a_run_that_crashes_takes_its_spark_with_it(sandbox: Sandbox) -> None:
    """Whether Java or the script crashes. The failure of a script is in the test of retries."""
    seen = []
    for end in ("spark._jvm.java.lang.Runtime.getRuntime().halt(1)", "os.kill(os.getpid(), 9)"):
        job, bucket = sandbox.glue_job(f"{HEAD}report()\n{end}\n")
        run = sandbox.glue_run(job, bucket=bucket)
        assert run["JobRunState"] == "FAILED"
        assert run["ErrorMessage"]
        seen.append(reported(sandbox, bucket)["java"])
    seen.append(succeed(sandbox, "report()\n")["java"])
    assert len(set(seen)) == 3


@pytest.mark.nightly
def test_a_run_over_its_time_is_timed_out_and_the_next_run_works(sandbox: Sandbox) -> None:
    before = succeed(sandbox, "report()\n")
    job, bucket = sandbox.glue_job(f"{HEAD}import time\nreport()\ntime.sleep(600)\n", Timeout=1)
    run = sandbox.glue_run(job, bucket=bucket)
    assert run["JobRunState"] == "TIMEOUT"
    assert run["ExecutionTime"] >= MINUTE
    assert reported(sandbox, bucket)["java"] == before["java"]
    assert succeed(sandbox, "report()\n")["java"] != before["java"]


def test_a_role_that_may_not_write_gets_the_denial_as_the_error(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()
    script = sandbox.put(bucket, "script.py", HEAD + "spark.range(1).write.json(f's3://{bucket}/out')\n")
    reader = sandbox.role("glue", allow("s3:GetObject", "s3:ListBucket"))
    job, _ = sandbox.glue_job("", Role=reader, Command={"Name": "glueetl", "PythonVersion": "3", "ScriptLocation": script})
    run = sandbox.glue_run(job, bucket=bucket)
    assert run["JobRunState"] == "FAILED"
    assert "AccessDenied" in "".join(sandbox.logs("/aws-glue/jobs/output"))

"""Run the script of one Glue job run, in a new process, on a Spark that is already running.

    python -m local_aws.services.glue.driver SCRIPT [ARGUMENT...]

The script gets what it gets on Glue: a fresh Python, its arguments, the role's credentials in the environment, and `s3://`
addresses. Only the Java side of Spark is shared with earlier runs, through a connection that the Spark host makes for this run.
"""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
from pathlib import Path
from typing import Any

from local_aws.paths import JOB_SITE

# The variable that names the buckets. It is removed before the script runs.
BUCKETS = "LOCAL_AWS_BUCKETS"


def main() -> None:
    """Attach this process to the running Spark and run the script as `__main__`."""
    buckets = os.environ.pop(BUCKETS).split(",")
    del sys.argv[0]
    # The script's import path must not contain the repository.
    root, _, libraries = os.environ["PYTHONPATH"].partition(os.pathsep)
    sys.path.remove(root)
    sys.path[0] = str(Path(sys.argv[0]).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join((libraries, str(JOB_SITE)))
    runpy.run_path(str(JOB_SITE / "sitecustomize.py"))
    attach_spark(buckets)
    runpy.run_path(sys.argv[0], run_name="__main__")


def attach_spark(buckets: list[str]) -> None:
    """Let `SparkContext()` and `SparkSession.builder.getOrCreate()` return the running Spark.

    PySpark connects to the Java process that PYSPARK_GATEWAY_PORT names. It then starts a SparkContext, of which a Java process can have
    only one, so that step is replaced.
    """
    from pyspark import SparkContext

    from local_aws import patching

    @patching.replace(SparkContext, "_initialize_context")
    def use_running_context(self: Any, jconf: Any) -> Any:
        java = self._jvm
        context = java.JavaSparkContext.fromSparkContext(java.org.apache.spark.SparkContext.getOrCreate())
        mount(context.hadoopConfiguration(), buckets)
        # PySpark reuses a Python worker only for equal variables. They differ per run, so no worker serves two runs.
        self.environment.update({name: value for name, value in os.environ.items() if not name.startswith("PYSPARK_GATEWAY")})
        return context


def mount(hadoop: Any, buckets: list[str]) -> None:
    """Make `s3://BUCKET/` lead to the gateway of this run, for each bucket that exists."""
    import boto3

    from local_aws.services.glue import s3_gateway

    staging = Path(tempfile.mkdtemp(prefix="uncommitted-", dir=os.environ["HOME"]))
    address = s3_gateway.serve(boto3.client("s3"), staging)
    for bucket in buckets:
        hadoop.set(f"fs.viewfs.mounttable.{bucket}.linkFallback", f"{address}/{bucket}")


if __name__ == "__main__":
    main()

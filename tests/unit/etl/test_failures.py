"""What a job says when it fails."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ResponseStreamingError
from complaints_etl import JobError, failures
from complaints_etl.failures import JobFailedError, explained

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAME = "Ana Gomez"
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": f"no access to {NAME}.csv"}}, "GetObject")


def _explained(work: Callable[[], object]) -> str:
    with pytest.raises(JobFailedError) as raised, explained():
        work()
    assert raised.value.__cause__, "the log needs the original exception"
    assert NAME not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (DENIED, failures.REFUSED.format(operation="GetObject", code="AccessDenied")),
        (EndpointConnectionError(endpoint_url="https://s3"), failures.CONNECTION.format(kind="EndpointConnectionError")),
        (ResponseStreamingError(error=NAME), failures.CONNECTION.format(kind="ResponseStreamingError")),
        (MemoryError(), failures.MEMORY),
        (OSError(errno.ENOSPC, "No space left on device", f"/tmp/{NAME}"), failures.DISK),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"), failures.DISK),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), failures.SPARK_ENDED),
        (ValueError(NAME), failures.UNEXPECTED.format(kind="ValueError")),
    ],
)
def test_an_exception_becomes_a_sentence_that_says_what_to_do(error: Exception, sentence: str) -> None:
    def work() -> None:
        raise error

    assert _explained(work) == sentence


def test_what_the_job_reports_itself_stays_as_it_is() -> None:
    report = JobError("60% of the rows were rejected")

    with pytest.raises(JobError) as raised, explained():
        raise report

    assert raised.value is report


@pytest.mark.slow
@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), failures.DISK),
        (MemoryError(), failures.MEMORY),
        (ValueError(NAME), failures.UNEXPECTED.format(kind="PythonException")),
    ],
)
def test_the_cause_of_a_failure_of_spark_is_found(spark: SparkSession, raised: Exception, sentence: str) -> None:
    def fail(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        yield from batches
        raise raised

    assert _explained(spark.range(3).mapInPandas(fail, "id long").collect) == sentence


@pytest.mark.slow
def test_a_refusal_inside_spark_names_what_to_check(spark: SparkSession) -> None:
    """An exception of Java whose text has S3's code."""
    java = spark._jvm.java.lang.Class  # type: ignore[union-attr]

    assert _explained(lambda: java.forName("AccessDenied")) == failures.STORAGE_REFUSED
    assert _explained(lambda: java.forName(NAME)) == failures.UNEXPECTED.format(kind="ClassNotFoundException")
    assert _explained(lambda: spark.read.parquet(f"/missing/{NAME}")) == failures.UNEXPECTED.format(kind="AnalysisException")

"""Fixtures that every kind of test shares: one Spark session for the whole suite."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument and place: gzip writes the time into them, and xdist's two processes, which collect in
    different seconds, must give a test the same name."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One local Spark for all tests, set as small as it can be: starting it costs more than most tests."""
    from pyspark.sql import SparkSession

    # Python workers import what the jobs ship to them, as --extra-py-files does on Glue.
    os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent / "glue_jobs")
    session = (
        SparkSession.builder.master("local[2]")
        .appName("ptmlops-tests")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "2g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.adaptive.enabled", "false")  # as local AWS has it (local_aws/glue.py)
        .config("spark.sql.shuffle.partitions", "2")  # tiny data: 200 empty tasks would be most of the time
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()

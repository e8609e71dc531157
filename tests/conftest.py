"""Fixtures that every kind of test shares: one Spark session for the whole suite."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from local_aws import java

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


# A busy machine is no defect. What must be fast is measured in benchmarks/.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

TOGETHER = ("tests/e2e", "tests/stacks")  # one deployment, one synthesis: what takes long to set up is set up once


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Two processes share the tests file by file, and those of some folders stay together."""

    class ByFileOrFolder(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)

    return ByFileOrFolder(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what is marked nightly to `make nightly`."""
    if not os.environ.get("PTMLOPS_NIGHTLY"):
        left_out = [item for item in items if item.get_closest_marker("nightly")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument and place: gzip writes the time into them, and xdist's two processes, which collect in
    different seconds, must give a test the same name."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One local Spark for all tests, set as small as it can be: starting it costs more than most tests."""
    from pyspark.sql import SparkSession

    # Python workers import what the jobs ship to them, as --extra-py-files does on Glue.
    root = Path(__file__).parent.parent
    os.environ["PYTHONPATH"] = os.pathsep.join((str(root), str(root / "glue_jobs")))
    session = (
        SparkSession.builder.master("local[2]")
        .appName("ptmlops-tests")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "2g")
        .config("spark.driver.extraJavaOptions", java.SHORT_JOBS)  # and as local AWS starts it
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.adaptive.enabled", "false")  # as local AWS has it (local_aws/services/glue/)
        .config("spark.sql.codegen.cache.maxEntries", "3000")
        .config("spark.sql.shuffle.partitions", "2")  # tiny data: 200 empty tasks would be most of the time
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()

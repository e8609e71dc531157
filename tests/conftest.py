"""What every kind of test shares: one Spark session, one copy of AWS's service models, and the order in which processes take files."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from local_aws import java

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


# A busy machine is no defect. What must be fast is measured in benchmarks/.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

# Each boto3 session would read and parse the models of its services again, which takes most of the time of a client.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)

# What takes long to set up is set up once: one deployment, one local AWS with nothing deployed, one Spark, one synthesis of each kind.
# The tests of a group run in one process. Groups begin in this order, because the deployment's tests are the longest chain.
GROUPS = {
    "deployment": ("tests/e2e/",),
    "local AWS": ("tests/unit/local_aws/",),
    "trial": ("tests/e2e/test_try.py", "tests/e2e/test_command_line.py"),
    "Spark": (
        "tests/contract/test_published_files.py", "tests/unit/analytics/", "tests/unit/etl/test_checkpoint.py",
        "tests/unit/etl/test_failures.py", "tests/unit/etl/test_length_classes.py", "tests/unit/etl/test_prepare.py",
        "tests/unit/publish/test_live_accuracy.py", "tests/unit/publish/test_publish.py", "tests/unit/publish/test_themes.py",
    ),
    "stacks": ("tests/contract/test_archives.py", "tests/stacks/", "tests/unit/stacks/"),
}  # fmt: skip


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Processes share the tests file by file or group by group, the longest first."""
    places = {place: group for group, files in GROUPS.items() for place in files}

    class ByFileOrGroup(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            place = max((place for place in places if file.startswith(place)), key=len, default=None)
            return places[place] if place else file

        def _assign_work_unit(self, node: Any) -> None:
            if first := next((group for group in GROUPS if group in self.workqueue), None):
                self.workqueue.move_to_end(first, last=False)
            super()._assign_work_unit(node)

    return ByFileOrGroup(config, log) if config.getvalue("dist") == "loadfile" else None


# Set up in seconds, so that every test that uses one is slow: syntheses, a local AWS, Spark.
SLOW_FIXTURES = {"assembly", "delivery", "every_kind", "prod_templates", "sandbox", "shared_templates", "spark"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what takes long to set up, and leave what is marked nightly to `make nightly`."""
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
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

"""Run Prepare on files of this machine, in a separate process.

    python -m ptmlops.trial.spark_process REQUEST.json

The request:

    {"folder": "/tmp/trial",                                   what Prepare writes goes to <folder>/<name>/
     "settings": {"complaints": {...}, ...},                   the tables that the Glue jobs read
     "files": [{"name": "labelled", "path": "a.csv", "labelled": true, "named": {"text": "Descripción"}}],
     "java": "-XX:+UseSerialGC"}                               options for Spark's Java

The process prints `prepared <name>` after each file.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from complaints_etl.job_settings import JobSettings
from complaints_etl.prepare import Refusal, prepare
from complaints_etl.prepare_output import write
from complaints_etl.readers.storage import SourceFile
from complaints_etl.session import configure
from pyspark.sql import SparkSession

from ptmlops_contracts.columns import LABEL_COLUMNS

RUN_ID = "try"


class RefusedError(Exception):
    """A file that Prepare refuses."""


def main(request: dict[str, Any]) -> None:
    """Prepare each file separately, so that the file to score has no duplicates among the labelled rows."""
    settings = JobSettings.from_tables(request["settings"])
    folder = Path(request["folder"])
    spark = configure(_session(folder, request["java"]))
    for file in request["files"]:
        path, target = Path(file["path"]), folder / file["name"]
        source = SourceFile(
            key=path.name, version_id="1", size=path.stat().st_size, read=_reader(str(path)), named=file["named"]
        )
        # Without aliases for the label, Prepare treats a label column as any other column.
        without_label = {field: names for field, names in settings.columns.items() if field not in LABEL_COLUMNS}
        chosen = settings if file["labelled"] else dataclasses.replace(settings, columns=without_label)
        started = time.time()
        # Not Path.as_uri(): Hadoop does not decode the address, so "año 1" would become another folder.
        result = prepare(spark, [source], chosen, run_id=RUN_ID, salt=secrets.token_hex(16))
        write(result, prefix=f"file://{target}", put=_writer(target), started=started)
        if isinstance(result, Refusal):
            raise RefusedError(result.message)
        print(f"prepared {file['name']}", flush=True)  # noqa: T201 - the caller waits for it


def _session(folder: Path, java: str) -> SparkSession:
    """Start Spark on all cores of this machine, without network access from outside and without its user interface."""
    session = (
        SparkSession.builder.master("local[*]")
        .appName("ptmlops-try")
        .config("spark.driver.memory", "2g")
        .config("spark.driver.extraJavaOptions", java)
        # Code generation costs half of the processor time of 400 rows and a quarter of 24,000, more than it saves.
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.adaptive.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.local.dir", str(folder / "spark"))
        .config("spark.sql.shuffle.partitions", str(max(4, os.cpu_count() or 1)))  # the default of 200 would leave most empty
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session


def _reader(path: str) -> Callable[[int, int], bytes]:
    def read(start: int, end: int) -> bytes:
        with open(path, "rb") as file:  # noqa: PTH123 - pickled for Spark's workers
            file.seek(start)
            return file.read(max(end - start, 0))

    return read


def _writer(folder: Path) -> Callable[[str, str], None]:
    def put(key: str, text: str) -> None:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return put


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))

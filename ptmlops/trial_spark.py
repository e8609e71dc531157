"""The part of `ptmlops try` that needs Spark, as a process of its own: files → what Prepare writes, below a folder.

    python -m ptmlops.trial_spark REQUEST.json

The request: `{"folder", "settings": the tables that the Glue jobs read, "files": [{"name", "path", "labelled"}], "java": options
that it starts with}`. Each file ends as `<folder>/<name>/` in the layout of the prepared bucket, and a line `prepared <name>` on standard output.
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
from complaints_etl.prepare import Refusal, prepare, write
from complaints_etl.readers.storage import SourceFile
from complaints_etl.session import configure
from pyspark.sql import SparkSession

RUN_ID = "try"


class RefusedError(Exception):
    """Prepare refuses the file."""


def main(request: dict[str, Any]) -> None:
    """Prepare each file by itself: what is to be scored never meets the labelled rows, nor its own labels."""
    settings = JobSettings.from_tables(request["settings"])
    folder = Path(request["folder"])
    spark = configure(_session(folder, request["java"]))
    for file in request["files"]:
        path, target = Path(file["path"]), folder / file["name"]
        source = SourceFile(key=path.name, version_id="1", size=path.stat().st_size, read=_reader(str(path)))
        # To a reader that has not heard of labels, a label column is one of the others.
        unaware = {ours: names for ours, names in settings.columns.items() if ours != "label"}
        chosen = settings if file["labelled"] else dataclasses.replace(settings, columns=unaware)
        started = time.time()
        # Hadoop takes the address as it stands: encoded (Path.as_uri), a folder called "año 1" would be another one.
        result = prepare(spark, [source], chosen, run_id=RUN_ID, salt=secrets.token_hex(16))
        write(result, prefix=f"file://{target}", put=_writer(target), started=started)
        if isinstance(result, Refusal):
            raise RefusedError(result.message)
        print(f"prepared {file['name']}", flush=True)  # noqa: T201 - what the caller waits for


def _session(folder: Path, java: str) -> SparkSession:
    """All cores of this machine, nothing open to others, nothing said that nobody reads."""
    session = (
        SparkSession.builder.master("local[*]")
        .appName("ptmlops-try")
        .config("spark.driver.memory", "2g")
        # Many short jobs: compiling costs half of all processor time for 400 rows, a quarter for 24,000, and is never earned back.
        .config("spark.driver.extraJavaOptions", java)
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.adaptive.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.local.dir", str(folder / "spark"))
        .config("spark.sql.shuffle.partitions", str(max(4, os.cpu_count() or 1)))  # 200 would be mostly empty here
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session


def _reader(path: str) -> Callable[[int, int], bytes]:
    def read(start: int, end: int) -> bytes:
        with open(path, "rb") as file:  # noqa: PTH123 - travels to Spark's workers, which have no more than this
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

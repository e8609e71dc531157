"""One contender in one process: `python -m benchmarks.prepare.contenders NAME CSV FOLDER` → a line of JSON with seconds and rows.

| name | what it does |
|---|---|
| spark_copy | the same Spark session reads the CSV with default options and writes it as Parquet: no cleaning, wrong rows at line breaks |
| prepare | the complete job: read, clean, redact, entities, language, tokens, ids, duplicates, report, Parquet, JSON Lines |
| pandas | reads, cleans by the same patterns, redacts by the job's own redact(), drops equal texts, writes Parquet |
| polars | as pandas, with its own expressions where its pattern language has what is needed |
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GLUE_JOBS = str(ROOT / "glue_jobs")
sys.path.insert(0, GLUE_JOBS)

# What text/cleaning.py does, in Python's notation.
_STEPS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"</?[a-z][a-z0-9]*(\s[^<>]*)?/?>"), " "),
    (re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]"), ""),
    (re.compile(r"\r\n?"), "\n"),
    (re.compile(r"(?s)\n--\s*\n.*$"), ""),
    (re.compile(r"(?m)^\s*>?\s*(De|From|Para|To|Enviado|Sent|Asunto|Subject|CC):\s.*$"), " "),
    (re.compile(r"([!?.,;:*=_\-])\1{3,}"), r"\1\1\1"),
    (re.compile(r"([^\W\d_Xx])\1{3,}"), r"\1\1"),
    (re.compile(r"\s+"), " "),
)


def _session() -> Any:
    """Spark with its defaults, as Glue has them, on two cores."""
    os.environ["PYTHONPATH"] = os.pathsep.join((str(ROOT), GLUE_JOBS))
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "2g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.local.dir", tempfile.gettempdir())
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session


def spark_copy(path: Path, folder: Path) -> tuple[float, int]:
    """Seconds, rows as Spark counts them."""
    spark = _session()
    began = time.perf_counter()
    spark.read.csv(str(path), header=True).write.parquet(str(folder / "copy"))
    seconds = time.perf_counter() - began
    return seconds, spark.read.parquet(str(folder / "copy")).count()


def prepare(path: Path, folder: Path) -> tuple[float, int]:
    """Seconds, accepted rows."""
    from complaints_etl.job_settings import JobSettings
    from complaints_etl.prepare import prepare as prepare_files
    from complaints_etl.prepare_output import write
    from complaints_etl.readers.storage import SourceFile
    from complaints_etl.session import configure

    from stacks.config import load_settings

    spark = configure(_session())
    settings = JobSettings.from_tables(json.loads(load_settings("local").job_settings()))

    def read(start: int, end: int) -> bytes:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def put(key: str, text: str) -> None:
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_text(text, encoding="utf-8")

    began = time.perf_counter()
    source = SourceFile(key=path.name, version_id="1", size=path.stat().st_size, read=read, bucket="raw")
    prepared = prepare_files(spark, [source], settings, run_id="benchmark", salt="salt")
    report = write(prepared, prefix=folder.as_uri(), put=put, started=time.time())
    return time.perf_counter() - began, report["rows"]["accepted"]


def pandas(path: Path, folder: Path) -> tuple[float, int]:
    """Seconds, distinct rows."""
    import pandas as pd
    from complaints_etl.redaction import redact

    began = time.perf_counter()
    frame = pd.read_csv(path, dtype=str)
    texts = frame["text"].str.normalize("NFC").str.replace("&nbsp;", " ", regex=False)
    for pattern, by in _STEPS:
        texts = texts.str.replace(pattern, by, regex=True)
    frame["text"] = texts.str.strip().str.slice(0, 20000).map(lambda text: redact(text)[0])
    frame = frame[~frame["text"].str.lower().duplicated()]
    frame.to_parquet(folder / "pandas.parquet", index=False)
    return time.perf_counter() - began, len(frame)


def polars(path: Path, folder: Path) -> tuple[float, int]:
    """Seconds, distinct rows."""
    import polars as pl
    from complaints_etl.redaction import redact

    began = time.perf_counter()
    text = pl.col("text").str.normalize("NFC").str.replace_all("&nbsp;", " ", literal=True)
    backreferences = [step for step in _STEPS if r"\1{3,}" in step[0].pattern]
    for pattern, by in _STEPS:
        if (pattern, by) in backreferences:  # which polars' patterns lack
            text = text.map_elements(lambda value, p=pattern, b=by: p.sub(b, value), return_dtype=pl.String)
        else:
            text = text.str.replace_all(pattern.pattern, by)
    text = text.str.strip_chars().str.slice(0, 20000).map_elements(lambda value: redact(value)[0], return_dtype=pl.String)
    frame = pl.read_csv(path, infer_schema=False).with_columns(text)
    frame = frame.unique(pl.col("text").str.to_lowercase(), keep="first", maintain_order=True)
    frame.write_parquet(folder / "polars.parquet")
    return time.perf_counter() - began, frame.height


CONTENDERS: dict[str, Callable[[Path, Path], tuple[float, int]]] = {
    "spark_copy": spark_copy,
    "prepare": prepare,
    "pandas": pandas,
    "polars": polars,
}


def main() -> None:
    """Run one contender and print its time, rows and peak memory as JSON."""
    name, path, folder = sys.argv[1:]
    seconds, rows = CONTENDERS[name](Path(path), Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"name": name, "seconds": round(seconds, 2), "rows": rows, "python_peak_mb": peak}))


if __name__ == "__main__":
    main()

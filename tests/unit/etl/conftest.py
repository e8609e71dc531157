"""Settings and helpers for Prepare's tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from complaints_etl.job_settings import JobSettings
from complaints_etl.prepare import Prepared, Refusal, prepare
from complaints_etl.readers.storage import SourceFile
from complaints_etl.records.raw_rows import PART_BYTES

from stacks.config import load_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def settings() -> JobSettings:
    """What the local environment's jobs get."""
    chosen = load_settings("local")
    return JobSettings.from_tables({"complaints": chosen.complaints.model_dump(), "results": chosen.results.model_dump()})


@pytest.fixture
def run(spark: SparkSession, settings: JobSettings) -> Callable[..., Prepared | Refusal]:
    """`run({"a.csv": b"…"}, max_reject_share=1.0)`: prepare these files under changed settings."""

    def work(
        files: dict[str, bytes],
        *,
        earlier_index: Any = None,
        earlier_rare: Any = None,
        served_labels: Sequence[str] = (),
        part_bytes: int = PART_BYTES,
        **changed: Any,
    ) -> Prepared | Refusal:
        sources = [
            SourceFile(
                key=name, version_id="v1", size=len(body), read=lambda start, end, body=body: body[start:end], bucket="raw"
            )  # type: ignore[misc]
            for name, body in files.items()
        ]
        chosen = dataclasses.replace(settings, **{"max_reject_share": 1.0, **changed})
        return prepare(
            spark, sources, chosen, run_id="20261124-100000-abcdef01", salt="salt", earlier_index=earlier_index, earlier_rare=earlier_rare,
            served_labels=served_labels, part_bytes=part_bytes,
        )  # fmt: skip

    return work

"""What Publish writes is what others expect to read: the catalog's table, and Prepare, which gets review lists back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from complaints_etl.publish.join import TABLE, table_columns
from complaints_etl.publish.review import REVIEW_COLUMNS
from complaints_etl.readers import read_table
from pyspark.sql.types import _parse_datatype_string

from local_aws import ROOT
from ptmlops_contracts.keys import OutputKeys
from ptmlops_contracts.run_ids import run_date
from stacks.config import Settings
from tests.stacks.conftest import Template, tables_of

RUN_ID = "20260715-093000-0123abcd"


@pytest.fixture
def table(templates: dict[str, Template]) -> dict[str, Any]:
    tables: list[dict[str, Any]] = [one["TableInput"] for one in templates["storage"].properties("AWS::Glue::Table")]
    return next(one for one in tables if one["Name"] == "predictions")


def joined(value: Any) -> str:
    """A CloudFormation string, with the bucket's name in angle brackets."""
    return (
        value
        if isinstance(value, str)
        else "".join(part if isinstance(part, str) else "<bucket>" for part in value["Fn::Join"][1])
    )


def test_the_catalog_names_types_and_explains_the_columns_that_publish_writes(table: dict[str, Any]) -> None:
    columns = table["StorageDescriptor"]["Columns"]

    assert [(column["Name"], column["Type"]) for column in columns] == table_columns()
    for column in (*columns, *table["PartitionKeys"]):
        assert len(column["Comment"]) > 10, column["Name"]
    declared = json.loads(TABLE.read_text(encoding="utf-8"))
    assert [key["Name"] for key in table["PartitionKeys"]] == [key["name"] for key in declared["partitions"]] == ["run_date"]


@pytest.mark.slow
def test_every_type_is_one_that_spark_and_the_catalog_write_alike(spark: Any) -> None:
    for name, kind in table_columns():
        assert _parse_datatype_string(kind).simpleString() == kind, name


def test_athena_looks_where_publish_writes_without_a_crawler(table: dict[str, Any]) -> None:
    parameters = table["Parameters"]
    first, last = parameters["projection.run_date.range"].split(",")

    assert (parameters["projection.enabled"], parameters["projection.run_date.type"]) == ("true", "date")
    assert parameters["projection.run_date.format"] == "yyyy-MM-dd"
    day = datetime.strptime(run_date(RUN_ID), "%Y-%m-%d").replace(tzinfo=UTC)
    assert (day.year, day.month, day.day) == (2026, 7, 15)
    assert (first, last) == ("2026-01-01", "NOW")
    location = joined(parameters["storage.location.template"])
    assert location == "s3://<bucket>/predictions/run_date=${run_date}/"
    assert joined(table["StorageDescriptor"]["Location"]) == "s3://<bucket>/predictions/"
    # publish_predictions.py writes to this key: tests/contract/test_contracts.py finds any other.
    assert OutputKeys(RUN_ID).predictions.startswith("predictions/run_date=2026-07-15/")


@pytest.mark.parametrize("environment", sorted(path.stem for path in (ROOT / "environments").glob("*.toml")))
def test_a_review_list_is_understood_by_every_environment(environment: str) -> None:
    aliases = Settings.model_validate(tables_of(environment)).complaints.columns.model_dump()

    found = read_table("review.csv", ",".join(REVIEW_COLUMNS).encode(), aliases)

    assert found.columns == {name: name for name in ("complaint_id", "text", "label", "received_at")}

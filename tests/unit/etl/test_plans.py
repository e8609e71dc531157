"""Rows that are kept are where later plans begin."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, cast

import pytest
from complaints_etl.plans import keep
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.slow


def _made(spark: SparkSession) -> DataFrame:
    return spark.range(5).withColumn("square", F.col("id") * F.col("id"))


def test_later_plans_hold_nothing_of_how_the_rows_were_made_and_find_them_in_a_join_with_themselves(
    spark: SparkSession,
) -> None:
    kept = keep(_made(spark))

    later = kept.where("square > 3")._jdf.queryExecution().analyzed()
    leaves = later.collectLeaves().toList()
    assert [leaves.apply(0).nodeName(), leaves.length()] == ["InMemoryRelation", 1]
    assert leaves.apply(0).cacheBuilder().storageLevel().useDisk()
    joined = kept.join(kept.select("id", F.col("square").alias("again")), "id")
    assert sorted(map(tuple, joined.collect())) == [(0, 0, 0), (1, 1, 1), (2, 4, 4), (3, 9, 9), (4, 16, 16)]


def test_a_spark_without_that_door_gives_the_same_rows(spark: SparkSession) -> None:
    closed = types.SimpleNamespace(_jvm=spark._jvm, _jsparkSession=None)  # ofRows of such arguments does not exist
    made = _made(spark)
    made._session = cast("SparkSession", closed)

    kept = keep(made)

    assert sorted(map(tuple, kept.collect())) == [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16)]
    assert kept.storageLevel.useDisk

"""Later plans begin with the cached rows."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, cast

import pytest
from complaints_etl.checkpoint import checkpoint
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.slow


def _made(spark: SparkSession) -> DataFrame:
    return spark.range(5).withColumn("square", F.col("id") * F.col("id"))


def test_later_plans_begin_with_the_cached_rows_and_can_join_them_with_themselves(
    spark: SparkSession,
) -> None:
    kept = checkpoint(_made(spark))

    later = kept.where("square > 3")._jdf.queryExecution().analyzed()
    leaves = later.collectLeaves().toList()
    assert [leaves.apply(0).nodeName(), leaves.length()] == ["InMemoryRelation", 1]
    assert leaves.apply(0).cacheBuilder().storageLevel().useDisk()
    joined = kept.join(kept.select("id", F.col("square").alias("again")), "id")
    assert sorted(map(tuple, joined.collect())) == [(0, 0, 0), (1, 1, 1), (2, 4, 4), (3, 9, 9), (4, 16, 16)]


def test_without_the_internal_call_the_rows_are_the_same(spark: SparkSession) -> None:
    closed = types.SimpleNamespace(_jvm=spark._jvm, _jsparkSession=None)  # ofRows of such arguments does not exist
    made = _made(spark)
    made._session = cast("SparkSession", closed)

    kept = checkpoint(made)

    assert sorted(map(tuple, kept.collect())) == [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16)]
    assert kept.storageLevel.useDisk

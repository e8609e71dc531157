"""Rows that are worked out once: kept, and where the plans of all that is done with them begin."""

from __future__ import annotations

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark import StorageLevel
from pyspark.sql import DataFrame


def keep(rows: DataFrame, level: StorageLevel = StorageLevel.MEMORY_AND_DISK) -> DataFrame:
    """`rows`, persisted when they are first looked at.

    What Spark persists stands in later plans with all that led to it, which is gone through again for each of them: with few rows
    a fifth of the time. Here plans begin with the rows as they are kept.
    """
    kept = rows.persist(level)
    spark = rows.sparkSession
    try:
        plan = kept._jdf.queryExecution().withCachedData()
        # Spark's own way from a plan to its rows, but not documented: without it plans are longer, and say the same.
        java = spark._jvm.org.apache.spark.sql.Dataset.ofRows(spark._jsparkSession, plan)  # type: ignore[union-attr]
    except (Py4JError, TypeError):
        return kept
    return DataFrame(java, spark)

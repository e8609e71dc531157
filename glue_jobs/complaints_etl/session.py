"""Settings of the Spark session for Prepare. The entry script applies them; `prepare` itself changes no session."""

from __future__ import annotations

from pyspark.sql import SparkSession

SETTINGS = {
    # Looking for repeated values in the texts that are kept would cost more than the few that it finds would save.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
    # Rows are kept in arrays of so many. With the default, 10,000 texts fit into no region of a small heap.
    "spark.sql.inMemoryColumnarStorage.batchSize": "200",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "2000",
}


def configure(spark: SparkSession) -> SparkSession:
    """Apply the settings to a session. Returns the session."""
    for name, value in SETTINGS.items():
        spark.conf.set(name, value)
    return spark

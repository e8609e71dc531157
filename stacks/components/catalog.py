"""The tables that people query, column by column: predictions, and the history of runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from aws_cdk import aws_glue as glue
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ptmlops_contracts.keys import RUN_DATE, s3_uri
from stacks.components.code_assets import ROOT

PREDICTIONS = ROOT / "glue_jobs" / "complaints_etl" / "publish" / "predictions_table.json"
RUNS = Path(__file__).resolve().parent / "runs_table.json"
# No run is older than the software. Athena lists the prefix of each projected day, even if it is empty.
FIRST_DAY = "2026-01-01"

_HIVE = "org.apache.hadoop.hive.ql.io"
PARQUET = (
    f"{_HIVE}.parquet.MapredParquetInputFormat",
    f"{_HIVE}.parquet.MapredParquetOutputFormat",
    f"{_HIVE}.parquet.serde.ParquetHiveSerDe",
)
# Hive's SerDe, because AWS documents that results of OpenX's are not deterministic. Both read one object per line.
JSON_LINES = (
    "org.apache.hadoop.mapred.TextInputFormat",
    f"{_HIVE}.HiveIgnoreKeyTextOutputFormat",
    "org.apache.hive.hcatalog.data.JsonSerDe",
)


def catalog_table(
    scope: Construct,
    construct_id: str,
    *,
    name: str,
    description: str,
    schema: Path,
    formats: Sequence[str],
    classification: str,
    catalog_id: str,
    database: glue.CfnDatabase,
    bucket: s3.IBucket,
    prefix: str,
) -> glue.CfnTable:
    """Create a table over `<bucket>/<prefix>run_date=…/`. Athena computes its daily partitions, without a crawler."""
    columns = json.loads(schema.read_text(encoding="utf-8"))
    location = s3_uri(bucket.bucket_name, prefix)
    reads, writes, serde = formats
    return glue.CfnTable(
        scope,
        construct_id,
        catalog_id=catalog_id,
        database_name=database.ref,
        table_input=glue.CfnTable.TableInputProperty(
            name=name,
            description=description,
            table_type="EXTERNAL_TABLE",
            partition_keys=[glue.CfnTable.ColumnProperty(**column) for column in columns["partitions"]],
            parameters={
                "classification": classification,
                "projection.enabled": "true",
                "projection.run_date.type": "date",
                "projection.run_date.format": "yyyy-MM-dd",
                "projection.run_date.range": f"{FIRST_DAY},NOW",
                "projection.run_date.interval": "1",
                "projection.run_date.interval.unit": "DAYS",
                "storage.location.template": f"{location}{RUN_DATE}=${{{RUN_DATE}}}/",
            },
            storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                location=location,
                columns=[glue.CfnTable.ColumnProperty(**column) for column in columns["columns"]],
                input_format=reads,
                output_format=writes,
                serde_info=glue.CfnTable.SerdeInfoProperty(serialization_library=serde),
            ),
        ),
    )

"""Athena's part in tests: catalog tables over a folder that stands for the bucket, asked in Athena's SQL, answered by DuckDB.

sqlglot turns the SQL from one dialect into the other. Three things it does not, and are done here: `UNNEST` of an array of rows
or of a map gives a column for each field in Athena, and one struct in DuckDB; `current_date` becomes a date of the test's choice;
and the partition column is read from the file's place, as partition projection computes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

JSON_SERDE = "org.apache.hive.hcatalog.data.JsonSerDe"
PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"


def text(value: Any) -> str:
    """A template's string, every token in it replaced by `bucket`."""
    if isinstance(value, str):
        return value
    return "".join(part if isinstance(part, str) else "bucket" for part in value["Fn::Join"][1])


def duckdb_type(hive: str) -> str:
    return exp.DataType.build(hive, dialect="hive").sql("duckdb")


class Athena:
    """Tables as Glue describes them (a template's TableInput, or GetTable's answer), in a database of this name."""

    def __init__(self, tables: Sequence[Mapping[str, Any]], folder: Path, *, database: str = "complaints") -> None:
        self.database, self.folder = database, folder
        self.columns = {table["Name"]: _columns(table) for table in tables}
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute(f"CREATE SCHEMA {database}")
        for table in tables:
            self._create(table)
        self._connection.execute(f"USE {database}")

    def _create(self, table: Mapping[str, Any]) -> None:
        storage, [partition] = table["StorageDescriptor"], table["PartitionKeys"]
        template = urlparse(text(table["Parameters"]["storage.location.template"])).path.lstrip("/")
        pattern = re.compile(re.escape(template).replace(re.escape(f"${{{partition['Name']}}}"), "([^/]+)"))
        found = {}
        for path in sorted(self.folder.rglob("*")):
            place = pattern.match(path.relative_to(self.folder).as_posix())
            # Athena leaves out what begins so, and reads folders below a partition as the partition's.
            if path.is_file() and place and not path.name.startswith(("_", ".")):
                found[str(path)] = place[1]
        columns = {column["Name"]: duckdb_type(column["Type"]) for column in storage["Columns"]}
        names = ", ".join(f'"{name}"' for name in columns)
        if not found:
            types = ", ".join(f'"{name}" {kind}' for name, kind in {**columns, partition["Name"]: "DATE"}.items())
            self._connection.execute(f"CREATE TABLE {self.database}.{table['Name']} ({types})")
            return
        serde = storage["SerdeInfo"]["SerializationLibrary"]
        if serde == PARQUET_SERDE:
            for path in found:
                held = self._connection.execute(f"DESCRIBE SELECT {names} FROM read_parquet('{path}')").fetchall()  # noqa: S608
                assert {row[0]: row[1] for row in held} == {name: _described(kind) for name, kind in columns.items()}, path
            reader = f"read_parquet({list(found)}, hive_partitioning = false)"
        else:
            assert serde == JSON_SERDE
            assert all(len(Path(path).read_text(encoding="utf-8").splitlines()) == 1 for path in found)
            kinds = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
            reader = (
                f"read_json({list(found)}, format = 'newline_delimited', hive_partitioning = false, columns = {{{kinds}}})"
            )
        values = ", ".join(f"('{path}', DATE '{value}')" for path, value in found.items())
        self._connection.execute(
            f"CREATE TABLE {self.database}.{table['Name']} AS SELECT {names}, place.day AS {partition['Name']} "  # noqa: S608
            f"FROM (SELECT *, filename FROM {reader}) AS file JOIN (VALUES {values}) AS place (path, day) "
            f"ON place.path = file.filename"
        )

    def check(self, sql: str) -> None:
        """Every name is a column of the catalog: Athena takes no alias in WHERE and GROUP BY where DuckDB does."""
        schema = {name: dict.fromkeys(columns, "VARCHAR") for name, columns in self.columns.items()}
        tree = sqlglot.parse_one(sql.replace(f"{self.database}.", ""), read="athena")
        qualify(tree, schema=schema, dialect="athena", expand_alias_refs=False, quote_identifiers=False)

    def ask(self, sql: str, *parameters: object, today: date) -> list[dict[str, Any]]:
        self.check(sql)
        tree = sqlglot.parse_one(sql, read="athena")
        maps = {name for columns in self.columns.values() for name, kind in columns.items() if kind.startswith("map<")}
        for node in list(tree.find_all(exp.CurrentDate)):
            node.replace(exp.cast(exp.Literal.string(today.isoformat()), "date"))
        for node in list(tree.find_all(exp.Unnest)):
            node.replace(_rows(node, maps))
        answer = self._connection.execute(tree.sql("duckdb"), list(parameters))
        names = [column[0] for column in answer.description or ()]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def types(self, sql: str) -> dict[str, str]:
        """DuckDB's types of a query's columns."""
        tree = sqlglot.parse_one(sql, read="athena")
        for node in list(tree.find_all(exp.Unnest)):
            node.replace(_rows(node, set()))
        return {row[0]: row[1] for row in self._connection.execute(f"DESCRIBE {tree.sql('duckdb')}").fetchall()}


def _columns(table: Mapping[str, Any]) -> dict[str, str]:
    return {column["Name"]: column["Type"] for column in (*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"])}


def _described(kind: str) -> str:
    """A type in the words of DESCRIBE."""
    return str(duckdb.sql(f"SELECT CAST(NULL AS {kind}) AS one").types[0])


def _rows(node: exp.Unnest, maps: set[str]) -> exp.Expression:
    """`UNNEST(rows) AS t (a, b)`, as DuckDB spells it."""
    [found] = node.expressions
    value = found.sql("duckdb")
    if isinstance(found, exp.Column) and found.name in maps:
        value = f"map_entries({value})"
    alias = node.args["alias"].sql("duckdb")
    spelled = f"SELECT 1 FROM x CROSS JOIN LATERAL (SELECT unnest({value}, max_depth := 2)) AS {alias}"  # noqa: S608
    return sqlglot.parse_one(spelled, read="duckdb").args["joins"][0].this

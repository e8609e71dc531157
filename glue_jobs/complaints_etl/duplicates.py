"""Near-copies: rows whose words are nearly the same get one group, so that a split never has copies on both sides."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from complaints_etl.plans import keep
from complaints_etl.understanding import BAND_ROWS, BANDS, SIGNATURE

# Jaccard 0.8 less two standard errors of an estimate from 64 values, so that 98 of 100 such pairs are found: rather one group
# too large than a leak.
SIMILARITY = 0.7
HOPS = 3


def group(rows: DataFrame, known: DataFrame | None) -> DataFrame:
    """`rows` with `group_id`: that of a known near-copy where there is one, else the smallest fingerprint of its near-copies.

    Args:
        rows: fingerprint (one row each), signature.
        known: fingerprint, signature, group_id of the labelled rows of earlier runs; None where there are none.

    Returns:
        fingerprint, group_id (16 hex digits).
    """
    mine = rows.select("fingerprint", "signature", F.lit(None).cast("string").alias("group_id"))
    nodes = mine.unionByName(known.select("fingerprint", "signature", "group_id")) if known is not None else mine
    # A known row sorts before a new one, so that it stands for every band it is in.
    ranked = nodes.withColumn("rank", F.concat(F.when(F.col("group_id").isNull(), "1").otherwise("0"), "fingerprint"))
    bands = ranked.select("rank", "signature", "group_id", F.posexplode(_bands()).alias("band", "value"))
    heads = bands.groupBy("band", "value").agg(
        F.min(F.struct("rank", "signature", "group_id")).alias("head"), F.count("*").alias("size")
    )
    alike = F.aggregate(
        F.zip_with("signature", "head.signature", lambda a, b: (a == b).cast("int")), F.lit(0), lambda a, b: a + b
    )
    edges = keep(
        bands.join(heads.where("size > 1"), ["band", "value"])
        .where((F.col("rank") != F.col("head.rank")) & (alike >= SIMILARITY * SIGNATURE))
        .groupBy("rank")
        .agg(F.min("head.rank").alias("parent"))
    )
    parents = ranked.where("group_id IS NULL").select("fingerprint", "rank").join(edges, "rank", "left")
    parents = parents.withColumn("parent", F.coalesce("parent", "rank"))
    for _ in range(HOPS):
        above = edges.select(F.col("rank").alias("parent"), F.col("parent").alias("above"))
        parents = parents.join(above, "parent", "left").withColumn("parent", F.coalesce("above", "parent")).drop("above")
    names = ranked.where("group_id IS NOT NULL").select(F.col("rank").alias("parent"), F.col("group_id").alias("known_group"))
    named = parents.join(names.dropDuplicates(["parent"]), "parent", "left")
    return named.select(
        "fingerprint", F.coalesce("known_group", F.substring("parent", 2, 16)).alias("group_id")
    ).dropDuplicates(["fingerprint"])


def _bands() -> F.Column:  # type: ignore[name-defined]
    """array<bigint>: one hash per band of the signature."""
    return F.array(*[F.xxhash64(F.slice("signature", 1 + band * BAND_ROWS, BAND_ROWS)) for band in range(BANDS)])

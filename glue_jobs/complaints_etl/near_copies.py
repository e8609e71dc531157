"""Put near-copies into one group, so that a split never has copies of a text on both sides."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from complaints_etl.checkpoint import checkpoint
from complaints_etl.minhash import BAND_ROWS, BANDS, SIGNATURE_SIZE

# Jaccard 0.8 minus two standard errors of an estimate from 64 values: 98 of 100 pairs with similarity 0.8 are found. A group that is too
# large does less harm than a leak between splits.
SIMILARITY = 0.7
_HOPS = 3  # how far a chain of near-copies is followed
# SQL, because each call of a pyspark function is a message to the JVM: most messages of a small run would be for these.
_BAND_HASHES = f"transform(sequence(0, {BANDS - 1}), band -> xxhash64(slice(signature, 1 + band * {BAND_ROWS}, {BAND_ROWS})))"
_EQUAL_VALUES = "size(filter(zip_with(signature, head.signature, (a, b) -> a = b), is_equal -> is_equal))"


def group_near_copies(rows: DataFrame, earlier_index: DataFrame | None) -> DataFrame:
    """Return the group of each text: the group of an earlier near-copy, or else the smallest fingerprint among its near-copies.

    Candidates share a band of their signatures. Each is compared only with the first text of the band, so that a template with
    a million copies takes a million comparisons.

    Args:
        rows: fingerprint (unique), signature (array<int>).
        earlier_index: fingerprint, signature, group_id of earlier runs' labelled rows; None if there are none.

    Returns:
        fingerprint, group_id (16 hexadecimal digits).
    """
    new = rows.select("fingerprint", "signature", F.lit(None).cast("string").alias("group_id"))
    nodes = new.unionByName(earlier_index.select("fingerprint", "signature", "group_id")) if earlier_index is not None else new
    # Known texts sort before new ones, so they come first in their bands.
    ranked = nodes.withColumn("rank", F.concat(F.when(F.col("group_id").isNull(), "1").otherwise("0"), "fingerprint"))
    bands = ranked.select("rank", "signature", "group_id", F.posexplode(F.expr(_BAND_HASHES)).alias("band", "value"))
    heads = bands.groupBy("band", "value").agg(
        F.min(F.struct("rank", "signature", "group_id")).alias("head"), F.count("*").alias("size")
    )
    # A text that is similar to the first text of a band gets it as its parent.
    edges = checkpoint(
        bands.join(heads.where("size > 1"), ["band", "value"])
        .where((F.col("rank") != F.col("head.rank")) & (F.expr(_EQUAL_VALUES) >= SIMILARITY * SIGNATURE_SIZE))
        .groupBy("rank")
        .agg(F.min("head.rank").alias("parent"))
    )
    parents = ranked.where("group_id IS NULL").select("fingerprint", "rank").join(edges, "rank", "left")
    parents = parents.withColumn("parent", F.coalesce("parent", "rank"))
    # Replace each parent by its own parent, to reach the first text of a chain.
    for _ in range(_HOPS):
        above = edges.select(F.col("rank").alias("parent"), F.col("parent").alias("above"))
        parents = parents.join(above, "parent", "left").withColumn("parent", F.coalesce("above", "parent")).drop("above")
    known_groups = ranked.where("group_id IS NOT NULL").select(
        F.col("rank").alias("parent"), F.col("group_id").alias("known_group")
    )
    grouped = parents.join(known_groups.dropDuplicates(["parent"]), "parent", "left")
    return grouped.select(
        "fingerprint", F.coalesce("known_group", F.substring("parent", 2, 16)).alias("group_id")
    ).dropDuplicates(["fingerprint"])

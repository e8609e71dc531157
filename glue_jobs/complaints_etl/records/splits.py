"""Assign a group of near-copies to a split: the same one in every run."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

_TRAIN_PERCENT, _VALIDATION_PERCENT = 80, 10  # the rest is the test split


def split_of(group_id: Column | str) -> Column:
    """Return a column `split`. The group's id is a hash, so its first 32 bits are as good as random."""
    percentile = F.conv(F.substring(group_id, 1, 8), 16, 10).cast("long") % 100
    is_validation = percentile < _TRAIN_PERCENT + _VALIDATION_PERCENT
    return F.when(percentile < _TRAIN_PERCENT, "train").when(is_validation, "validation").otherwise("test").alias("split")

"""Search a run's complaints for new themes, and mark the complaints of each."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from complaints_etl.publish.join import SCORED, Run
from complaints_etl.publish.themes import MAX_CHARACTERS, MAX_COMPLAINTS, Candidate, Profile, Theme, find_themes

MARKS = "group_id string, theme string, theme_number int"


def search_themes(joined: DataFrame, profile: Profile, run: Run) -> list[Theme]:
    """Return the themes of a run.

    The sample of a large run is drawn by a hash of run and complaint, so that a redrive draws the same.

    Args:
        joined: the result of `join_answers`.
        profile: of the model that answered.
        run: the run.
    """
    unsure = joined.where(SCORED).where(F.col("confidence") <= profile.confidence)
    one_per_group = unsure.groupBy("group_id").agg(
        F.min(
            F.struct(
                F.xxhash64(F.lit(run.run_id), "complaint_id").alias("draw"),
                F.substring("text", 1, MAX_CHARACTERS).alias("text"),
            )
        ).alias("chosen")
    )
    rows = one_per_group.orderBy("chosen.draw", "group_id").limit(MAX_COMPLAINTS).collect()
    share = MAX_COMPLAINTS / one_per_group.count() if len(rows) == MAX_COMPLAINTS else 1.0
    candidates = [Candidate(group_id=row["group_id"], text=row["chosen"]["text"]) for row in rows]
    return find_themes(candidates, profile, sampled=share)


def mark_themes(joined: DataFrame, themes: Sequence[Theme]) -> DataFrame:
    """Return `joined` with `theme` and `theme_number` of the complaints of themes and their near-copies."""
    if not themes:
        return joined
    of_group = [(group, theme.name, theme.number) for theme in themes for group in theme.groups]
    marks = joined.sparkSession.createDataFrame(of_group, MARKS)
    return joined.drop("theme", "theme_number").join(F.broadcast(marks), "group_id", "left")

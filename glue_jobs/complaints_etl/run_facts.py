"""What the report says of a run's predictions, as plain numbers: counted once, in Spark, before the page is written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ptmlops_contracts.evaluation import LENGTH_BUCKETS

CONFIDENCE_BINS = 10
DRIFT_ROWS = 50  # fewer complaints, or fewer held-out rows, make an index that is chance


@dataclass(frozen=True, kw_only=True)
class Category:
    """A label's complaints."""

    complaints: int
    confidence: float
    needs_review: int


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """Amounts of one currency in one category's texts."""

    label: str
    currency: str
    mentions: int
    median: float
    total: float


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """Counts over the predictions of a run. `confidence`: complaints in each tenth from 0 to 1."""

    categories: Mapping[str, Category] = field(default_factory=dict)
    languages: Mapping[str, int] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    confidence: Sequence[int] = ()
    amounts: Sequence[Amounts] = ()

    @property
    def scored(self) -> int:
        return sum(category.complaints for category in self.categories.values())

    @property
    def needs_review(self) -> int:
        return sum(category.needs_review for category in self.categories.values())


def collect(scored: DataFrame) -> RunFacts:
    """Count the rows of the predictions table; two passes, because every Spark job costs a second however small."""
    words = F.size(F.split(F.trim("text"), r"\s+"))
    length = F.lit(LENGTH_BUCKETS[-1][1])
    for limit, name in reversed(LENGTH_BUCKETS[:-1]):
        length = F.when(words < limit, name).otherwise(length)
    tenth = F.least(F.floor(F.col("confidence") * CONFIDENCE_BINS), F.lit(CONFIDENCE_BINS - 1)).cast("int")
    groups = (
        scored.groupBy("label", "language", length.alias("length"), tenth.alias("tenth"))
        .agg(
            F.count("*").alias("n"),
            F.sum("confidence").alias("confidence"),
            F.sum(F.col("needs_review").cast("int")).alias("review"),
        )
        .collect()
    )
    sums: dict[str, list[float]] = {}
    languages: dict[str, int] = {}
    lengths: dict[str, int] = {}
    confidence = [0] * CONFIDENCE_BINS
    for row in groups:
        mine = sums.setdefault(row["label"], [0, 0.0, 0])
        mine[0] += row["n"]
        mine[1] += row["confidence"]
        mine[2] += row["review"]
        languages[row["language"]] = languages.get(row["language"], 0) + row["n"]
        lengths[row["length"]] = lengths.get(row["length"], 0) + row["n"]
        confidence[row["tenth"]] += row["n"]
    return RunFacts(
        categories={
            label: Category(complaints=int(n), confidence=total / n, needs_review=int(review))
            for label, (n, total, review) in sums.items()
        },
        languages=languages,
        lengths=lengths,
        confidence=confidence,
        amounts=_amounts(scored) if groups else (),
    )


def _amounts(scored: DataFrame) -> list[Amounts]:
    found = (
        scored.select("label", F.explode("facts.amounts").alias("amount"))
        .select("label", F.col("amount.currency").alias("currency"), F.col("amount.value").cast("double").alias("value"))
        .where("value IS NOT NULL")
        .groupBy("label", "currency")
        .agg(F.count("*").alias("n"), F.expr("percentile_approx(value, 0.5)").alias("median"), F.sum("value").alias("total"))
        .orderBy("label", F.desc("n"))
        .collect()
    )
    return [
        Amounts(
            label=row["label"],
            currency=row["currency"] or "",
            mentions=row["n"],
            median=float(row["median"]),
            total=float(row["total"]),
        )
        for row in found
    ]


def stability_index(expected: Mapping[str, float], found: Mapping[str, float]) -> float | None:
    """Population stability index of two distributions, given as counts; None where either is too small to say.

    sum((found - expected) * ln(found / expected)) over shares (Siddiqi, Credit Risk Scorecards, 2006); half a row is added
    to each count so that a bucket that only one of them has does not make it infinite.
    """
    if sum(expected.values()) < DRIFT_ROWS or sum(found.values()) < DRIFT_ROWS:
        return None
    buckets = sorted(set(expected) | set(found))
    before = {name: expected.get(name, 0) + 0.5 for name in buckets}
    now = {name: found.get(name, 0) + 0.5 for name in buckets}
    total_before, total_now = sum(before.values()), sum(now.values())
    index = 0.0
    for name in buckets:
        was, is_ = before[name] / total_before, now[name] / total_now
        index += (is_ - was) * math.log(is_ / was)
    return index


def drift(facts: RunFacts, metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """PSI of categories, languages, lengths and confidence against the holdout of the model that answered.

    The answers are compared with the holdout's answers, not with its truth: a model that prefers a label does so on both sides.
    """
    answered: dict[str, float] = dict.fromkeys(metrics["per_label"], 0.0)
    for answers in metrics["confusion"].values():
        for label, rows in answers.items():
            answered[label] += rows
    tenths: dict[str, float] = {}
    for point in metrics.get("reliability") or []:
        tenth = str(min(int(point["confidence"] * CONFIDENCE_BINS), CONFIDENCE_BINS - 1))
        tenths[tenth] = tenths.get(tenth, 0) + point["rows"]
    sizes = {
        part: {name: float(numbers["rows"]) for name, numbers in (metrics.get(part) or {}).items()}
        for part in ("by_language", "by_length")
    }
    return {
        "categories": stability_index(answered, {label: found.complaints for label, found in facts.categories.items()}),
        "languages": stability_index(
            sizes["by_language"], {"unknown" if name == "und" and "und" not in sizes["by_language"] else name: n
                                   for name, n in facts.languages.items()}
        ),
        "length": stability_index(sizes["by_length"], facts.lengths),
        "confidence": stability_index(tenths, {str(index): n for index, n in enumerate(facts.confidence)}),
    }  # fmt: skip


def metrics_of(evaluation: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    """The numbers of the model that answered: the champion's where the evaluation measured it as such, else the candidate's."""
    champion = evaluation.get("champion")
    chosen: Mapping[str, Any] = (
        champion if champion and str(champion.get("version")) == str(version) else evaluation["candidate"]
    )
    return chosen

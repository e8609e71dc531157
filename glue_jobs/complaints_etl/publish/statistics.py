"""Run statistics for the report: counts over the predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from ptmlops_contracts.drift import LENGTHS, TENTHS

# An example has so many characters: long enough to say something, short enough to be shown nearly whole.
EXAMPLE_CHARACTERS = (60, 400)


@dataclass(frozen=True, kw_only=True)
class Example:
    """The beginning of a typical complaint, redacted. `is_certain`: it does not wait for review."""

    text: str
    language: str
    terms: Sequence[str] = ()
    is_certain: bool = True


@dataclass(frozen=True, kw_only=True)
class Category:
    """The complaints with one predicted label. `confidence` is their mean."""

    complaints: int
    confidence: float
    needs_review: int
    example: Example | None = None


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """Amounts of one currency in the texts with one predicted label."""

    label: str
    currency: str
    mentions: int
    median: float
    total: float


@dataclass(frozen=True, kw_only=True)
class RunStatistics:
    """Counts over the predictions of a run.

    Attributes:
        confidence: `confidence[i]` counts complaints with a confidence from i/10 to (i+1)/10.
        known: the same of the share of a complaint's words that training saw. Models of earlier versions do not say it.
        amounts: per label and currency.
        medians: median amount per currency.
    """

    categories: Mapping[str, Category] = field(default_factory=dict)
    languages: Mapping[str, int] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    confidence: Sequence[int] = ()
    known: Sequence[int] = ()
    amounts: Sequence[Amounts] = ()
    medians: Mapping[str, float] = field(default_factory=dict)

    @property
    def scored(self) -> int:
        return sum(category.complaints for category in self.categories.values())

    @property
    def mean_confidence(self) -> float | None:
        """Return the mean confidence of the answers, or None if there are none."""
        total = sum(category.confidence * category.complaints for category in self.categories.values())
        return round(total / self.scored, 4) if self.scored else None

    @property
    def needs_review(self) -> int:
        return sum(category.needs_review for category in self.categories.values())


def collect_statistics(scored: DataFrame) -> RunStatistics:
    """Count the rows of the predictions table, which also have `known_share`.

    One Spark job counts all dimensions together, and Python sums them up: even a small Spark job takes about a second.
    """
    words = F.size(F.split(F.trim("text"), r"\s+"))
    length = F.least(F.length(F.bin(words)), F.lit(LENGTHS)).cast("string")  # as length_of
    # Selected first, so that Spark sorts short examples instead of texts.
    groups = (
        scored.select(
            "label", "language", "confidence", "needs_review", length.alias("length"),
            _tenth("confidence").alias("tenth"), _tenth("known_share").alias("known"),
            _example_order().alias("example"),
        )
        .groupBy("label", "language", "length", "tenth", "known")
        .agg(
            F.count("*").alias("n"),
            F.sum("confidence").alias("confidence"),
            F.sum(F.col("needs_review").cast("int")).alias("review"),
            F.min("example").alias("example"),
        )
        .collect()
    )  # fmt: skip
    examples: dict[str, Row] = {}
    sums: dict[str, list[float]] = {}
    languages: dict[str, int] = {}
    lengths: dict[str, int] = {}
    confidence, known = [0] * TENTHS, [0] * TENTHS
    for row in groups:
        label_sums = sums.setdefault(row["label"], [0, 0.0, 0])
        for index, name in enumerate(("n", "confidence", "review")):
            label_sums[index] += row[name]
        examples[row["label"]] = min(examples.get(row["label"], row["example"]), row["example"])
        languages[row["language"]] = languages.get(row["language"], 0) + row["n"]
        lengths[row["length"]] = lengths.get(row["length"], 0) + row["n"]
        confidence[row["tenth"]] += row["n"]
        if row["known"] is not None:
            known[row["known"]] += row["n"]
    amounts, medians = _amounts(scored) if groups else ([], {})
    return RunStatistics(
        categories={
            label: Category(
                complaints=int(n), confidence=total / n, needs_review=int(review), example=_example(examples[label])
            )
            for label, (n, total, review) in sums.items()
        },
        languages=languages,
        lengths=lengths,
        confidence=confidence,
        known=known,
        amounts=amounts,
        medians=medians,
    )


def _tenth(share: str) -> Column:
    return F.least(F.floor(F.col(share) * TENTHS), F.lit(TENTHS - 1)).cast("int")


def _example_order() -> Column:
    """Return a struct column whose smallest value is the most typical complaint.

    It does not wait for review, is of medium length, and has the highest confidence. The id decides a tie, so a redrive finds the same.
    """
    shortest, longest = EXAMPLE_CHARACTERS
    return F.struct(
        F.col("needs_review").alias("is_uncertain"),
        (~F.length("text").between(shortest, longest)).alias("is_odd"),
        (-F.col("confidence")).alias("order"),
        "complaint_id",
        F.substring("text", 1, longest + 1).alias("text"),
        F.col("language").alias("of_language"),
        F.transform("top_terms", lambda item: item["term"]).alias("terms"),
    )


def _example(row: Row) -> Example:
    text, longest = row["text"], EXAMPLE_CHARACTERS[1]
    if len(text) > longest:  # it is cut between words, so that no mask is cut
        text = f"{text[:longest].rsplit(maxsplit=1)[0]} …"
    return Example(text=text, language=row["of_language"], terms=row["terms"] or (), is_certain=not row["is_uncertain"])


def _amounts(scored: DataFrame) -> tuple[list[Amounts], dict[str, float]]:
    """Return the amounts per label and currency, and the median per currency."""
    rows = (
        scored.select("label", F.explode("entities.amounts").alias("amount"))
        .select("label", F.col("amount.currency").alias("currency"), F.col("amount.value").cast("double").alias("value"))
        .where("value IS NOT NULL")
        .withColumn("currency", F.coalesce("currency", F.lit("")))
        .rollup("currency", "label")
        .agg(
            F.count("*").alias("n"),
            F.expr("percentile_approx(value, 0.5)").alias("median"),
            F.sum("value").alias("total"),
        )
        .where("currency IS NOT NULL")  # without the sum over all currencies
        .orderBy("label", F.desc("n"), "currency")
        .collect()
    )
    medians = {row["currency"]: float(row["median"]) for row in rows if row["label"] is None}
    return [
        Amounts(
            label=row["label"],
            currency=row["currency"],
            mentions=row["n"],
            median=float(row["median"]),
            total=float(row["total"]),
        )
        for row in rows
        if row["label"] is not None
    ], medians


def drift_counts(statistics: RunStatistics) -> dict[str, dict[str, int]]:
    """Return the complaints per bucket of each kind of drift."""
    return {
        "categories": {label: category.complaints for label, category in statistics.categories.items()},
        "languages": dict(statistics.languages),
        "length": dict(statistics.lengths),
        "confidence": {str(index): rows for index, rows in enumerate(statistics.confidence)},
        "vocabulary": {str(index): rows for index, rows in enumerate(statistics.known)},
    }


def serving_metrics(evaluation: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    """Return the metrics of the model that scored the run: the champion's if it has this version, else the candidate's."""
    champion = evaluation.get("champion")
    metrics: Mapping[str, Any] = champion if champion and str(champion.get("version")) == version else evaluation["candidate"]
    return metrics

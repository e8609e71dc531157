"""Measure how much reviewed complaints teach a model, by the order in which a person reviews them.

    python -m benchmarks.model.review FILE --data NAME [--text COLUMN] [--label COLUMN] [--seeds N] [--json PATH]

A fifth of the rows is held out, with near-duplicates on one side. A model learns from START of the others and scores up to POOL of the rest.
The first rows of the review list get their true labels, and the model learns again. The list has the answers below the model's threshold: by
`priority` (the order of Publish, computed by its own code), by least confidence, and in random order.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from complaint_model.fit import fit
from complaint_model.metrics import confusion_counts, macro_f1
from complaint_model.model import Model
from complaint_model.records import Rows
from complaint_model.scoring import Scores, score
from complaint_model.settings import Settings
from complaints_etl.publish.review import priority
from inference import ALTERNATIVES
from pyspark.sql import SparkSession

from benchmarks.measurement import write_measurement
from benchmarks.model.quality import rows_of

REVIEWED = (100, 300, 1000)
ORDERS = ("priority", "least confidence", "random")


def taken(rows: Rows, chosen: Sequence[int]) -> Rows:
    """Return some of the rows."""
    return Rows(*([column[index] for index in chosen] for column in (rows.texts, rows.labels, rows.groups)))


def quality(model: Model, rows: Rows, names: Sequence[str]) -> float:
    """Return the macro-F1 over all labels of the data."""
    index_of = {name: index for index, name in enumerate(names)}
    predicted = np.array([index_of[name] for name in model.labels])[score(model, rows.texts).label]
    truth = np.array([index_of[label] for label in rows.labels])
    return macro_f1(confusion_counts(truth, predicted, len(names)))


def review_order(spark: SparkSession, order: str, model: Model, scores: Scores, seed: int) -> list[int]:
    """Return the rows of the review list."""
    listed = np.flatnonzero(scores.needs_review).tolist()
    if order == "random":
        random.Random(seed).shuffle(listed)
        return listed
    if order == "least confidence":
        return sorted(listed, key=lambda row: (scores.confidence[row], row))
    ranked = scores.probabilities.copy()
    ranked[np.arange(len(ranked)), scores.label] = 2.0
    alternatives = (-ranked).argsort(axis=1, kind="stable")[:, :ALTERNATIVES]
    table = [
        (
            row,
            float(scores.confidence[row]),
            [(model.labels[at], float(scores.probabilities[row, at])) for at in alternatives[row]],
        )
        for row in listed
    ]
    answers = spark.createDataFrame(
        table, "row int, confidence double, alternatives array<struct<label:string,probability:double>>"
    )
    complaints = Counter(model.labels[label] for label in scores.label)
    return [found["row"] for found in answers.orderBy(priority(complaints).desc(), "row").select("row").collect()]


def measure(spark: SparkSession, rows: Rows, seed: int, start: int, pool: int) -> tuple[float, int, dict[str, list[float]]]:
    """Return the first model's macro-F1, the rows of the review list, and the gains by order."""
    draw = random.Random(seed)
    groups = sorted(set(rows.groups))
    held_out = set(draw.sample(groups, len(groups) // 5))
    test = taken(rows, [index for index, group in enumerate(rows.groups) if group in held_out])
    others = [index for index, group in enumerate(rows.groups) if group not in held_out]
    draw.shuffle(others)
    known, waiting = others[:start], others[start : start + pool]
    names = sorted(set(rows.labels))
    model, _ = fit(taken(rows, known), Settings())
    before, scores = quality(model, test, names), score(model, taken(rows, waiting).texts)
    gains = {}
    for order in ORDERS:
        listed = [waiting[row] for row in review_order(spark, order, model, scores, seed)]
        models = (fit(taken(rows, known + listed[:count]), Settings())[0] for count in REVIEWED)
        gains[order] = [quality(model, test, names) - before for model in models]
        print(f"seed {seed}, {order}: {before:.4f} {[round(gain, 4) for gain in gains[order]]}", flush=True)
    return before, len(listed), gains


def mean_and_error(values: Sequence[float]) -> dict[str, float]:
    """Return the mean and its standard error."""
    return {"mean": round(fmean(values), 4), "error": round(stdev(values) / len(values) ** 0.5, 4)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--data", required=True, help="the name of the data in the table")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="category")
    parser.add_argument("--start", type=int, default=1000, help="rows that the first model learns from")
    parser.add_argument("--pool", type=int, default=10_000, help="rows that wait for an answer, at most")
    parser.add_argument("--seeds", type=int, default=3, help="how many random splits, at least 2")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = rows_of(arguments.file, arguments.text, arguments.label)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
    )
    spark = session.getOrCreate()
    measured = [measure(spark, rows, seed, arguments.start, arguments.pool) for seed in range(1, arguments.seeds + 1)]
    spark.stop()
    gains = {
        order: [list(column) for column in zip(*(found[order] for *_, found in measured), strict=True)] for order in ORDERS
    }
    result: dict[str, Any] = {
        "data": arguments.data,
        "start_rows": arguments.start,
        "seeds": arguments.seeds,
        "macro_f1_before": mean_and_error([before for before, *_ in measured]),
        "listed_rows": round(fmean(listed for _, listed, _ in measured)),
        "reviewed": REVIEWED,
        "gains": {order: [mean_and_error(values) for values in gains[order]] for order in ORDERS},
        # Of the same splits, so that what splits have in common does not count as noise.
        "priority_minus": {
            order: [
                mean_and_error([ours - theirs for ours, theirs in zip(mine, other, strict=True)])
                for mine, other in zip(gains["priority"], gains[order], strict=True)
            ]
            for order in ORDERS[1:]
        },
    }
    for order in ORDERS:
        cells = (f"{mean:>+10.4f} ± {error:.4f}" for mean, error in map(dict.values, result["gains"][order]))
        print(f"{order:<20}{''.join(cells)}")
    if arguments.json:
        write_measurement(arguments.json, result)


if __name__ == "__main__":
    main()

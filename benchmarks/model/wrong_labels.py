"""Measure how well wrong labels are found, next to cleanlab on the same rows.

    python -m benchmarks.model.wrong_labels FILE --data NAME [--text COLUMN] [--label COLUMN] [--rates 0.05 0.1] [--json PATH]

A share of the labels is replaced by another label, drawn at random. A list ranks the rows, the most doubtful first. Its precision is that
of the first 100 rows, its recall that of twice as many rows as labels were replaced. Rows whose label was wrong before count as right, so
the precision is a lower bound. cleanlab ranks the rows by the same cross-fitted probabilities, and by those of a logistic
regression on TF-IDF, as its documentation does. It runs in an environment of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "glue_jobs"), str(ROOT / "training")]

from complaint_model.arrays import Bools, Floats, Ints
from complaint_model.cross_fitting import assign_folds
from complaint_model.fit import fit
from complaint_model.label_checks import MIN_RATIO, find_doubts
from complaint_model.records import Rows
from complaint_model.settings import Settings
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline

from benchmarks.measurement import write_measurement
from benchmarks.model.quality import rows_of

FIRST = 100  # rows of a list that its precision is of
CLEANLAB = "cleanlab==2.9.0"
CLEANLAB_RUN = """
import sys
import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import order_label_issues
given = np.load(sys.argv[1])
for path in sys.argv[2:]:
    probabilities = np.load(path)
    every = np.ones(len(given), dtype=bool)
    np.save(path + ".ranked.npy", order_label_issues(every, given, probabilities, rank_by="self_confidence"))
    np.save(path + ".issues.npy", find_label_issues(given, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1))
"""


def flip(truth: Ints, labels: int, rate: float, seed: int) -> Ints:
    """Return the labels with a share of them replaced by another one."""
    random = np.random.default_rng(seed)
    chosen = random.choice(len(truth), round(rate * len(truth)), replace=False)
    given = truth.copy()
    given[chosen] = (given[chosen] + random.integers(1, labels, len(chosen))) % labels
    return given


def usual_probabilities(texts: Sequence[str], given: Ints, fold: Ints) -> Floats:
    """Return cross-validated probabilities of a logistic regression on TF-IDF."""
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=400))
    found: Floats = cross_val_predict(pipeline, texts, given, cv=PredefinedSplit(fold), method="predict_proba")
    return found


def cleanlab_lists(given: Ints, probabilities: Sequence[Floats]) -> list[tuple[Ints, Ints]]:
    """Return for each matrix of probabilities cleanlab's ranking of all rows, and the rows that it reports, ranked."""
    with tempfile.TemporaryDirectory(prefix="wrong-labels-") as folder:
        paths = [Path(folder, f"{number}.npy") for number in range(len(probabilities))]
        for path, matrix in zip(paths, probabilities, strict=True):
            np.save(path, matrix)
        np.save(Path(folder, "given.npy"), given)
        uv = str(Path(sys.executable).with_name("uv"))
        command = [uv, "run", "--quiet", "--no-project", "--python", sys.executable, "--with", CLEANLAB, "python", "-c"]
        subprocess.run([*command, CLEANLAB_RUN, str(Path(folder, "given.npy")), *map(str, paths)], check=True)
        return [(np.load(f"{path}.ranked.npy"), np.load(f"{path}.issues.npy")) for path in paths]


def judged(ranked: Ints, wrong: Bools) -> dict[str, Any]:
    """Return precision and recall of a list of rows."""
    flipped = int(wrong.sum())
    return {
        "precision_of_first_100": round(float(wrong[ranked[:FIRST]].mean()), 3),
        "recall_at_twice": round(float(wrong[ranked[: 2 * flipped]].sum() / flipped), 3),
    }


def measure(rows: Rows, rate: float, seed: int) -> dict[str, Any]:
    """Flip labels, and judge each list."""
    names = sorted(set(rows.labels))
    number = {name: index for index, name in enumerate(names)}
    truth = np.asarray([number[label] for label in rows.labels], dtype=np.int64)
    given = flip(truth, len(names), rate, seed)
    wrong = given != truth
    _, crossfit = fit(Rows(rows.texts, [names[index] for index in given], rows.groups), Settings())
    every = np.arange(len(given))
    ours = np.argsort(crossfit.probabilities[every, given], kind="stable")
    listed = np.asarray([row for row, *_ in find_doubts(crossfit.probabilities, given, most=len(given))])
    usual = usual_probabilities(rows.texts, given, assign_folds(given, rows.groups, 5, seed))
    (same, same_issues), (own, own_issues) = cleanlab_lists(given, [crossfit.probabilities, usual])
    lists = {
        "PTMLops": (ours, listed),
        "cleanlab, same probabilities": (same, same_issues),
        "cleanlab, TF-IDF + LogisticRegression": (own, own_issues),
    }
    return {
        "rate": rate,
        "flipped": int(wrong.sum()),
        "lists": {
            name: {
                **judged(ranked, wrong),
                "reported": len(reported),
                "reported_precision": round(float(wrong[reported].mean()), 3),
                "reported_recall": round(float(wrong[reported].sum() / wrong.sum()), 3),
            }
            for name, (ranked, reported) in lists.items()
        },
    }


def main() -> None:
    """Print a line per list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--data", required=True, help="the name of the data, for the documentation")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="category")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.05, 0.1])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = rows_of(arguments.file, arguments.text, arguments.label)
    results = []
    for rate in arguments.rates:
        results.append(measure(rows, rate, arguments.seed))
        for name, values in results[-1]["lists"].items():
            print(f"{rate:.0%} {name:<40} {values}", flush=True)
    if arguments.json:
        found = {"data": arguments.data, "rows": len(rows.texts), "min_ratio": MIN_RATIO, "results": results}
        write_measurement(arguments.json, found)


if __name__ == "__main__":
    main()

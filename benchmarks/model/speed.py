"""How fast the model trains and scores against scikit-learn and fastText, on the same rows, in core seconds of one run.

    python -m benchmarks.model.speed [FILE] [--text COLUMN] [--label COLUMN] [--curve ROWS …] [--json PATH]

Without FILE the rows are made up. `--curve 50000 100000 …` trains on that many made-up rows, each in a process of its own, and
prints time, memory and the exponent with which they grow.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before NumPy is imported: contenders are measured on one core

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "training"), str(ROOT)]

import inference
import numpy as np
from complaint_model import artifact, compiled, scoring
from complaint_model.fit import fit
from complaint_model.model import Model
from complaint_model.records import Rows
from complaint_model.settings import Settings
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

SLOW_ROWS = 4000  # the slowest contenders are timed on so many
FASTTEXT = "fasttext-community==0.11.9"
FASTTEXT_RUN = """
import fasttext, json, sys, time
path, count = sys.argv[1], int(sys.argv[2])
lines = [line.partition(" ")[2].rstrip() for line in open(path, encoding="utf-8")][:count]
began = time.process_time()
model = fasttext.train_supervised(path, epoch=15, wordNgrams=2, thread=1, verbose=0)
trained, scored = time.process_time() - began, []
for _ in range(3):
    began = time.process_time(); model.predict(lines); scored.append(time.process_time() - began)
print(json.dumps({"train_seconds": trained, "rows_per_second": len(lines) / min(scored)}))
"""
COLD_START = """
import time; began = time.perf_counter()
import sys; sys.path.insert(0, sys.argv[1])
import inference
model = inference.model_fn(sys.argv[2]); loaded = time.perf_counter()
inference.predict_fn([b'{"complaint_id": "1", "text": "me cobraron dos veces"}'], model)
print(loaded - began, time.perf_counter() - began)
"""


def made_up(rows: int, seed: int = 20) -> tuple[list[str], list[str]]:
    """Make texts of about 900 characters, with a vocabulary that grows as real ones do, and nine labels of uneven size."""
    draw = random.Random(seed)
    letters = "aeioubcdfglmnprst"
    words = ["".join(draw.choices(letters, k=draw.randint(3, 10))) for _ in range(60_000)]
    weights = np.cumsum(1.0 / np.arange(1, len(words) + 1) ** 0.9).tolist()
    own = [words[200 + 100 * label : 300 + 100 * label] for label in range(9)]
    labels = draw.choices(range(9), weights=[64, 9, 8, 6, 5, 3, 2, 2, 1], k=rows)
    texts = []
    for label in labels:
        chosen = draw.choices(words, cum_weights=weights, k=125) + draw.choices(own[label], k=8)
        draw.shuffle(chosen)
        texts.append(" ".join(chosen))
    return texts, [f"label {label}" for label in labels]


def read(path: Path, text: str, label: str) -> tuple[list[str], list[str]]:
    """Read texts and labels of a CSV file, which may be gzipped."""
    csv.field_size_limit(10**8)
    with gzip.open(path, "rt", encoding="utf-8", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row[text].strip() and row[label].strip()]
    return [row[text] for row in rows], [row[label] for row in rows]


def core_seconds(work: Callable[[], Any], times: int = 1) -> tuple[float, Any]:
    """Return the least processor time of `times` runs in seconds, and the last result."""
    best, result = math.inf, None
    for _ in range(times):
        began = time.process_time()
        result = work()
        best = min(best, time.process_time() - began)
    return best, result


def contenders(texts: list[str], labels: list[str], folder: Path) -> dict[str, dict[str, float]]:
    """Return seconds to train, and rows per second from text to label, of each peer."""
    some = texts[:SLOW_ROWS]
    results: dict[str, dict[str, float]] = {}
    for name, pipeline in (
        ("scikit-learn: TF-IDF(1,2) + LinearSVC", make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LinearSVC())),
        ("scikit-learn: TF-IDF + LogisticRegression", make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))),
    ):
        trained, _ = core_seconds(lambda pipeline=pipeline: pipeline.fit(texts, labels))  # type: ignore[misc]
        scored, _ = core_seconds(lambda pipeline=pipeline: pipeline.predict(some), 3)  # type: ignore[misc]
        results[name] = {"train_seconds": trained, "rows_per_second": len(some) / scored}
    file = folder / "fasttext.txt"
    with file.open("w", encoding="utf-8") as out:
        out.writelines(
            f"__label__{label.replace(' ', '_')} {' '.join(text.split())}\n" for text, label in zip(texts, labels, strict=True)
        )
    # Its module has the name of the language identifier's, so that one environment cannot hold both.
    command = [
        str(Path(sys.executable).with_name("uv")),
        "run",
        "--quiet",
        "--no-project",
        "--python",
        sys.executable,
        "--with",
        FASTTEXT,
        "python",
        "-c",
        FASTTEXT_RUN,
    ]
    printed = subprocess.run([*command, str(file), str(SLOW_ROWS)], check=True, capture_output=True, text=True).stdout
    results["fastText: word bigrams, 15 epochs"] = json.loads(printed.strip().splitlines()[-1])
    return results


def ours(texts: list[str], labels: list[str], char_ngrams: str) -> tuple[dict[str, float], Model]:
    """Measure this model; training includes its cross-fitting and calibration."""
    rows = Rows(texts=texts, labels=labels, groups=[str(index) for index in range(len(texts))])
    fit(Rows(texts[:300], labels[:300], rows.groups[:300]), Settings(char_ngrams=char_ngrams))  # compile
    trained, (model, _) = core_seconds(lambda: fit(rows, Settings(char_ngrams=char_ngrams)))
    scoring.score_and_explain(model, texts[:10])
    scored, scores = core_seconds(lambda: scoring.score(model, texts), 3)
    explained, _ = core_seconds(lambda: scoring.score_and_explain(model, texts), 3)
    half = len(texts) // 2
    learned, _ = fit(Rows(texts[:half], labels[:half], rows.groups[:half]), Settings(char_ngrams=char_ngrams))
    scoring.score(learned, texts[:10])
    unseen, _ = core_seconds(lambda: scoring.score(learned, texts[half:]), 3)
    body = "".join(json.dumps({"complaint_id": str(place), "text": text}) + "\n" for place, text in enumerate(texts)).encode()
    batch, _ = core_seconds(lambda: answered(body, model), 3)
    with mock.patch.object(compiled, "kernels", return_value=None):
        slow, plain = core_seconds(lambda: scoring.score(model, texts))
    numbers = {
        "train_seconds": trained,
        "rows_per_second": len(texts) / scored,
        "rows_per_second_of_texts_not_learned": (len(texts) - half) / unseen,
        "rows_per_second_with_reasons": len(texts) / explained,
        "lines_per_second_in_batch_inference": len(texts) / batch,
        "batch_inference_against_reasons": batch / explained,
        "rows_per_second_without_numba": len(texts) / slow,
        "labels_that_differ_without_numba": int((scores.label != plain.label).sum()),
    }
    return numbers, model


def answered(body: bytes, model: Model) -> str:
    """Return the answer to a Batch Transform request: JSON Lines with label, probabilities and reasons."""
    lines = inference.input_fn(body, inference.CONTENT_TYPES[0])
    return inference.output_fn(inference.predict_fn(lines, model), inference.CONTENT_TYPES[0])[0]


def cold_start(model: Model, folder: Path) -> dict[str, float]:
    """Return the seconds from the start of Python to a loaded model and to a first answer, with kernels compiled before."""
    artifact.save(model, {}, folder / "model")
    command = [sys.executable, "-c", COLD_START, str(ROOT / "training"), str(folder / "model")]
    loaded, answered = 0.0, 0.0
    for _ in range(2):  # the first may have to compile
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        loaded, answered = (float(value) for value in printed)
    return {"model_loaded": loaded, "first_answer": answered}


def one_of_curve(rows: int) -> None:
    """Train on and score made-up rows; print seconds and peak memory (including the rows) as JSON."""
    texts, labels = made_up(rows)
    groups = [str(index) for index in range(rows)]
    trained, (model, _) = core_seconds(lambda: fit(Rows(texts, labels, groups), Settings()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scored, _ = core_seconds(lambda: scoring.score(model, texts))
    print(json.dumps({"rows": rows, "train_seconds": trained, "score_seconds": scored, "megabytes": peak / 1024}))


def curve(sizes: Sequence[int]) -> dict[str, Any]:
    """Measure growing sizes; return the points, and the exponents of a line through their logarithms (1 is linear)."""
    points = []
    for rows in sizes:
        command = [sys.executable, "-m", "benchmarks.model.speed", "--one", str(rows)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
        points.append(json.loads(printed.strip().splitlines()[-1]))
        print("  ".join(f"{name} {value:,.1f}" for name, value in points[-1].items()), flush=True)
    logs = np.log([[point[name] for name in ("rows", "train_seconds", "score_seconds", "megabytes")] for point in points])
    exponents = {
        name: round(float(np.polyfit(logs[:, 0], logs[:, column], 1)[0]), 3)
        for column, name in ((1, "train_seconds"), (2, "score_seconds"), (3, "megabytes"))
    }
    return {"points": points, "exponents": exponents}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="category")
    parser.add_argument("--rows", type=int, default=20_000, help="how many rows are made up without a file")
    parser.add_argument("--curve", type=int, nargs="*", default=[])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.one:
        one_of_curve(arguments.one)
        return
    texts, labels = read(arguments.file, arguments.text, arguments.label) if arguments.file else made_up(arguments.rows)
    print(f"{len(texts):,} rows of {sum(map(len, texts)) / len(texts):,.0f} characters, {len(set(labels))} labels\n")
    with tempfile.TemporaryDirectory() as scratch:
        peers = contenders(texts, labels, Path(scratch))
        mine: dict[str, dict[str, float]] = {}
        for name, char_ngrams in (("PTMLops: words and pairs", "off"), ("PTMLops: and character n-grams", "on")):
            mine[name], model = ours(texts, labels, char_ngrams)
        cold = cold_start(model, Path(scratch))
    print(f"{'':<44}{'train s':>9}{'rows/s':>10}" + "".join(f"{f'x peer {n}':>10}" for n in range(1, len(peers) + 1)))
    for number, (name, row) in enumerate(peers.items(), start=1):
        print(f"{f'{number} {name}':<44}{row['train_seconds']:>9.1f}{row['rows_per_second']:>10,.0f}")
    for name, row in mine.items():
        ratios = [row["rows_per_second"] / peer["rows_per_second"] for peer in peers.values()]
        print(
            f"{name:<44}{row['train_seconds']:>9.1f}{row['rows_per_second']:>10,.0f}" + "".join(f"{r:>10.1f}" for r in ratios)
        )
        print(f"{'  texts that it has not learned':<53}{row['rows_per_second_of_texts_not_learned']:>10,.0f}")
        print(f"{'  with reasons':<53}{row['rows_per_second_with_reasons']:>10,.0f}")
        print(
            f"{'  batch inference, JSON Lines in and out':<53}{row['lines_per_second_in_batch_inference']:>10,.0f}"
            f"   times as long as the reasons: {row['batch_inference_against_reasons']:.2f}"
        )
        print(f"{'  without numba':<53}{row['rows_per_second_without_numba']:>10,.0f}"
              f"   labels that differ: {row['labels_that_differ_without_numba']}")  # fmt: skip
    print(f"\ncold start: model loaded after {cold['model_loaded']:.2f} s, first answer after {cold['first_answer']:.2f} s")
    grown = curve(arguments.curve) if arguments.curve else None
    if grown:
        print("exponents: " + ", ".join(f"{name} {value}" for name, value in grown["exponents"].items()))
    if arguments.json:
        result = {"rows": len(texts), "peers": peers, "ours": mine, "cold_start": cold, "curve": grown}
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

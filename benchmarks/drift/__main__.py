"""Measure drift alarms: false ones on uploads without drift, and how many rows a drift of each kind takes to be found.

    python -m benchmarks.drift [FILE --data NAME --other FILE] [--text COLUMN] [--label COLUMN] [--date COLUMN] [--json PATH]

A model learns from 60% of FILE, or of made-up complaints. The other rows, with near-duplicates on one side, are split at random again and
again into held-out rows, which give the profile, and rows that uploads are drawn from. An upload drifts if a share of its rows is replaced:
by rows of another file (`subject`), by made-up Spanish ones (`language`), by their own first words (`length`), by themselves with typing
errors (`spelling`), or by rows of the label that is otherwise rare (`label`). With a column of dates, uploads are also rows in their order,
which are not like a random sample.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "glue_jobs"), str(ROOT / "training")]

import numpy as np
from complaint_model.drift_profile import UNDETERMINED, profile_of
from complaint_model.fit import fit
from complaint_model.model import Model
from complaint_model.records import Rows
from complaint_model.scoring import score
from complaint_model.settings import Settings
from complaints_etl.text.language import identify_language

from benchmarks.measurement import write_measurement
from benchmarks.model.quality import rows_of
from ptmlops import generator
from ptmlops_contracts.drift import DRIFT_KINDS, DriftProfile, drifted, length_of, measure, tenth

MADE_UP_ROWS = 12_000
TRAINED_SHARE = 0.6
UPLOADS = (100, 300, 1_000)
SEVERITIES = (0.05, 0.1, 0.2, 0.4)
FIRST_WORDS = 12
LANGUAGE_CHARACTERS = 300  # of a text are enough to identify its language


@dataclass(frozen=True)
class Answered:
    """Texts as the model answers them: per kind, the bucket of each."""

    buckets: Mapping[str, np.ndarray[Any, Any]]

    def __len__(self) -> int:
        return len(self.buckets["length"])

    def taken(self, chosen: Any) -> Answered:
        """Return some of the texts."""
        return Answered({kind: values[chosen] for kind, values in self.buckets.items()})

    def counts(self) -> dict[str, Counter[str]]:
        """Count the buckets, as Publish counts a run."""
        return {kind: Counter(values.tolist()) for kind, values in self.buckets.items()}


def answer(model: Model, texts: Sequence[str]) -> Answered:
    """Answer texts, and put the answers into buckets."""
    scores = score(model, texts)
    found = {
        "categories": [model.labels[label] for label in scores.label.tolist()],
        "languages": [identify_language(text[:LANGUAGE_CHARACTERS])[0] or UNDETERMINED for text in texts],
        "length": [length_of(len(text.split())) for text in texts],
        "confidence": [tenth(share) for share in scores.confidence.tolist()],
        "vocabulary": [tenth(share) for share in scores.known_share.tolist()],
    }
    return Answered({kind: np.asarray(values, dtype=object) for kind, values in found.items()})


def misspelled(text: str, draw: random.Random) -> str:
    """Return the text with a letter of every fourth word exchanged with its neighbour."""
    words = text.split(" ")
    for place, word in enumerate(words):
        if len(word) > 3 and draw.random() < 0.25:
            at = draw.randrange(len(word) - 1)
            words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


def made_up(rows: int, seed: int) -> Rows:
    """Return complaints of the generator."""
    made = list(generator.complaints(rows, seed=seed))
    groups: dict[str, str] = {}
    return Rows(
        texts=[one.text for one in made],
        labels=[one.label for one in made],
        groups=[groups.setdefault(one.text, one.complaint_id) for one in made],
    )


def measure_false_alarms(
    pool: Answered, groups: Sequence[str], *, held_out: int, resplits: int, uploads: int, seed: int
) -> list[dict[str, Any]]:
    """Return, per number of rows of an upload, the share of uploads without drift that cross a threshold."""
    draw, found = np.random.default_rng(seed), Counter[int]()
    for _ in range(resplits):
        profile, stream = resplit(pool, groups, held_out, draw)
        for rows in UPLOADS:
            for _ in range(uploads):
                upload = stream.taken(draw.choice(len(stream), min(rows, len(stream)), replace=False))
                found[rows] += bool(drifted(measure(profile, upload.counts())))
    return [{"held_out": held_out, "rows": rows, "uploads": resplits * uploads, "alarms": found[rows]} for rows in UPLOADS]


def profile_like(pool: Answered, held_out: Answered) -> DriftProfile:
    """Return the profile of held-out rows. Evaluate takes what is known of the training rows; the pool is as large a sample."""
    known = {kind: pool.buckets[kind].tolist() for kind in ("categories", "languages", "length")}
    return profile_of({kind: held_out.buckets[kind].tolist() for kind in DRIFT_KINDS}, known, seed=20)


def resplit(pool: Answered, groups: Sequence[str], held_out: int, draw: np.random.Generator) -> tuple[DriftProfile, Answered]:
    """Split the pool at random by group, and return the profile of the held-out rows, and the others."""
    names, number = np.unique(np.asarray(groups), return_inverse=True)
    order = draw.permutation(len(names))[number]
    by_group = np.argsort(order, kind="stable")
    profile = pool.taken(by_group[:held_out])
    return profile_like(pool, profile), pool.taken(by_group[held_out:])


def measure_delays(
    pool: Answered,
    groups: Sequence[str],
    kinds: Mapping[str, Answered],
    *,
    held_out: int,
    resplits: int,
    uploads: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Return, per kind of drift and share of drifted rows, the share of uploads of each size that cross a threshold."""
    draw, found = np.random.default_rng(seed), Counter[tuple[str, float, int]]()
    for _ in range(resplits):
        profile, stream = resplit(pool, groups, held_out, draw)
        for kind, other in kinds.items():
            for severity in SEVERITIES:
                for rows in UPLOADS:
                    changed = round(severity * rows)
                    for _ in range(uploads):
                        same = stream.taken(draw.choice(len(stream), rows - changed, replace=False)).counts()
                        new = other.taken(draw.choice(len(other), changed)).counts()
                        together = {name: same[name] + new[name] for name in same}
                        found[kind, severity, rows] += bool(drifted(measure(profile, together)))
    return [
        {
            "kind": kind,
            "share": severity,
            "found": {str(rows): round(found[kind, severity, rows] / (resplits * uploads), 3) for rows in UPLOADS},
        }
        for kind in kinds
        for severity in SEVERITIES
    ]


def measure_by_date(
    pool: Answered, groups: Sequence[str], dates: Sequence[str], held_out: int, seed: int
) -> list[dict[str, Any]]:
    """Return, per number of rows, the share of uploads of consecutive rows that cross a threshold."""
    draw = np.random.default_rng(seed)
    names, number = np.unique(np.asarray(groups), return_inverse=True)
    by_group = np.argsort(draw.permutation(len(names))[number], kind="stable")
    chosen, rest = pool.taken(by_group[:held_out]), by_group[held_out:]
    profile = profile_like(pool, chosen)
    in_order = rest[np.argsort(np.asarray(dates)[rest], kind="stable")]
    found = []
    for rows in UPLOADS:
        parts = [pool.taken(in_order[start : start + rows]) for start in range(0, len(in_order) - rows + 1, rows)]
        kinds = Counter(kind for part in parts for kind in drifted(measure(profile, part.counts())))
        alarms = sum(bool(drifted(measure(profile, part.counts()))) for part in parts)
        found.append({"rows": rows, "uploads": len(parts), "alarms": alarms, "kinds": dict(kinds.most_common())})
    return found


def dates_of(file: Path, text: str, label: str, column: str) -> list[str]:
    """Return the dates of the rows that `rows_of` reads."""
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8", newline="") as lines:  # type: ignore[operator]
        return [row[column] for row in csv.DictReader(lines) if row[text].strip() and row[label].strip()]


def benchmark(
    rows: Rows, other: Sequence[str], dates: Sequence[str] | None, *, resplits: int, uploads: int, seed: int
) -> dict[str, Any]:
    """Train, answer all kinds of texts, and measure."""
    draw = random.Random(seed)
    names = sorted(set(rows.groups))
    trained_groups = set(draw.sample(names, round(TRAINED_SHARE * len(names))))
    trained = [row for row, group in enumerate(rows.groups) if group in trained_groups]
    left = [row for row, group in enumerate(rows.groups) if group not in trained_groups]
    model, _ = fit(Rows(*([column[row] for row in trained] for column in (rows.texts, rows.labels, rows.groups))), Settings())
    texts, groups = [rows.texts[row] for row in left], [rows.groups[row] for row in left]
    pool = answer(model, texts)
    by_rows = Counter(rows.labels[row] for row in left)
    rare = min((label for label, count in by_rows.items() if count >= 30), key=lambda label: by_rows[label])
    spanish = [one.text for one in generator.complaints(3000, seed=seed + 1) if one.language == "es"]
    replaced = {
        "subject": answer(model, draw.sample(list(other), min(2000, len(other)))),
        "language": answer(model, spanish),
        "length": answer(model, [" ".join(text.split()[:FIRST_WORDS]) for text in texts]),
        "spelling": answer(model, [misspelled(text, draw) for text in texts]),
        "label": pool.taken(np.asarray([place for place, row in enumerate(left) if rows.labels[row] == rare])),
    }
    sizes = [size for size in (150, 500, 2_000) if size <= len(left) // 3]
    most = sizes[-1]
    return {
        "trained_rows": len(trained),
        "false_alarms": [
            line
            for size in sizes
            for line in measure_false_alarms(pool, groups, held_out=size, resplits=resplits, uploads=uploads, seed=seed)
        ],
        "held_out": most,
        "delays": measure_delays(
            pool, groups, replaced, held_out=most, resplits=max(3, resplits // 5), uploads=uploads, seed=seed
        ),
        "by_date": measure_by_date(pool, groups, [dates[row] for row in left], most, seed) if dates else [],
    }


def main() -> None:
    """Print the false alarms and the shares found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="without it: made-up complaints")
    parser.add_argument("--data", default="made-up complaints", help="the name of the data, for the documentation")
    parser.add_argument("--other", type=Path, required=True, help="a CSV file about something else, with a column text")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="category")
    parser.add_argument("--date", help="a column with ISO dates")
    parser.add_argument("--other-text", default="text")
    parser.add_argument("--resplits", type=int, default=20)
    parser.add_argument("--uploads", type=int, default=50, help="per resplit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    file = arguments.file
    rows = rows_of(file, arguments.text, arguments.label) if file else made_up(MADE_UP_ROWS, arguments.seed)
    dates = dates_of(file, arguments.text, arguments.label, arguments.date) if file and arguments.date else None
    other = rows_of(arguments.other, arguments.other_text, "category").texts
    found = benchmark(rows, other, dates, resplits=arguments.resplits, uploads=arguments.uploads, seed=arguments.seed)
    for line in (*found["false_alarms"], *found["delays"], *found["by_date"]):
        print(line)
    if arguments.json:
        write_measurement(arguments.json, {"data": arguments.data, **found})


if __name__ == "__main__":
    main()

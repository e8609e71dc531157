"""Measure in how many uploads a new theme is found, and how many uploads without one raise a false alarm.

    python -m benchmarks.themes FILE --data NAME [--text COLUMN] [--label COLUMN] [--json PATH]
    python -m benchmarks.themes generated --data NAME

In each of TRIES tries a model learns from four fifths of the groups of near-duplicates, without one label. Uploads are drawn from the other
fifth: some without the label, which are not drifted; one for each of SHARES, of which the label's rows are that share; and some in which
another label is three times as frequent as in training. The label is found if most complaints of a theme are the label's.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "glue_jobs"), str(ROOT / "training")]

from complaint_model.fit import fit
from complaint_model.records import Rows
from complaint_model.scoring import score
from complaint_model.settings import Settings
from complaint_model.term_profile import learn_term_profile, to_bytes
from complaints_etl.publish.themes import Candidate, Profile, Theme, find_themes, read_profile

from benchmarks.measurement import write_measurement
from benchmarks.model.quality import rows_of
from ptmlops.generator import write_csv

TRIES, UNDRIFTED_PER_TRY = 20, 10
SHARES = (0.005, 0.01, 0.05)
HELD_OUT_SHARE, DRAWN_SHARE = 0.2, 0.8
LARGEST_LABEL = 0.5  # of the rows: without a larger label, the model would be another one
MORE_FREQUENT = 3
GENERATED_ROWS, GENERATED_SEED = 8000, 11


@dataclass
class Counts:
    """What the tries found."""

    found: dict[float, int] = field(default_factory=lambda: dict.fromkeys(SHARES, 0))
    rows: dict[float, list[int]] = field(default_factory=lambda: {share: [] for share in SHARES})
    recall: dict[float, list[float]] = field(default_factory=lambda: {share: [] for share in SHARES})
    precision: dict[float, list[float]] = field(default_factory=lambda: {share: [] for share in SHARES})
    undrifted: int = 0
    false_alarms: int = 0
    shifted: int = 0
    shifted_alarms: int = 0
    upload: int = 0
    seconds: float = 0.0
    terms: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Upload:
    """Draws uploads of rows that the model did not learn from, and finds their themes."""

    rows: Rows
    confidence: dict[int, float]
    profile: Profile

    def themes(self, drawn: Sequence[int]) -> list[Theme]:
        """Return the themes of an upload."""
        unsure = [row for row in drawn if self.confidence[row] <= self.profile.confidence]
        return find_themes([Candidate(group_id=str(row), text=self.rows.texts[row]) for row in unsure], self.profile)


def one_per_group(rows: Rows, chosen: Sequence[int]) -> list[int]:
    """Return the first row of each group of near-duplicates."""
    return list({rows.groups[row]: row for row in reversed(chosen)}.values())


def attempt(rows: Rows, label: str, seed: int, counts: Counts) -> None:
    """Train a model without a label. Count the themes that are found in uploads with rows of this label, and in uploads without."""
    draw = random.Random(seed)
    groups = sorted(set(rows.groups))
    held_out = set(draw.sample(groups, round(HELD_OUT_SHARE * len(groups))))
    everything = range(len(rows.texts))
    trained = [row for row in everything if rows.groups[row] not in held_out and rows.labels[row] != label]
    others = one_per_group(rows, [row for row in everything if rows.groups[row] in held_out and rows.labels[row] != label])
    new = one_per_group(rows, [row for row in everything if rows.labels[row] == label])
    learned = Rows(*([column[row] for row in trained] for column in (rows.texts, rows.labels, rows.groups)))
    model, crossfit = fit(learned, Settings())
    profile = read_profile(to_bytes(learn_term_profile(learned, crossfit.confidence)))
    if profile is None:
        raise AssertionError("a profile that was just written is there")
    answers = score(model, [rows.texts[row] for row in [*others, *new]])
    upload = Upload(rows, dict(zip([*others, *new], answers.confidence.tolist(), strict=True)), profile)
    started = time.perf_counter()
    for share in SHARES:
        wanted = min(round(share * len(others)), len(new))
        added = set(draw.sample(new, wanted))
        themes = upload.themes([*draw.sample(others, len(others) - wanted), *added])
        of_label = [(theme, len({int(name) for name in theme.groups} & added)) for theme in themes]
        right = [(theme, rows_of_label) for theme, rows_of_label in of_label if 2 * rows_of_label >= len(theme.groups)]
        counts.rows[share].append(wanted)
        if right:
            counts.found[share] += 1
            counts.recall[share].append(sum(found for _, found in right) / wanted)
            counts.precision[share].append(sum(found for _, found in right) / sum(len(t.groups) for t, _ in right))
            counts.terms[label] = right[0][0].name
    for _ in range(UNDRIFTED_PER_TRY):
        counts.undrifted += 1
        counts.false_alarms += bool(upload.themes(draw.sample(others, round(DRAWN_SHARE * len(others)))))
        frequent = draw.choice(sorted({rows.labels[row] for row in others}))
        kept = [row for row in others if rows.labels[row] == frequent or draw.random() < 1 / MORE_FREQUENT]
        counts.shifted += 1
        counts.shifted_alarms += bool(upload.themes(kept))
    counts.upload = len(others)
    counts.seconds += time.perf_counter() - started


def measure(rows: Rows, seed: int) -> dict[str, Any]:
    """Leave TRIES labels out, one at a time; labels come again if there are fewer."""
    sizes = Counter(rows.labels)
    labels = sorted(sizes)
    random.Random(seed).shuffle(labels)
    labels = [label for label in labels if sizes[label] <= LARGEST_LABEL * len(rows.labels)]
    counts = Counts()
    for number in range(TRIES):
        label = labels[number % len(labels)]
        attempt(rows, label, number, counts)
        print(
            f"{number + 1:>3} {label:<45} found {counts.found}  false {counts.false_alarms} of {counts.undrifted}", flush=True
        )

    def mean(values: Sequence[float]) -> float | None:
        return round(sum(values) / len(values), 3) if values else None

    return {
        "labels": len(set(rows.labels)),
        "upload_rows": counts.upload,
        "tries": TRIES,
        "shares": [
            {
                "share": share,
                "rows": round(sum(counts.rows[share]) / TRIES),
                "found": counts.found[share],
                "recall": mean(counts.recall[share]),
                "precision": mean(counts.precision[share]),
            }
            for share in SHARES
        ],
        "undrifted": {"uploads": counts.undrifted, "alarms": counts.false_alarms},
        "shifted": {"uploads": counts.shifted, "alarms": counts.shifted_alarms},
        "seconds_per_upload": round(counts.seconds / (TRIES * (len(SHARES) + 2 * UNDRIFTED_PER_TRY)), 2),
        "terms": dict(sorted(counts.terms.items())),
    }


def read(file: str, text: str, label: str) -> Rows:
    """Read a labelled file, or make complaints if it is `generated`."""
    if file != "generated":
        return rows_of(Path(file), text, label)
    with tempfile.TemporaryDirectory(prefix="themes-benchmark-") as folder:
        path = Path(folder, "complaints.csv")
        write_csv(path, GENERATED_ROWS, seed=GENERATED_SEED)
        return rows_of(path, text, label)


def main() -> None:
    """Print a line per try, and the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="a labelled CSV file, or `generated`")
    parser.add_argument("--data", required=True, help="the name of the data, for the documentation")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="category")
    parser.add_argument("--seed", type=int, default=7, help="of the order of the labels")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = measure(read(arguments.file, arguments.text, arguments.label), arguments.seed)
    print(found)
    if arguments.json:
        write_measurement(arguments.json, {"data": arguments.data, **found})


if __name__ == "__main__":
    main()

"""Train the tagger: `python -m benchmarks.redaction.people.train --meddocan M --presidio P --complaints C --intents I`.

The same files, frames, seed and versions give the same model. NOTICE names the sources. The rules come first, and find names
by the lists of the model that is installed.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # several add in another order, and wait for each other

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "glue_jobs"))

from complaints_etl.redaction.engine import apply_rules
from complaints_etl.redaction.people.features import IDENTITY, Lists, gap_rows, hashed, token_rows
from complaints_etl.redaction.people.tagger import CLASSES, WINDOW, Tagger
from complaints_etl.text.normalize import fold

from benchmarks.redaction.frames import framed
from benchmarks.redaction.people import network, texts, values
from benchmarks.redaction.people.texts import Labelled
from benchmarks.redaction.sentences import Sentence

_SPLIT = re.compile(r"(\W+)")
_PLACEHOLDER = re.compile(r"<[A-Z_]+>")
_WORD = re.compile(r"[^\W\d_]{2,}")
MODEL = Path(__file__).resolve().parents[3] / "glue_jobs" / "complaints_etl" / "redaction" / "people" / "model.npz"
WRITTEN, KEPT = 56_000, 0.08  # texts from frames; share of the words far from anything personal that are learned from
COMMON = 5  # texts that have a word in small letters, if it is a common one
GATE_LOSS, GATE_LOSS_UNNAMED = (
    0.004,
    0.015,
)  # shares of personal words that the gate may lose, as they are and if it does not know them


def lists_of(labelled: list[Labelled]) -> Lists:
    """Return the hashes of the names of all of Faker's locales, and of the words that are common in what is not personal."""
    found: tuple[set[str], set[str]] = (set(), set())
    for locale in values.all_locales():
        for place, names in enumerate(values.name_lists(locale)):
            found[place].update(fold(word) for name in names for word in re.findall(r"[^\W\d_]{2,}", name))
    particles = {"de", "la", "del", "los", "las", "y", "da", "do", "van", "der"}
    counts = Counter[str]()
    for text, spans in labelled:
        parts, end = [], 0
        for start, stop, _ in sorted(spans):
            parts.append(text[end:start])
            end = max(end, stop)
        counts.update({fold(word) for word in _WORD.findall(" ".join([*parts, text[end:]])) if word.islower()})
    common = {word for word, count in counts.items() if count >= COMMON}
    return Lists(*(sorted(map(hashed, words)) for words in (found[0] - particles, found[1] - particles, common)))


def after_rules(labelled: Labelled) -> Labelled:
    """Return the text as the rules leave it, with the spans moved."""
    text, spans = labelled
    after, counts, _ = apply_rules(text)
    if not counts:
        return after, spans
    places, old, new = [], 0, 0  # (where a kept piece begins in the old text, in the new one, its length)
    pieces = _PLACEHOLDER.split(after)
    marks = _PLACEHOLDER.findall(after)
    for place, piece in enumerate(pieces):
        at = text.find(piece, old) if piece else old
        if at < 0:
            return after, []
        places.append((at, new, len(piece)))
        old = at + len(piece)
        new += len(piece) + (len(marks[place]) if place < len(marks) else 0)

    def moved(position: int, *, end: bool) -> int:
        for begin, begin_new, size in places:
            if begin <= position - end < begin + size:
                return begin_new + position - begin
        later = [begin_new for begin, begin_new, _ in places if begin >= position]
        return later[0] if later else len(after)

    return after, [(moved(start, end=False), moved(end, end=True), kind) for start, end, kind in spans]


def corpus_of(labelled: list[Labelled], lists: Lists, keep: float, seed: int) -> network.Corpus:
    """Return texts as arrays. `keep` is the share of the words far from anything personal that are learned from."""
    rng = random.Random(seed)
    known, between = {"": 0}, {"": 0}
    rows, gap_rows_of = [[]], [[]]
    words, gaps, labels, chosen = [], [], [], []
    for text, found in labelled:
        spans = sorted(found)
        parts = _SPLIT.split(text)
        at, marks, ids, gap_ids = 0, [], [], []
        for place, part in enumerate(parts):
            if place % 2 == 0:
                kind = (
                    next((kind for start, end, kind in spans if start < at + len(part) and at < end), "")
                    if part and not (place and parts[place - 1].endswith("<"))
                    else ""
                )
                if part not in known:
                    known[part] = len(known)
                    rows.append(token_rows(part, lists))
                gap = parts[place - 1] if place else ""
                if gap not in between:
                    between[gap] = len(between)
                    gap_rows_of.append(gap_rows(gap))
                marks.append(CLASSES.index(kind) if kind in CLASSES else 0)
                ids.append(known[part])
                gap_ids.append(between[gap])
            at += len(part)
        begin = len(words) + WINDOW
        words += [0] * WINDOW + ids + [0] * WINDOW
        gaps += [0] * WINDOW + gap_ids + [0] * WINDOW
        labels += [0] * WINDOW + marks + [0] * WINDOW
        near = {place + shift for place, mark in enumerate(marks) if mark for shift in range(-3, 4)}
        chosen += [begin + place for place in range(len(ids)) if ids[place] and (place in near or rng.random() < keep)]
    return network.Corpus(
        *(np.array(array, np.int32) for array in (words, gaps, labels, chosen)),
        *_flat(rows),
        *_flat(gap_rows_of),
    )


def _flat(lists: list[list[int]]) -> tuple[network.Ints, network.Ints]:
    """Return lists in a row, and where each begins."""
    return np.array([row for one in lists for row in one], np.int32), np.cumsum([0, *map(len, lists)]).astype(np.int32)


def packed(arrays: dict[str, Any], corpus: network.Corpus, lists: Lists) -> dict[str, Any]:
    """Return the model's arrays in the types that are stored: tables in 8 bits, the rest in 16."""
    result: dict[str, Any] = {}
    for name, scale in (("table", "table_scale"), ("gap_table", "gap_scale")):
        step = float(np.quantile(np.abs(arrays[name]).max(axis=1), 0.999)) / 127
        result[name] = np.clip(np.rint(arrays[name] / step), -127, 127).astype(np.int8)
        result[scale] = np.float32(step)
    for name in ("gate_table", "hidden", "hidden_bias", "out", "out_bias"):
        result[name] = arrays[name].astype(np.float16)
    used = np.zeros(len(arrays["table"]), bool)
    used[corpus.rows] = True
    result["table"][~used] = 0
    result["gate_table"][~used] = 0
    result["gate_bias"] = np.float32(arrays["gate_bias"])
    result |= {name: np.array(one, np.uint32) for name, one in lists._asdict().items()}
    scores, unnamed = (_gate_scores(arrays, corpus, skipped) for skipped in (0, IDENTITY))
    words, personal = corpus.words[corpus.words > 0] - 1, corpus.words[corpus.labels > 0] - 1
    result["gate"] = np.float32(
        min(np.quantile(scores[personal], GATE_LOSS), np.quantile(unnamed[personal], GATE_LOSS_UNNAMED))
    )
    print(f"gate {result['gate']:.2f}: leaves {np.mean(scores[words] > result['gate']):.3f} of the words")
    return result


def _gate_scores(arrays: dict[str, Any], corpus: network.Corpus, skipped: int) -> network.Floats:
    """Return the gate's score of each distinct word, without the features of a word that come first."""
    weights = np.append(arrays["gate_table"][corpus.rows], 0)
    begins, ends = corpus.starts[1:-1], corpus.starts[2:]
    begins = np.minimum(begins + skipped, ends)
    sums = np.concatenate([[0], np.cumsum(weights, dtype=np.float64)])
    return sums[ends] - sums[begins] + arrays["gate_bias"]


def main() -> None:
    """Read the sources, train, and write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meddocan", type=Path, required=True)
    parser.add_argument("--presidio", type=Path, required=True)
    parser.add_argument("--complaints", type=Path, required=True)
    parser.add_argument("--intents", type=Path, required=True)
    parser.add_argument(
        "--hold-out",
        choices=("nothing", "sentences", "all"),
        default="all",
        help="keep a fifth of Presidio's sentences apart to measure on, and by default half of the real complaints, too",
    )
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--written", type=int, default=WRITTEN)
    parser.add_argument("--out", type=Path, default=MODEL)
    given = parser.parse_args()
    started = time.monotonic()
    labelled, plain = sources(given)
    lists = lists_of(plain)
    print(f"{len(labelled)} texts, {len(lists.common)} common words after {time.monotonic() - started:.0f} s", flush=True)
    corpus = corpus_of(labelled, lists, KEPT, given.seed)
    print(f"{len(corpus.chosen)} words to learn from after {time.monotonic() - started:.0f} s", flush=True)
    arrays = packed(network.train(corpus, passes=given.passes, seed=given.seed), corpus, lists)
    with given.out.open("wb") as file:
        np.savez_compressed(file, **arrays)
    print(f"{given.out}: {given.out.stat().st_size:,} bytes after {time.monotonic() - started:.0f} s")
    Tagger(arrays)


def sources(given: argparse.Namespace) -> tuple[list[Labelled], list[Labelled]]:
    """Return the labelled texts of all sources as the rules leave them, and those that people wrote, as they are."""
    rng = random.Random(given.seed)
    presidio = texts.presidio(given.presidio)
    complaints = texts.complaints(given.complaints)
    with given.intents.open(encoding="utf-8") as lines:
        intents = [row["text"] for row in csv.DictReader(lines)]
    if given.hold_out != "nothing":
        presidio = [one for place, one in enumerate(presidio) if place % 5]
        complaints, intents = (complaints[::2], intents[::2]) if given.hold_out == "all" else (complaints, intents)
    bodies: dict[str, list[Sentence]] = {"es": [], "en": []}
    for seed in (1, 2):
        for sentence in framed(seed):
            bodies[sentence.language].append(sentence)
    plain = [texts.labelled_of(one) for known in bodies.values() for one in known]
    written = list(texts.framed_texts(given.written, given.seed, bodies))
    for sentence in (one for known in bodies.values() for one in known):
        writer = texts.Writer(rng, sentence.language)
        writer.pieces = texts.body_pieces(rng, sentence)
        written.append(writer.text())
    # The publisher's masks have taken what rules would find in these.
    negative: list[Labelled] = [(text, []) for text in (*complaints, *intents)]
    filled = [one for _ in range(2) for text in complaints if (one := texts.unmasked(text, rng))[1]]
    meddocan = texts.meddocan(given.meddocan)
    labelled = [
        *written,
        *[one for one in presidio for _ in range(6)],
        *[(text.lower(), spans) for text, spans in presidio * 2 if len(text.lower()) == len(text)],
        *[one for one in meddocan for _ in range(2)],
    ]
    everything = [*map(after_rules, labelled), *negative, *filled]
    rng.shuffle(everything)
    return everything, [*negative, *plain, *meddocan]


if __name__ == "__main__":
    main()

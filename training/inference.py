"""Batch inference under SageMaker's scikit-learn container: JSON Lines in, one line out for each line in, in order."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import numpy as np
from complaint_model import acceleration, artifact, scoring
from complaint_model.classifier import Model

CONTENT_TYPES = ("application/jsonlines", "application/x-jsonlines", "application/jsonl")
LONGEST_TEXT = 200_000  # characters; Prepare's own limit is far below
ALTERNATIVES = 3

_ENCODER = json.JSONEncoder(allow_nan=False, check_circular=False)  # answers are made here, and hold no cycle

Answer = dict[str, Any]


def model_fn(model_dir: str) -> Model:
    """The model; every file is checked before anything is read from it."""
    acceleration.look_in(Path(model_dir) / artifact.WHEELS)
    return artifact.load(Path(model_dir)).model


def input_fn(request_body: bytes | str, content_type: str) -> list[bytes]:
    """The request's lines. Raises ValueError for any content but JSON Lines."""
    if content_type.partition(";")[0].strip().lower() not in CONTENT_TYPES:
        raise ValueError(f"content type {content_type!r} is not supported: send {CONTENT_TYPES[0]}, one complaint a line")
    body = request_body.encode("utf-8", "surrogatepass") if isinstance(request_body, str) else bytes(request_body)
    if not body:
        return []
    # Only \n ends a line; the last one may end without it.
    return body.removesuffix(b"\n").split(b"\n")


def predict_fn(lines: list[bytes], model: Model) -> list[Answer]:
    """An answer for each line: a prediction, or what is wrong with the line."""
    # The answers of a batch are a hundred thousand small objects in no cycle: looking for one is a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _answers(lines, model)
    finally:
        if collecting:
            gc.enable()


def _answers(lines: list[bytes], model: Model) -> list[Answer]:
    parsed = [_parse(line) for line in lines]
    good = [index for index, (_, text, _) in enumerate(parsed) if text is not None]
    scores, terms = scoring.score_and_explain(model, [text for _, text, _ in parsed if text is not None])
    answers = [_error(complaint_id, error) for complaint_id, _, error in parsed]
    # The label first, whatever its offset made of it; then what is most probable.
    ranked_by = scores.probabilities.copy()
    ranked_by[np.arange(len(ranked_by)), scores.label] = 2.0
    ranking = (-ranked_by).argsort(axis=1, kind="stable")[:, :ALTERNATIVES]
    probabilities = np.take_along_axis(scores.probabilities, ranking, axis=1).round(6).tolist()
    # A text of which no word is known gets the commonest label at best: a person should look.
    needs_review = ((scores.confidence < model.threshold) | ~scores.recognised).tolist()
    numbers = zip(scores.label.tolist(), scores.confidence.round(6).tolist(), ranking.tolist(), strict=True)
    for row, (index, (label, confidence, ranked)) in enumerate(zip(good, numbers, strict=True)):
        answers[index] = {
            "complaint_id": parsed[index][0],
            "label": model.labels[label],
            "confidence": confidence,
            "alternatives": [
                {"label": model.labels[other], "probability": probability}
                for other, probability in zip(ranked, probabilities[row], strict=True)
            ],
            "needs_review": needs_review[row],
            "top_terms": [{"term": term, "contribution": contribution} for term, contribution in terms[row]],
            "error": None,
        }
    return answers


def output_fn(prediction: list[Answer], accept: str) -> tuple[str, str]:
    """(JSON Lines, their content type). Only ASCII, so that nothing downstream can see a line end inside a line."""
    wanted = [part.partition(";")[0].strip().lower() for part in (accept or "*/*").split(",")]
    if not any(kind in (*CONTENT_TYPES, "*/*", "application/*") for kind in wanted):
        raise ValueError(f"accept {accept!r} is not supported: ask for {CONTENT_TYPES[0]}")
    return "".join(_ENCODER.encode(answer) + "\n" for answer in prediction), CONTENT_TYPES[0]


def _parse(line: bytes) -> tuple[str | None, str | None, str]:
    """(complaint id where readable, text where usable, what is wrong)."""
    record: Any = None
    try:
        record = json.loads(line.decode("utf-8"))
        wrong = "" if isinstance(record, dict) else "the line is not a JSON object with complaint_id and text"
    except UnicodeDecodeError:
        wrong = "the line is not UTF-8 text"
    except (ValueError, RecursionError):
        wrong = "the line is not JSON" if line.strip() else "the line is empty"
    if wrong:
        return None, None, wrong
    complaint_id, text = record.get("complaint_id"), record.get("text")
    if not isinstance(complaint_id, str) or not complaint_id:
        return None, None, "complaint_id is missing or not a text"
    if not isinstance(text, str):
        wrong = "text is missing or not a text"
    elif not text.replace("\0", "").strip():
        wrong = "text is empty"
    elif len(text) > LONGEST_TEXT:
        wrong = f"text has {len(text)} characters, more than the {LONGEST_TEXT} that are scored"
    return complaint_id, None if wrong else text, wrong


def _error(complaint_id: str | None, error: str) -> Answer:
    return {
        "complaint_id": complaint_id,
        "label": None,
        "confidence": None,
        "alternatives": [],
        "needs_review": None,
        "top_terms": [],
        "error": error,
    }

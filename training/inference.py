"""Batch inference in SageMaker's scikit-learn container: JSON Lines in, one line out per line in, in order."""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from complaint_model import artifact, compiled, scoring
from complaint_model.explain import Term
from complaint_model.model import Model

CONTENT_TYPES = ("application/jsonlines", "application/x-jsonlines", "application/jsonl")
LONGEST_TEXT = 200_000  # characters; Prepare's own limit is far below
ALTERNATIVES = 3
UNFAMILIAR, UNCERTAIN = "unfamiliar", "uncertain"  # of ReviewReason: a model does not bring ptmlops_contracts
MANIFEST_VARIABLE = "PTMLOPS_MANIFEST_SHA256"  # of ptmlops_contracts.registry, for the same reason

_decode = json.JSONDecoder().raw_decode
_encoder = json.JSONEncoder()
_quoted = json.encoder.encode_basestring_ascii  # what the encoder calls for a string


def model_fn(model_dir: str) -> Model:
    """Load the model. Every file is checked before anything is read from it, and wheels before they are installed."""
    artifact.check_served(Path(model_dir), manifest_sha256=os.environ.get(MANIFEST_VARIABLE))
    compiled.look_for_wheels(Path(model_dir) / artifact.WHEELS)
    return artifact.load(Path(model_dir)).model


def input_fn(request_body: bytes | str, content_type: str | None) -> list[bytes]:
    """Split a request into lines. Raises ValueError if the content is not JSON Lines."""
    if (content_type or "").partition(";")[0].strip().lower() not in CONTENT_TYPES:
        raise ValueError(f"content type {content_type!r} is not supported: send {CONTENT_TYPES[0]}, one complaint per line")
    body = request_body.encode("utf-8", "surrogatepass") if isinstance(request_body, str) else request_body
    if not body:
        return []
    # Only \n ends a line; the last one may end without it.
    return body.removesuffix(b"\n").split(b"\n")


def predict_fn(lines: list[bytes], model: Model) -> list[str]:
    """Return an answer for each line, as JSON: a prediction, or the reason why there is none."""
    # A batch makes a hundred thousand small objects without cycles. Collecting garbage would take a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _answers(lines, model)
    finally:
        if collecting:
            gc.enable()


def _answers(lines: list[bytes], model: Model) -> list[str]:
    parsed = [_parse(line) for line in lines]
    scores, terms = scoring.score_and_explain(model, [text for _, text, _ in parsed if text is not None])
    # The chosen label comes first, even if another is more probable; then the most probable ones.
    ranked_by = scores.probabilities.copy()
    ranked_by[np.arange(len(ranked_by)), scores.label] = 2.0
    ranking = (-ranked_by).argsort(axis=1, kind="stable")[:, :ALTERNATIVES]
    probabilities = np.take_along_axis(scores.probabilities, ranking, axis=1).round(6).tolist()
    certain = np.where(scores.needs_review, _quoted(UNCERTAIN), "null")
    reasons = np.where(scores.familiar, certain, _quoted(UNFAMILIAR)).tolist()
    labels = [_quoted(label) for label in model.labels]
    known = scores.known_share.round(4).tolist()
    scored = zip(ranking.tolist(), probabilities, reasons, known, terms, strict=True)
    answers = []
    for complaint_id, text, error in parsed:
        if complaint_id is None or text is None:
            answers.append(_error(complaint_id, error))
        else:
            answers.append(_prediction(complaint_id, labels, next(scored)))
    return answers


def _prediction(complaint_id: str, labels: list[str], scored: tuple[list[int], list[float], str, float, list[Term]]) -> str:
    """Return the answer that docs/contracts.md describes. This takes half the time of `json.dumps`.

    Args:
        complaint_id: The complaint's.
        labels: The model's labels as JSON.
        scored: (labels in order, their probabilities, reason for a review as JSON, known share, terms).
    """
    ranked, chances, review_reason, known, terms = scored
    others = ", ".join(
        [f'{{"label": {labels[label]}, "probability": {chance!r}}}' for label, chance in zip(ranked, chances, strict=True)]
    )
    top_terms = ", ".join([f'{{"term": {_quoted(term)}, "contribution": {contribution!r}}}' for term, contribution in terms])
    return (
        f'{{"complaint_id": {_quoted(complaint_id)}, "label": {labels[ranked[0]]}, "confidence": {chances[0]!r}, '
        f'"alternatives": [{others}], "needs_review": {"false" if review_reason == "null" else "true"}, '
        f'"review_reason": {review_reason}, "known_share": {known!r}, "top_terms": [{top_terms}], "error": null}}'
    )


def _error(complaint_id: str | None, error: str) -> str:
    answer: dict[str, Any] = {"complaint_id": complaint_id, "label": None, "confidence": None, "alternatives": []}
    return _encoder.encode(
        answer | {"needs_review": None, "review_reason": None, "known_share": None, "top_terms": [], "error": error}
    )


def output_fn(prediction: list[str], accept: str) -> tuple[str, str]:
    """Return JSON Lines and their content type. They are ASCII, so that nothing downstream sees a line end inside a line."""
    wanted = [part.partition(";")[0].strip().lower() for part in (accept or "*/*").split(",")]
    if not any(kind in (*CONTENT_TYPES, "*/*", "application/*") for kind in wanted):
        raise ValueError(f"accept {accept!r} is not supported: ask for {CONTENT_TYPES[0]}")
    return "".join(f"{answer}\n" for answer in prediction), CONTENT_TYPES[0]


def _parse(line: bytes) -> tuple[str | None, str | None, str]:
    """Return (complaint id or None, text or None if it cannot be scored, reason why it cannot)."""
    record: Any = None
    try:
        written = line.decode("utf-8").removeprefix("\ufeff").strip(" \t\r")
        record, end = _decode(written)
    except UnicodeDecodeError:
        wrong = "the line is not UTF-8 text"
    except (ValueError, RecursionError):
        wrong = "the line is not JSON" if line.strip() else "the line is empty"
    else:
        wrong = "" if isinstance(record, dict) else "the line is not a JSON object with complaint_id and text"
        wrong = wrong if end == len(written) else "the line is not JSON"
    if wrong:
        return None, None, wrong
    complaint_id, text = record.get("complaint_id"), record.get("text")
    if type(complaint_id) is int:
        complaint_id = str(complaint_id)
    if not isinstance(complaint_id, str) or not complaint_id:
        return None, None, "complaint_id is missing, or neither a text nor a number"
    if not isinstance(text, str):
        wrong = "text is missing or not a text"
    elif not text.replace("\0", "").strip():
        wrong = "text is empty"
    elif len(text) > LONGEST_TEXT:
        wrong = f"text has {len(text)} characters, more than the {LONGEST_TEXT} that are scored"
    return complaint_id, None if wrong else text, wrong

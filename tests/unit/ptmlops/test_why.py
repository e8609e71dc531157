"""`ptmlops why` explains a label that is not the likeliest."""

from __future__ import annotations

from typing import Any

import pytest

from ptmlops.views.explanation import show_explanation


def _row(first: float, second: float) -> dict[str, Any]:
    return {
        "label": "fraude [x]",
        "confidence": first,
        "needs_review": True,
        "alternatives": [{"label": "fraude [x]", "probability": first}, {"label": "tarifa [y]", "probability": second}],
        "top_terms": [{"term": "robo", "contribution": 1.0}],
        "language": "es",
        "run_id": "r",
        "source_file": "f.csv",
        "model_version": 3,
    }


@pytest.mark.parametrize(("first", "second", "said"), [(0.41, 0.45, True), (0.45, 0.41, False), (0.4, 0.4, False)])
def test_a_label_before_a_likelier_one_is_explained(
    first: float, second: float, said: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    show_explanation(_row(first, second))

    out = capsys.readouterr().out
    assert f"fraude [x]  confidence {first:.2f} (needs review)" in out
    assert ("'tarifa [y]' is likelier, but" in out) is said


def test_the_reason_for_a_review_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show_explanation({**_row(0.9, 0.1), "review_reason": "unfamiliar"})
    assert "confidence 0.90 (needs review: unfamiliar)" in " ".join(capsys.readouterr().out.split())

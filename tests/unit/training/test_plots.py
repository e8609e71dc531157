"""The plots: well-formed, everything inside the picture, every label told, and of a size that a browser opens."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.unit.training.conftest import ROOT  # noqa: F401 - puts training/ on the path
from tests.unit.training.test_evaluation import answers_of, measure

SVG = "{http://www.w3.org/2000/svg}"


def evaluation(labels: list[str], rows: int, *, champion: bool = True) -> dict[str, Any]:
    random = np.random.default_rng(len(labels))
    truth = random.integers(0, len(labels), rows)

    def measured(share: float) -> dict[str, Any]:
        confidence = random.uniform(0.3, 1, rows)
        right = random.random(rows) < share
        return measure(answers_of(np.where(right, truth, (truth + 1) % len(labels)), confidence), truth, labels)

    return {
        "target_precision": 0.95,
        "candidate": measured(0.85),
        "champion": {**measured(0.8), "version": "3"} if champion else None,
    }


def outside(svg: str) -> list[str]:
    """Texts that stick out of the picture; a character is taken to be 0.62 of its size wide."""
    root = ElementTree.fromstring(svg)  # noqa: S314 - made by the code under test
    width, height = (float(value) for value in root.attrib["viewBox"].split()[2:])
    found = []

    def walk(element: Any, x: float, y: float, *, turned: bool) -> None:
        move = re.match(r"translate\(([-\d.]+),([-\d.]+)\) rotate\(-90\)", element.attrib.get("transform", ""))
        if move:
            x, y, turned = x + float(move[1]), y + float(move[2]), True
        if element.tag == f"{SVG}text":
            at_x, at_y = x + float(element.attrib["x"]), y + float(element.attrib["y"])
            length = 0.62 * float(element.attrib.get("font-size", 12)) * len(element.text)
            before = {"start": 0.0, "middle": length / 2, "end": length}[element.attrib["text-anchor"]]
            ends = (at_y + before, at_y + before - length) if turned else (at_x - before, at_x - before + length)
            limit = height if turned else width
            if min(ends) < -1 or max(ends) > limit + 1:
                found.append(element.text)
        for child in element:
            walk(child, x, y, turned=turned)

    walk(root, 0.0, 0.0, turned=False)
    return found


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b"],
        ["Cobros & comisiones <indebidos>", "fraud", "Cancelación de producto sin autorización previa del cliente"],
        ["a\x00b", "c\x0bd", "e\x1bf", "g\uffff"],
        [f"category_number_{number:02d}" for number in range(9)],
        [f"balance_not_updated_after_cheque_or_cash_{number:02d}" for number in range(77)],
    ],
    ids=len,
)
def test_every_label_is_told_and_nothing_sticks_out(labels: list[str]) -> None:
    from complaint_model import plots

    drawn = plots.draw(evaluation(labels, 1200))
    assert set(drawn) == {"reliability.svg", "coverage.svg", "confusion-candidate.svg", "confusion-champion.svg"}
    for name, svg in drawn.items():
        assert outside(svg) == [], name
    texts = {
        text
        for element in ElementTree.fromstring(drawn["confusion-candidate.svg"]).iter(f"{SVG}text")  # noqa: S314 - our own
        for text in (element.text, element.findtext(f"{SVG}title"))
    }
    assert {re.sub("[\x00\x0b\x1b\uffff]", "\ufffd", label) for label in labels} <= texts  # which XML cannot hold


def test_very_many_labels_show_those_that_are_confused_most() -> None:
    from complaint_model import plots

    labels = [f"label {number:04d}" for number in range(1000)]
    made = evaluation(labels, 4000)
    drawn = plots.draw(made)
    assert "the 80 of 1000 labels that are confused most" in drawn["confusion-candidate.svg"]
    assert max(map(len, drawn.values())) < 1_000_000
    wrong: Counter[str] = Counter()
    for truth, answers in made["candidate"]["confusion"].items():
        for answer, rows in answers.items():
            wrong.update({truth: rows, answer: rows} if truth != answer else {})
    assert wrong.most_common(1)[0][0] in drawn["confusion-candidate.svg"]


def test_what_is_not_known_is_not_drawn() -> None:
    from complaint_model import plots

    alone = plots.draw({**evaluation(["a", "b"], 50, champion=False), "champion": {"version": "3", "error": "damaged"}})
    assert set(alone) == {"reliability.svg", "coverage.svg", "confusion-candidate.svg"}
    nothing = {"target_precision": 0.9, "candidate": measure(answers_of([]), [], ["a", "b"]), "champion": None}
    for svg in plots.draw(nothing).values():
        ElementTree.fromstring(svg)  # noqa: S314 - our own

"""Draw an evaluation as SVG: calibration, coverage against precision, and the confusion matrix."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

# Characters that XML cannot contain, not even escaped.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
SIZE, LEFT, TOP = 360, 60, 40
COLOURS = {"candidate": "#0b6e8a", "champion": "#b3541e"}
MOST_LABELS = 80  # in a confusion matrix; of more labels, those that are confused most
LONGEST_LABEL = 32  # characters; the tooltip has the full name
Confusion = Mapping[str, Mapping[str, int]]
Point = tuple[float, float, float]  # x, y, and the share of rows that it represents (0: no dot)


def curves(
    title: str,
    axes: tuple[str, str],
    lines: Mapping[str, Sequence[Point]],
    *,
    diagonal: bool = False,
    low: float = 0.0,
    goal: float | None = None,
) -> str:
    """Draw lines over [0, 1] x [low, 1], and a dashed line at `goal`."""
    parts = _frame(title, SIZE + LEFT + 30, SIZE + TOP + 80)

    def height(value: float) -> float:
        return TOP + SIZE - SIZE * (max(value, low) - low) / (1 - low)

    for step in range(6):
        share = step / 5
        at_x, value = LEFT + share * SIZE, low + share * (1 - low)
        parts.append(f'<path d="M{LEFT},{height(value):.1f}h{SIZE}M{at_x:.1f},{TOP}v{SIZE}" stroke="#ddd" fill="none"/>')
        parts.append(_text(at_x, TOP + SIZE + 18, f"{share:.1f}", "middle"))
        parts.append(_text(LEFT - 8, height(value) + 4, f"{value:.2f}", "end"))
    dashed = 'stroke="#777" stroke-dasharray="4 4" fill="none"'
    if diagonal:
        parts.append(f'<path d="M{LEFT},{TOP + SIZE}L{LEFT + SIZE},{TOP}" {dashed}/>')
    if goal is not None and goal >= low:
        parts.append(f'<path d="M{LEFT},{height(goal):.1f}h{SIZE}" {dashed}/>')
        parts.append(_text(LEFT + SIZE - 4, height(goal) - 4, f"target: {goal:g}", "end", "#555"))
    for place, (name, points) in enumerate(lines.items()):
        colour = COLOURS.get(name, "#444")
        at = [(LEFT + SIZE * x, height(y), weight) for x, y, weight in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in at)
        parts.append(f'<polyline points="{path}" stroke="{colour}" stroke-width="2" fill="none"/>')
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{1.5 + 12 * sqrt(weight):.1f}" fill="{colour}" fill-opacity="0.45"/>'
            for x, y, weight in at
            if weight
        ]
        parts.append(_text(LEFT + 10 + 120 * place, TOP + SIZE + 62, name, "start", colour))
    parts.append(_text(LEFT + SIZE / 2, TOP + SIZE + 40, axes[0], "middle"))
    parts.append(f'<g transform="translate(14,{TOP + SIZE / 2}) rotate(-90)">{_text(0, 0, axes[1], "middle")}</g></svg>')
    return "".join(parts)


def confusion(title: str, labels: Sequence[str], counts: Confusion) -> str:
    """Draw a confusion matrix: true labels down, predicted labels across. The square root of a share is its shade, to show rare errors.

    Args:
        title: Of the drawing.
        labels: In the order to draw.
        counts: True label -> answer -> rows, without zeros.
    """
    shown = _most_confused(labels, counts)
    if len(shown) < len(labels):
        title = f"{title}: the {len(shown)} of {len(labels)} labels that are confused most"
    cell = max(14, min(44, 700 // max(1, len(shown))))
    margin = 44 + 7 * max((len(_short(label)) for label in shown), default=1)
    side = cell * len(shown)
    parts = _frame(title, max(margin + side + 20, 12 * len(title)), TOP + side + margin)
    end = TOP + side
    for step in range(len(shown) + 1):
        at = step * cell
        parts.append(f'<path d="M{margin},{TOP + at}h{side}M{margin + at},{TOP}v{side}" stroke="#e8e8e8" fill="none"/>')
    size = min(12, cell - 5)
    for row, truth in enumerate(shown):
        answers = counts.get(truth, {})
        total, y = sum(answers.values()), TOP + row * cell
        parts.append(_text(margin - 6, y + cell / 2 + 4, _short(truth), "end", full=truth))
        for column, answer in enumerate(shown):
            if answer not in answers:
                continue
            count, left = answers[answer], margin + column * cell
            colour, shade = COLOURS["candidate" if truth == answer else "champion"], sqrt(count / total)
            parts.append(
                f'<rect x="{left}" y="{y}" width="{cell}" height="{cell}" fill="{colour}" fill-opacity="{shade:.3f}">'
                f"<title>{escape(truth)} → {escape(answer)}: {count} of {total}</title></rect>"
            )
            if len(str(count)) * size * 0.6 < cell:
                ink = "#fff" if shade > 0.7 else "#222"
                parts.append(_text(left + cell / 2, y + cell / 2 + size / 3, str(count), "middle", ink, size=size))
    for column, name in enumerate(shown):
        middle = margin + column * cell + cell / 2 + 4
        parts.append(
            f'<g transform="translate({middle},{end + 8}) rotate(-90)">{_text(0, 0, _short(name), "end", full=name)}</g>'
        )
    parts.append(
        f'<g transform="translate(16,{TOP + side / 2}) rotate(-90)">{_text(0, 0, "true label", "middle", "#111")}</g>'
    )
    parts.append(_text(margin + side / 2, end + margin - 10, "predicted label", "middle", "#111"))
    parts.append("</svg>")
    return "".join(parts)


def draw(evaluation: dict[str, Any]) -> dict[str, str]:
    """Return file name -> SVG, for the models that the evaluation has: candidate, champion or both."""
    measured = {
        name: model for name in ("candidate", "champion") if (model := evaluation.get(name)) and not model.get("error")
    }
    reliability = {
        name: [
            (point["confidence"], point["accuracy"], point["rows"] / sum(other["rows"] for other in model["reliability"]))
            for point in model["reliability"]
        ]
        for name, model in measured.items()
    }
    coverage = {
        name: [(point["coverage"], point["precision"], 0.0) for point in model["coverage_curve"]]
        for name, model in measured.items()
    }
    lowest = min((precision for points in coverage.values() for _, precision, _ in points), default=0.0)
    plots = {
        "reliability.svg": curves(
            "Calibration (area of a dot: its share of the rows)", ("confidence", "share right"), reliability, diagonal=True
        ),
        "coverage.svg": curves(
            "Precision of the most confident answers",
            ("share answered", "precision"),
            coverage,
            low=min(int(lowest * 10) / 10, 0.9),
            goal=evaluation.get("target_precision"),
        ),
    }
    for name, model in measured.items():
        plots[f"confusion-{name}.svg"] = confusion(f"Confusion of the {name}", list(model["per_label"]), model["confusion"])
    return plots


def _most_confused(labels: Sequence[str], counts: Confusion) -> list[str]:
    """Return the labels to show, in their order: all, or those with the most wrong rows (as true label or as answer)."""
    wrong = dict.fromkeys(labels, 0)
    for truth, answers in counts.items():
        for answer, rows in answers.items():
            if truth != answer:
                wrong[truth] += rows
                wrong[answer] += rows
    most = set(sorted(labels, key=lambda label: -wrong[label])[:MOST_LABELS])
    return [label for label in labels if label in most]


def escape(text: str) -> str:
    """Escape a text for XML."""
    return html.escape(FORBIDDEN.sub("\ufffd", text))


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"


def _frame(title: str, width: float, height: float) -> list[str]:
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12" role="img">',
        f'<title>{escape(title)}</title><rect width="100%" height="100%" fill="#fff"/>',
        _text(LEFT, 22, title, "start", "#111", weight="bold"),
    ]


def _text(
    x: float,
    y: float,
    content: str,
    anchor: str,
    colour: str = "#444",
    *,
    weight: str = "normal",
    size: int = 12,
    full: str = "",
) -> str:
    tooltip = f"<title>{escape(full)}</title>" if full not in ("", content) else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}" font-size="{size}">'
        f"{escape(content)}{tooltip}</text>"
    )

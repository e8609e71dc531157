"""Draw an evaluation as SVG: calibration, coverage against precision, and the confusion matrix; text alone, no library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

SIZE, LEFT, TOP = 360, 60, 40
COLOURS = {"candidate": "#0b6e8a", "champion": "#b3541e"}
Point = tuple[float, float]


def curves(
    title: str, x: str, y: str, lines: Mapping[str, Sequence[Point]], *, diagonal: bool = False, low: float = 0.0
) -> str:
    """Lines over [0, 1] x [low, 1]."""
    parts = _frame(title, SIZE + LEFT + 30, SIZE + TOP + 80)
    for step in range(6):
        share = step / 5
        at_x, at_y = LEFT + share * SIZE, TOP + SIZE - share * SIZE
        parts.append(f'<path d="M{LEFT},{at_y:.1f}h{SIZE}M{at_x:.1f},{TOP}v{SIZE}" stroke="#ddd" fill="none"/>')
        parts.append(_text(at_x, TOP + SIZE + 18, f"{share:.1f}", "middle"))
        parts.append(_text(LEFT - 8, at_y + 4, f"{low + share * (1 - low):.2f}", "end"))
    if diagonal:
        parts.append(f'<path d="M{LEFT},{TOP + SIZE}L{LEFT + SIZE},{TOP}" stroke="#999" stroke-dasharray="4 4" fill="none"/>')
    for place, (name, points) in enumerate(lines.items()):
        colour = COLOURS.get(name, "#444")
        path = " ".join(
            f"{LEFT + SIZE * px:.1f},{TOP + SIZE - SIZE * (max(py, low) - low) / (1 - low):.1f}" for px, py in points
        )
        parts.append(f'<polyline points="{path}" stroke="{colour}" stroke-width="2" fill="none"/>')
        parts.append(_text(LEFT + 10 + 120 * place, TOP + SIZE + 62, name, "start", colour))
    parts.append(_text(LEFT + SIZE / 2, TOP + SIZE + 40, x, "middle"))
    parts.append(f'<g transform="translate(14,{TOP + SIZE / 2}) rotate(-90)">{_text(0, 0, y, "middle")}</g></svg>')
    return "".join(parts)


def confusion(title: str, labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """True labels down, predicted across; shade by the share of the true label's rows."""
    cell = max(14, min(44, 700 // max(1, len(labels))))
    margin = 20 + 7 * max((len(label) for label in labels), default=1)
    side = cell * len(labels)
    parts = _frame(title, margin + side + 20, TOP + side + margin)
    for row, (label, line) in enumerate(zip(labels, counts, strict=True)):
        total = max(1, sum(line))
        y = TOP + row * cell
        parts.append(_text(margin - 6, y + cell / 2 + 4, label, "end"))
        for column, count in enumerate(line):
            left, share = margin + column * cell, count / total
            colour = COLOURS["candidate"] if row == column else COLOURS["champion"]
            parts.append(
                f'<rect x="{left}" y="{y}" width="{cell}" height="{cell}" fill="{colour}" '
                f'fill-opacity="{share:.3f}" stroke="#eee">'
                f"<title>{escape(label)} → {escape(labels[column])}: {count}</title></rect>"
            )
            if count and cell >= 28:
                parts.append(_text(left + cell / 2, y + cell / 2 + 4, str(count), "middle", "#fff" if share > 0.6 else "#222"))
    for column, label in enumerate(labels):
        at = margin + column * cell + cell / 2 + 4
        parts.append(f'<g transform="translate({at},{TOP + side + 8}) rotate(-90)">{_text(0, 0, label, "end")}</g>')
    parts.append("</svg>")
    return "".join(parts)


def draw(evaluation: dict[str, Any]) -> dict[str, str]:
    """File name -> SVG, for whichever of candidate and champion the evaluation holds."""
    known = {name: evaluation[name] for name in ("candidate", "champion") if evaluation.get(name)}
    reliability = {
        name: [(point["confidence"], point["accuracy"]) for point in found["reliability"]] for name, found in known.items()
    }
    coverage = {
        name: [(point["coverage"], point["precision"]) for point in found["coverage_curve"]] for name, found in known.items()
    }
    lowest = min((precision for points in coverage.values() for _, precision in points), default=0.0)
    plots = {
        "reliability.svg": curves("Calibration", "confidence", "share right", reliability, diagonal=True),
        "coverage.svg": curves(
            "Precision of what is answered", "share answered", "precision", coverage, low=min(int(lowest * 10) / 10, 0.9)
        ),
    }
    for name, found in known.items():
        matrix = found["confusion"]
        plots[f"confusion-{name}.svg"] = confusion(f"Confusion of the {name}", matrix["labels"], matrix["counts"])
    return plots


def _frame(title: str, width: float, height: float) -> list[str]:
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12" role="img">',
        f'<title>{escape(title)}</title><rect width="100%" height="100%" fill="#fff"/>',
        _text(LEFT, 22, title, "start", "#111", weight="bold"),
    ]


def _text(x: float, y: float, content: str, anchor: str, colour: str = "#444", *, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">{escape(content)}</text>'
    )

"""Draw docs/assets/dashboard.svg: the dashboard of the monitoring stack with the metrics of runs on local AWS.

    python docs/draw_dashboard.py            # draws from docs/measurements/dashboard.json
    python docs/draw_dashboard.py --record   # deploys to a local AWS, runs generated files, records, and draws
    python docs/draw_dashboard.py --record .local_aws   # records the runs of the local AWS in this folder

What is drawn is the body of the deployed dashboard. A test compares the recorded widgets with the definition.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from local_aws import LocalAws  # noqa: E402 - found through the path above
from ptmlops import generator, runs, uploads  # noqa: E402 - as above
from ptmlops.target import Target  # noqa: E402 - as above

RECORDED, DRAWN = DOCS / "measurements" / "dashboard.json", DOCS / "assets" / "dashboard.svg"
# The dashboard has 24 columns. Sizes are in pixels.
COLUMN, ROW, GAP = 40, 34, 8
PERIOD = 60  # seconds of a point: the runs take minutes
COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b")
TICKS = 4
# Name, rows, whether they have labels, seed. The labels of March come after its answers.
FILES = (("labelled", 900, True, 0), ("march", 200, False, 1), ("april", 150, False, 2), ("march, labelled", 200, True, 1))


def main() -> None:
    """Record if asked to, and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--record", nargs="?", const="", metavar="FOLDER", help="record a local AWS first: that of FOLDER, or a new one"
    )
    folder = parser.parse_args().record
    if folder is not None:
        recorded = shown_by(Target.local(LocalAws.attach(Path(folder)), "local")) if folder else record()
        RECORDED.write_text(json.dumps(recorded, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    DRAWN.write_text(draw(json.loads(RECORDED.read_text(encoding="utf-8"))), encoding="utf-8")


def record() -> dict[str, Any]:
    """Run generated files on a local AWS, and return what its dashboard shows."""
    with tempfile.TemporaryDirectory() as folder, LocalAws.start(Path(folder) / "aws") as aws:
        aws.deploy()
        target = Target.local(aws, "local")
        for name, rows, labelled, seed in FILES:
            path = Path(folder) / f"{name}.csv"
            generator.write_csv(path, rows, labelled=labelled, seed=seed, broken=2 * seed)
            for _ in runs.follow(target, run_id := uploads.wait_for_run(target, uploads.upload(target, path))):
                pass
            runs.run_document(target, run_id)
        return shown_by(target)


def shown_by(target: Target) -> dict[str, Any]:
    """Return the dashboard's widgets with the points of the minutes since the first run started."""
    began = min(run["startDate"] for run in runs.list_runs(target)).astimezone(UTC) - timedelta(seconds=PERIOD)
    cloudwatch = target.client("cloudwatch")
    body = json.loads(cloudwatch.get_dashboard(DashboardName=target.outputs["DashboardName"])["DashboardBody"])
    states = {one["AlarmArn"]: one["StateValue"] for one in cloudwatch.describe_alarms()["MetricAlarms"]}
    minutes = (datetime.now(UTC) - began) // timedelta(seconds=PERIOD) + 1
    return {
        "measured": {
            "date": f"{began:%Y-%m-%d}",
            "machine": f"{os.cpu_count()} cores, local AWS",
            "command": "python docs/draw_dashboard.py --record",
        },
        "minutes": minutes,
        "widgets": [_recorded(widget, cloudwatch, states, began, minutes) for widget in body["widgets"]],
    }


def _recorded(
    widget: Mapping[str, Any], cloudwatch: Any, states: Mapping[str, str], began: datetime, minutes: int
) -> dict[str, Any]:
    properties = widget["properties"]
    kept = {name: widget[name] for name in ("type", "x", "y", "width", "height")}
    if widget["type"] == "text":
        return {**kept, "text": properties["markdown"]}
    if widget["type"] == "alarm":
        alarms = [(arn.rpartition("-monitoring-")[2].rpartition("-")[0][:-8], states[arn]) for arn in properties["alarms"]]
        return {**kept, "title": properties["title"], "alarms": alarms}
    series = []
    for name, namespace, dimensions, options in rows_of(properties["metrics"]):
        answer = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=began,
            EndTime=began + timedelta(seconds=PERIOD * minutes),
            Period=PERIOD,
            Statistics=[statistic := options.get("stat", "Average")],
        )
        points = {
            (point["Timestamp"].replace(tzinfo=UTC) - began) // timedelta(seconds=PERIOD): point[statistic]
            for point in answer["Datapoints"]
        }
        series.append(
            {"label": options.get("label", name), "points": sorted((minute, round(v, 4)) for minute, v in points.items())}
        )
    axis = properties.get("yAxis", {}).get("left", {}).get("label", "")
    return {**kept, "title": properties["title"], "unit": axis, "stacked": properties.get("stacked", False), "series": series}


def rows_of(metrics: Sequence[Sequence[Any]]) -> Iterator[tuple[str, str, dict[str, str], dict[str, Any]]]:
    """Yield (metric, namespace, dimensions, options) of a graph's rows."""
    for row in metrics:
        options = row[-1] if isinstance(row[-1], dict) else {}
        namespace, name, *rest = [part for part in row if not isinstance(part, dict)]
        yield name, namespace, dict(zip(rest[::2], rest[1::2], strict=True)), options


def draw(recorded: Mapping[str, Any]) -> str:
    """Return the picture."""
    widgets = recorded["widgets"]
    height = max(widget["y"] + widget["height"] for widget in widgets) * ROW
    parts = [part for widget in widgets for part in _widget(widget, recorded["minutes"])]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * COLUMN} {height}" role="img" '
            'font-family="Helvetica, Arial, sans-serif" font-size="11" fill="#16191f">',
            "<title>The dashboard after some runs on local AWS</title>",
            f'<rect width="100%" height="{height}" fill="#f2f3f3"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def _widget(widget: Mapping[str, Any], minutes: int) -> Iterator[str]:
    x, y = widget["x"] * COLUMN, widget["y"] * ROW
    width, height = widget["width"] * COLUMN - GAP, widget["height"] * ROW - GAP
    if widget["type"] == "text":
        yield f'<text x="{x + 6}" y="{y + 23}" font-size="17" font-weight="bold">{escape(widget["text"].lstrip("# "))}</text>'
        return
    yield f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3" fill="#fff" stroke="#d5dbdb"/>'
    yield f'<text x="{x + 8}" y="{y + 16}" font-weight="bold">{escape(widget["title"])}</text>'
    yield from (
        _alarms(widget["alarms"], x, y, width) if widget["type"] == "alarm" else _graph(widget, (x, y, width, height), minutes)
    )


def _alarms(alarms: Sequence[tuple[str, str]], x: int, y: int, width: int) -> Iterator[str]:
    columns = 6
    for place, (name, state) in enumerate(alarms):
        left, top = x + 8 + place % columns * (width // columns), y + 26 + place // columns * 19
        color = {"OK": "#1d8102", "ALARM": "#d13212"}.get(state, "#879596")
        yield f'<rect x="{left}" y="{top}" width="10" height="10" rx="2" fill="{color}"/>'
        yield f'<text x="{left + 15}" y="{top + 9}" font-size="10">{escape(name)}</text>'


def _graph(widget: Mapping[str, Any], box: tuple[int, int, int, int], minutes: int) -> Iterator[str]:
    x, y, width, height = box
    left, right, top, bottom = x + 42, x + width - 8, y + 28, y + height - 44
    series = _stacked(widget["series"]) if widget["stacked"] else widget["series"]
    highest = _round_up(max((value for one in series for _, value in one["points"]), default=0))
    for tick in range(TICKS + 1):
        level = bottom - (bottom - top) * tick / TICKS
        yield f'<line x1="{left}" y1="{level:.1f}" x2="{right}" y2="{level:.1f}" stroke="#eaeded"/>'
        yield f'<text x="{left - 5}" y="{level + 4:.1f}" text-anchor="end" font-size="9">{highest * tick / TICKS:g}</text>'
    if widget["unit"]:
        yield f'<text x="{right}" y="{y + 16}" text-anchor="end" font-size="9">{escape(widget["unit"])}</text>'
    for place, one in enumerate(series):
        color = COLORS[place % len(COLORS)]
        at = [
            (left + (right - left) * minute / max(minutes, 1), bottom - (bottom - top) * value / highest)
            for minute, value in one["points"]
        ]
        if len(at) > 1:
            yield f'<polyline points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in at)}" fill="none" stroke="{color}" stroke-width="1.5"/>'
        yield from (f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2" fill="{color}"/>' for a, b in at)
        column, line = place % 3, place // 3
        lx, ly = x + 8 + column * (width // 3), y + height - 24 + line * 13
        yield f'<rect x="{lx}" y="{ly - 8}" width="8" height="8" fill="{color}"/>'
        yield f'<text x="{lx + 11}" y="{ly}" font-size="9">{escape(one["label"])}</text>'


def _stacked(series: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add each series to those before it."""
    below: dict[int, float] = {}
    stacked = []
    for one in series:
        for minute, value in one["points"]:
            below[minute] = below.get(minute, 0) + value
        stacked.append({**one, "points": [(minute, below[minute]) for minute, _ in one["points"]]})
    return stacked


def _round_up(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten, so that ticks are short numbers."""
    if value <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(value))
    return next(float(step * power) for step in (1, 2, 4, 5, 8, 10) if step * power >= value)


if __name__ == "__main__":
    main()

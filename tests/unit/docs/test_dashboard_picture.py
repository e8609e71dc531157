"""The picture of the dashboard is drawn from the definition in the template and from a recorded local run."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from local_aws import ROOT
from tests.stacks.conftest import Template, kept_assembly, read_templates


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_dashboard", ROOT / "docs" / "draw_dashboard.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def recorded(script: ModuleType) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(script.RECORDED).read_text(encoding="utf-8"))
    return found


def test_the_picture_is_what_the_script_draws(script: ModuleType, recorded: dict[str, Any]) -> None:
    assert Path(script.DRAWN).read_text(encoding="utf-8") == script.draw(recorded), "run python docs/draw_dashboard.py"


def test_the_picture_shows_the_dashboard_of_the_template(recorded: dict[str, Any], script: ModuleType) -> None:
    """If this fails, the dashboard has changed: run python docs/draw_dashboard.py --record."""
    body = body_of(read_templates("local", kept_assembly("local"))["monitoring"])
    assert [outline(widget, script) for widget in body["widgets"]] == [
        (
            widget["type"], widget["x"], widget["y"], widget["width"], widget["height"], widget.get("title", widget.get("text")),
            [one["label"] for one in widget.get("series", [])], len(widget.get("alarms", [])),
        )
        for widget in recorded["widgets"]
    ]  # fmt: skip


def outline(widget: dict[str, Any], script: ModuleType) -> tuple[Any, ...]:
    properties = widget["properties"]
    labels = [options.get("label", name) for name, _, _, options in script.rows_of(properties.get("metrics", []))]
    title = properties.get("title", properties.get("markdown"))
    return (
        widget["type"],
        widget["x"],
        widget["y"],
        widget["width"],
        widget["height"],
        title,
        labels,
        len(properties.get("alarms", [])),
    )


def body_of(template: Template) -> dict[str, Any]:
    """The body, with a text for each value that CloudFormation fills in."""
    [dashboard] = template.properties("AWS::CloudWatch::Dashboard")
    body = dashboard["DashboardBody"]
    parts = body["Fn::Join"][1] if isinstance(body, dict) else [body]
    found: dict[str, Any] = json.loads("".join(part if isinstance(part, str) else "filled-in" for part in parts))
    return found


def test_each_graph_has_points_of_the_recorded_runs(recorded: dict[str, Any]) -> None:
    graphs = [widget for widget in recorded["widgets"] if widget["type"] == "metric"]
    assert len(graphs) == 15
    assert [graph["title"] for graph in graphs if not any(one["points"] for one in graph["series"])] == []


def test_a_series_is_drawn_to_scale(script: ModuleType) -> None:
    widget = {
        "type": "metric", "x": 0, "y": 0, "width": 8, "height": 6, "title": "A <b>", "unit": "%", "stacked": False,
        "series": [{"label": "x", "points": [[0, 0], [5, 50], [10, 100]]}],
    }  # fmt: skip
    drawing = ET.fromstring(script.draw({"minutes": 10, "widgets": [widget]}))  # noqa: S314 - drawn by our own script
    circles = [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in drawing.iter("{http://www.w3.org/2000/svg}circle")]
    (left, bottom), middle, (right, top) = circles
    assert middle == pytest.approx(((left + right) / 2, (bottom + top) / 2), abs=0.1)
    assert top < bottom
    assert "A <b>" in {text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")}


def test_stacked_series_add_up(script: ModuleType) -> None:
    stacked = script._stacked([{"label": "a", "points": [[0, 1], [1, 2]]}, {"label": "b", "points": [[1, 3], [2, 4]]}])
    assert [one["points"] for one in stacked] == [[(0, 1), (1, 2)], [(1, 5), (2, 4)]]

"""The metrics of a deployed dashboard, as its body names them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Series = tuple[str, str, tuple[tuple[str, str], ...]]  # namespace, name, dimensions


def series_of(body: dict[str, Any]) -> Iterator[Series]:
    """Each metric of each graph. A graph's row is namespace, name, dimensions in turn, and options at its end."""
    for widget in body["widgets"]:
        for row in widget["properties"].get("metrics", []):
            namespace, name, *rest = [part for part in row if not isinstance(part, dict)]
            yield namespace, name, tuple(sorted(zip(rest[::2], rest[1::2], strict=True)))

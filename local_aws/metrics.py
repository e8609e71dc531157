"""What services and units emit: metrics of AWS services, and those in log lines in the embedded metric format."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

CLOCK = "clock"  # the file in the server's folder


class Clock:
    """The time of metrics and alarms. A test may set it ahead, because an alarm's period may be a day."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / CLOCK

    def now(self) -> datetime:
        """Return the time in UTC, as far ahead as the file says."""
        return datetime.now(UTC) + self.ahead

    @property
    def ahead(self) -> timedelta:
        """How far the clock is ahead."""
        try:
            return timedelta(seconds=float(self._file.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):  # ValueError: it is being written
            return timedelta()

    def set_ahead(self, ahead: timedelta) -> None:
        """Set the clock."""
        self._file.write_text(str(ahead.total_seconds()), encoding="utf-8")


class Metrics:
    """Stores data points as CloudWatch's API does."""

    def __init__(self, clock: Clock, put: Callable[[str, list[dict[str, Any]]], None]) -> None:
        """Store with `put`, which takes a namespace and the MetricData of PutMetricData."""
        self.clock = clock
        self._put = put

    def add(self, namespace: str, name: str, value: float, unit: str = "Count", **dimensions: str) -> None:
        """Store one value of a service's metric."""
        named = [{"Name": key, "Value": text} for key, text in dimensions.items()]
        datum = {"MetricName": name, "Value": value, "Unit": unit, "Dimensions": named, "Timestamp": self.clock.now()}
        self._put(namespace, [datum])

    def add_logged(self, line: str) -> None:
        """Store the metrics of a log line, if it has the embedded metric format."""
        if '"_aws"' not in line:
            return
        for namespace, datum in embedded_metrics(line):
            self._put(namespace, [{**datum, "Timestamp": datum["Timestamp"] + self.clock.ahead}])


def embedded_metrics(line: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (namespace, datum of PutMetricData) of a log line. A line that is not in the format has none.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    try:
        document = json.loads(line)
        metadata = document["_aws"]
        moment = datetime.fromtimestamp(metadata["Timestamp"] / 1000, UTC)
        for directive in metadata["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                dimensions = [{"Name": name, "Value": str(document[name])} for name in names]
                for metric in directive["Metrics"]:
                    value = document[metric["Name"]]
                    yield (
                        directive["Namespace"],
                        {
                            "MetricName": metric["Name"],
                            "Values": [float(one) for one in (value if isinstance(value, list) else [value])],
                            "Unit": metric.get("Unit", "None"),
                            "Dimensions": dimensions,
                            "Timestamp": moment,
                        },
                    )
    except (ValueError, KeyError, TypeError, AttributeError):
        # CloudWatch keeps the line as a log event, and extracts nothing.
        return


def dimensions_of(datum: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Return what, with namespace and name, identifies a metric."""
    return frozenset((one["Name"], one["Value"]) for one in datum.get("Dimensions") or ())

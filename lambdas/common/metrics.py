"""Emit metrics as log lines in CloudWatch's embedded metric format."""

from __future__ import annotations

from aws_lambda_powertools import Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from ptmlops_contracts.metrics import SERVICE, SERVICE_DIMENSION, Metric

# One per process. Each handler is decorated with its `log_metrics`, which writes the metrics when the handler returns.
METRICS = Metrics(service=SERVICE)


def emit(metric: Metric, value: float, **dimensions: str) -> None:
    """Emit a value with the metric's own unit.

    Args:
        metric: what is counted.
        value: the number.
        dimensions: the metric's further dimension, for those that have one.
    """
    unit = MetricUnit(metric.unit)
    if not dimensions:
        METRICS.add_metric(name=metric.title, unit=unit, value=value)
        return
    with single_metric(name=metric.title, unit=unit, value=value, default_dimensions={SERVICE_DIMENSION: SERVICE}) as one:
        for name, text in dimensions.items():
            one.add_dimension(name, text)

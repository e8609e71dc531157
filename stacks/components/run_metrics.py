"""The product's own metrics as alarms and the dashboard read them. The functions emit them (ptmlops_contracts/metrics.py)."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from ptmlops_contracts.metrics import SERVICE, SERVICE_DIMENSION, Metric

# What a metric is over a period. The others are sums.
_MAXIMUM = frozenset(
    {
        Metric.OLDEST_FILE_AGE,
        Metric.MODELS_WAITING,
        Metric.REJECT_SHARE,
        Metric.DRIFT,
        Metric.DRIFT_TIMES_THRESHOLD,
        Metric.LIVE_ACCURACY_FALL,
        Metric.MONTH_COST,
        Metric.RUN_DURATION,
        Metric.STATE_DURATION,
    }
)
_AVERAGE = frozenset({Metric.REVIEW_SHARE, Metric.MEAN_CONFIDENCE, Metric.LIVE_ACCURACY})


def run_metric(
    namespace: str, metric: Metric, *, period: cdk.Duration, statistic: str | None = None, **dimensions: str
) -> cloudwatch.Metric:
    """Return a metric of an environment.

    Args:
        namespace: the environment's prefix.
        metric: what is counted.
        period: of the points.
        statistic: instead of the metric's usual one.
        dimensions: the value of the metric's further dimension, which is then its label.
    """
    usual = "Maximum" if metric in _MAXIMUM else "Average" if metric in _AVERAGE else "Sum"
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=metric.title,
        dimensions_map={SERVICE_DIMENSION: SERVICE, **dimensions},
        statistic=statistic or usual,
        period=period,
        # Without a label of its own: CDK would write an alarm with one as metric math.
        label=next(iter(dimensions.values()), None),
    )

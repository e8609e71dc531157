"""The dashboard. It answers four questions: does it work now, what came in, how good are the answers, what does it cost.

docs/draw_dashboard.py draws the picture in the documents from the same definition.
"""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from ptmlops_contracts.drift import DRIFT_KINDS
from ptmlops_contracts.metrics import KIND, STATE, TIMED_STATES, Metric
from stacks.components.run_metrics import run_metric
from stacks.config import Settings
from stacks.storage_stack import Storage
from stacks.workflow_stack import Workflow

FIVE_MINUTES, HOUR = cdk.Duration.minutes(5), cdk.Duration.hours(1)
FULL_WIDTH, HEIGHT = 24, 6


def create_dashboard(
    scope: Construct, *, settings: Settings, storage: Storage, workflow: Workflow, alarms: Sequence[cloudwatch.IAlarm]
) -> cloudwatch.Dashboard:
    """Create the dashboard: a heading per question, with its graphs below."""
    machine = workflow.state_machine

    def own(metric: Metric, **dimensions: str) -> cloudwatch.Metric:
        return run_metric(settings.prefix, metric, period=HOUR, **dimensions)

    def heading(text: str) -> cloudwatch.TextWidget:
        return cloudwatch.TextWidget(markdown=f"## {text}", width=FULL_WIDTH, height=1)

    def graph(
        title: str, metrics: list[cloudwatch.IMetric], *, unit: str = "", stacked: bool = False
    ) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(
            title=title,
            left=metrics,
            width=8,
            height=HEIGHT,
            stacked=stacked,
            left_y_axis=cloudwatch.YAxisProps(min=0, label=unit, show_units=False),
        )

    dashboard = cloudwatch.Dashboard(scope, "Dashboard", default_interval=cdk.Duration.days(7))
    dashboard.add_widgets(heading("Does it work now?"))
    dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=FULL_WIDTH, height=3))
    dashboard.add_widgets(
        graph(
            "Runs",
            [
                machine.metric_succeeded(period=HOUR, statistic="Sum", label="succeeded"),
                machine.metric_failed(period=HOUR, statistic="Sum", label="failed"),
                machine.metric_aborted(period=HOUR, statistic="Sum", label="stopped"),
            ],
        ),
        graph(
            "Messages that wait",
            [
                storage.arrivals.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, label="arrivals"),
                storage.dead_letters.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, label="dead letters"),
            ],
        ),
        graph(
            "Errors of functions",
            [
                function.metric_errors(period=HOUR, statistic="Sum", label=name)
                for name, function in workflow.functions.items()
            ],
        ),
    )
    dashboard.add_widgets(heading("What came in?"))
    dashboard.add_widgets(
        graph("Files", [own(Metric.FILES_ARRIVED), own(Metric.FILES_PER_RUN)]),
        graph(
            "Rows",
            [own(metric) for metric in (Metric.ROWS_ACCEPTED, Metric.ROWS_REJECTED, Metric.ROWS_DUPLICATE)],
            stacked=True,
        ),
        graph("Oldest file that waits", [own(Metric.OLDEST_FILE_AGE)], unit="seconds"),
    )
    dashboard.add_widgets(heading("How good are the answers?"))
    dashboard.add_widgets(
        graph("Complaints", [own(Metric.COMPLAINTS_CLASSIFIED), own(Metric.LABELLED_ROWS)]),
        graph(
            "Confidence, and shares for review and rejected",
            [own(metric) for metric in (Metric.MEAN_CONFIDENCE, Metric.REVIEW_SHARE, Metric.REJECT_SHARE)],
            unit="%",
        ),
        graph("Drift (PSI)", [own(Metric.DRIFT, **{KIND: kind}) for kind in DRIFT_KINDS]),
    )
    dashboard.add_widgets(
        graph(
            "Answers that people confirmed, and their fall",
            [own(Metric.LIVE_ACCURACY), own(Metric.LIVE_ACCURACY_FALL)],
            unit="%",
        ),
        graph("Largest drift, times its threshold", [own(Metric.DRIFT_TIMES_THRESHOLD)]),
        graph("Models", [own(Metric.CANDIDATES_PROMOTED), own(Metric.MODELS_WAITING)]),
    )
    dashboard.add_widgets(heading("What does it cost?"))
    dashboard.add_widgets(
        graph("Cost per hour", [own(Metric.RUN_COST)], unit="USD"),
        graph("Cost of the month so far", [own(Metric.MONTH_COST)], unit="USD"),
        graph("Time per state", [own(Metric.STATE_DURATION, **{STATE: state}) for state in TIMED_STATES], unit="seconds"),
    )
    return dashboard

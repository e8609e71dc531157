"""Create the resources of QuickSight: a data source, two SPICE data sets refreshed daily, a dashboard to read and an analysis to change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import aws_iam as iam
from aws_cdk import aws_quicksight as quicksight
from constructs import Construct

from stacks.components.common import EnvironmentStack

DATA_SETS = Path(__file__).resolve().parent.parent / "sql" / "quicksight"
# The columns of each query, in order, in QuickSight's types. A test compares them with the query and the catalog.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "complaints": {
        "complaint_id": "STRING",
        "complaint_date": "DATETIME",
        "run_date": "DATETIME",
        "run_id": "STRING",
        "label": "STRING",
        "confidence": "DECIMAL",
        "needs_review": "INTEGER",
        "language": "STRING",
        "model_version": "STRING",
    },
    "amounts": {
        "complaint_id": "STRING",
        "complaint_date": "DATETIME",
        "label": "STRING",
        "currency": "STRING",
        "amount": "DECIMAL",
    },
}
# The sets of actions that QuickSight's own sharing grants: to read a dashboard, to use data, to own an analysis.
READ_DASHBOARD = ("DescribeDashboard", "ListDashboardVersions", "QueryDashboard")
USE_DATA_SOURCE = ("DescribeDataSource", "DescribeDataSourcePermissions", "PassDataSource")
USE_DATA_SET = ("DescribeDataSet", "DescribeDataSetPermissions", "PassDataSet", "DescribeIngestion", "ListIngestions")
OWN_ANALYSIS = (
    "RestoreAnalysis", "UpdateAnalysisPermissions", "DeleteAnalysis", "DescribeAnalysisPermissions", "QueryAnalysis",
    "DescribeAnalysis", "UpdateAnalysis",
)  # fmt: skip
WORDS = {
    "es": {
        "name": "Quejas", "complaints": "Quejas", "amounts": "Valores", "quality": "Calidad", "count": "Quejas clasificadas",
        "review": "Por revisar", "confidence": "Confianza media", "over_time": "Quejas por semana", "by_category": "Por categoría",
        "by_language": "Por idioma", "share": "Participación de cada categoría por semana",
        "amounts_table": "Valores mencionados por categoría y moneda: menciones, mediana y total",
        "amounts_over_time": "Quejas que mencionan valores, por semana y moneda",
        "histogram": "Distribución de la confianza", "confidence_over_time": "Confianza media por semana y versión del modelo",
        "review_over_time": "Parte por revisar, por semana", "review_by_category": "Parte por revisar, por categoría",
    },
    "en": {
        "name": "Complaints", "complaints": "Complaints", "amounts": "Amounts", "quality": "Quality",
        "count": "Classified complaints", "review": "To review", "confidence": "Mean confidence",
        "over_time": "Complaints per week", "by_category": "By category", "by_language": "By language",
        "share": "Each category's share per week",
        "amounts_table": "Amounts mentioned by category and currency: mentions, median and total",
        "amounts_over_time": "Complaints that mention amounts, per week and currency",
        "histogram": "Distribution of confidence", "confidence_over_time": "Mean confidence per week and model version",
        "review_over_time": "Share to review per week", "review_by_category": "Share to review by category",
    },
}  # fmt: skip


class QuickSight(Construct):
    """Shared with one principal, a user or (better) a group: who may see the dashboard is then decided in QuickSight."""

    def __init__(
        self, scope: EnvironmentStack, construct_id: str, *, principal: str, role: iam.Role, workgroup: str, database: str
    ) -> None:
        super().__init__(scope, construct_id)
        settings, account = scope.settings, scope.account
        words = WORDS[settings.results.language]
        name = f"PTMLops {settings.name}"

        def granted(actions: Sequence[str], kind: Any) -> list[Any]:
            return [
                kind.ResourcePermissionProperty(principal=principal, actions=[f"quicksight:{action}" for action in actions])
            ]

        source = quicksight.CfnDataSource(
            self,
            "DataSource",
            aws_account_id=account,
            data_source_id=settings.prefix,
            name=name,
            type="ATHENA",
            data_source_parameters=quicksight.CfnDataSource.DataSourceParametersProperty(
                athena_parameters=quicksight.CfnDataSource.AthenaParametersProperty(
                    work_group=workgroup, role_arn=role.role_arn
                )
            ),
            permissions=granted(USE_DATA_SOURCE, quicksight.CfnDataSource),
        )
        # QuickSight tests the source when it is created, so the role's permissions must exist before.
        source.node.add_dependency(role)
        arns = {}
        for identifier, columns in COLUMNS.items():
            data_set_id = f"{settings.prefix}-{identifier}"
            data_set = quicksight.CfnDataSet(
                self,
                f"{identifier.title()}DataSet",
                aws_account_id=account,
                data_set_id=data_set_id,
                name=f"{name}: {words[identifier]}",
                import_mode="SPICE",
                physical_table_map={
                    identifier: quicksight.CfnDataSet.PhysicalTableProperty(
                        custom_sql=quicksight.CfnDataSet.CustomSqlProperty(
                            data_source_arn=source.attr_arn,
                            name=identifier,
                            sql_query=data_set_sql(identifier, database),
                            columns=[
                                quicksight.CfnDataSet.InputColumnProperty(name=column, type=kind)
                                for column, kind in columns.items()
                            ],
                        )
                    )
                },
                # A deployment is not held up by the first import, which may find no table file yet.
                ingestion_wait_policy=quicksight.CfnDataSet.IngestionWaitPolicyProperty(wait_for_spice_ingestion=False),
                permissions=granted(USE_DATA_SET, quicksight.CfnDataSet),
            )
            arns[identifier] = data_set.attr_arn
            schedule = quicksight.CfnRefreshSchedule
            schedule(
                self,
                f"{identifier.title()}Refresh",
                aws_account_id=account,
                data_set_id=data_set_id,  # Ref would be account and id in one
                schedule=schedule.RefreshScheduleMapProperty(
                    schedule_id="daily",
                    refresh_type="FULL_REFRESH",
                    schedule_frequency=schedule.ScheduleFrequencyProperty(
                        interval="DAILY",
                        time_of_the_day=settings.analytics.refresh_time,
                        time_zone=settings.analytics.time_zone,
                    ),
                ),
            ).node.add_dependency(data_set)
        body = definition(arns, words)
        dashboard = quicksight.CfnDashboard(
            self,
            "Dashboard",
            aws_account_id=account,
            dashboard_id=settings.prefix,
            name=f"{name}: {words['name']}",
            permissions=granted(READ_DASHBOARD, quicksight.CfnDashboard),
        )
        analysis = quicksight.CfnAnalysis(
            self,
            "Analysis",
            aws_account_id=account,
            analysis_id=settings.prefix,
            name=f"{name}: {words['name']}",
            permissions=granted(OWN_ANALYSIS, quicksight.CfnAnalysis),
        )
        for resource in (dashboard, analysis):
            resource.add_property_override("Definition", body)


def data_set_sql(identifier: str, database: str) -> str:
    """Return the query of a data set. Custom SQL has no default database, so tables have their full names."""
    text = (DATA_SETS / f"{identifier}.sql").read_text(encoding="utf-8")
    return re.sub(r"^--.*\n", "", text, flags=re.MULTILINE).replace("{database}", database).strip()


@dataclass(frozen=True, kw_only=True)
class _Visual:
    """A visual in CloudFormation's format, and its position on a grid of 36 columns."""

    kind: str
    identifier: str
    wells: Mapping[str, Any]
    options: Mapping[str, Any]
    title: str
    width: int
    height: int

    def body(self) -> dict[str, Any]:
        return {
            self.kind: {
                "VisualId": self.identifier,
                "Title": {"Visibility": "VISIBLE", "FormatText": {"PlainText": self.title}},
                "ChartConfiguration": {"FieldWells": dict(self.wells), **self.options},
            }
        }


def definition(data_sets: Mapping[str, str], words: Mapping[str, str]) -> dict[str, Any]:
    """Return three sheets over the data sets of these ARNs, in CloudFormation's format (as data, like states: decision 0002)."""
    complaints, amounts = "complaints", "amounts"

    def aggregated(name: str, **wells: Any) -> dict[str, Any]:
        return {f"{name}AggregatedFieldWells": wells}

    def week(visual: str, data_set: str = complaints) -> dict[str, Any]:
        field = _field(visual, data_set, "complaint_date")
        return {"DateDimensionField": {**field, "DateGranularity": "WEEK"}}

    def by(visual: str, column: str, data_set: str = complaints) -> dict[str, Any]:
        return {"CategoricalDimensionField": _field(visual, data_set, column)}

    def count(visual: str, data_set: str = complaints, function: str = "COUNT") -> dict[str, Any]:
        return {"CategoricalMeasureField": {**_field(visual, data_set, "complaint_id"), "AggregationFunction": function}}

    def kpi(identifier: str, value: Mapping[str, Any]) -> _Visual:
        return _Visual(
            kind="KPIVisual", identifier=identifier, wells={"Values": [value]}, options={}, title=words[identifier],
            width=12, height=5,
        )  # fmt: skip

    def chart(kind: str, identifier: str, wells: Mapping[str, Any], width: int = 18, **options: Any) -> _Visual:
        return _Visual(
            kind=f"{kind}Visual", identifier=identifier, wells=wells, options=options, title=words[identifier],
            width=width, height=12,
        )  # fmt: skip

    def over_time(
        identifier: str, value: Mapping[str, Any], colors: Sequence[Any] = (), data_set: str = complaints
    ) -> _Visual:
        wells = aggregated("LineChart", Category=[week(identifier, data_set)], Values=[value], Colors=list(colors))
        return chart("LineChart", identifier, wells, Type="LINE")

    def bars(identifier: str, value: Mapping[str, Any]) -> _Visual:
        wells = aggregated("BarChart", Category=[by(identifier, "label")], Values=[value])
        return chart("BarChart", identifier, wells, Orientation="HORIZONTAL")

    sheets = {
        complaints: [
            kpi("count", count("count")),
            kpi("review", _share("review")),
            kpi("confidence", _mean("confidence")),
            over_time("over_time", count("over_time"), [by("over_time", "label")]),
            bars("by_category", count("by_category")),
            # Drift at a glance: a category that grows takes room from the others.
            chart(
                "BarChart",
                "share",
                aggregated("BarChart", Category=[week("share")], Values=[count("share")], Colors=[by("share", "label")]),
                Orientation="VERTICAL",
                BarsArrangement="STACKED_PERCENT",
            ),
            chart(
                "PieChart",
                "by_language",
                aggregated("PieChart", Category=[by("by_language", "language")], Values=[count("by_language")]),
            ),
        ],
        amounts: [
            chart(
                "PivotTable",
                "amounts_table",
                aggregated(
                    "PivotTable",
                    # Amounts of different currencies stay apart: their sum is no amount.
                    Rows=[by("amounts_table", "label", amounts), by("amounts_table", "currency", amounts)],
                    Values=[
                        count("amounts_table", amounts),
                        _number("amounts_table", amounts, "amount", "MEDIAN"),
                        _number("amounts_table", amounts, "amount", "SUM"),
                    ],
                ),
                width=36,
            ),
            over_time(
                "amounts_over_time",
                count("amounts_over_time", amounts, "DISTINCT_COUNT"),
                [by("amounts_over_time", "currency", amounts)],
                amounts,
            ),
        ],
        "quality": [
            chart(
                "Histogram",
                "histogram",
                {
                    "HistogramAggregatedFieldWells": {
                        "Values": [{"NumericalMeasureField": _field("histogram", complaints, "confidence")}]
                    }
                },
                BinOptions={"SelectedBinType": "BIN_WIDTH", "BinWidth": {"Value": 0.05}},
            ),
            over_time("confidence_over_time", _mean("confidence_over_time"), [by("confidence_over_time", "model_version")]),
            over_time("review_over_time", _share("review_over_time")),
            bars("review_by_category", _share("review_by_category")),
        ],
    }
    return {
        "DataSetIdentifierDeclarations": [
            {"Identifier": identifier, "DataSetArn": arn} for identifier, arn in data_sets.items()
        ],
        "Sheets": [
            {
                "SheetId": sheet,
                "Name": words[sheet],
                "Visuals": [visual.body() for visual in visuals],
                "Layouts": [{"Configuration": {"GridLayout": {"Elements": _positions(visuals)}}}],
            }
            for sheet, visuals in sheets.items()
        ],
    }  # fmt: skip


def _field(visual: str, data_set: str, column: str, use: str = "") -> dict[str, Any]:
    identifier = f"{visual}.{column}.{use}" if use else f"{visual}.{column}"
    return {"FieldId": identifier, "Column": {"DataSetIdentifier": data_set, "ColumnName": column}}


def _number(
    visual: str, data_set: str, column: str, function: str, number_format: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    field = {
        **_field(visual, data_set, column, function.lower()),
        "AggregationFunction": {"SimpleNumericalAggregation": function},
    }
    return {"NumericalMeasureField": {**field, **({"FormatConfiguration": number_format} if number_format else {})}}


def _share(visual: str) -> dict[str, Any]:
    """Return the measure of the share to review: the mean of zeros and ones."""
    percent = {"PercentageDisplayFormatConfiguration": {"DecimalPlacesConfiguration": {"DecimalPlaces": 1}}}
    return _number(visual, "complaints", "needs_review", "AVERAGE", {"FormatConfiguration": percent})


def _mean(visual: str) -> dict[str, Any]:
    return _number(visual, "complaints", "confidence", "AVERAGE")


def _positions(visuals: Sequence[_Visual]) -> list[dict[str, Any]]:
    """Return the layout of visuals: from left to right, then down."""
    elements, column, row, tallest = [], 0, 0, 0
    for visual in visuals:
        if column + visual.width > 36:
            column, row, tallest = 0, row + tallest, 0
        elements.append(
            {
                "ElementId": visual.identifier,
                "ElementType": "VISUAL",
                "ColumnIndex": column,
                "ColumnSpan": visual.width,
                "RowIndex": row,
                "RowSpan": visual.height,
            }
        )
        column, tallest = column + visual.width, max(tallest, visual.height)
    return elements

"""What people ask and see: the workgroup's limits, the catalog's tables, QuickSight held to AWS's schemas and to its own data."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from stacks.analytics_stack import SAVED_QUERIES
from stacks.components.quicksight import COLUMNS, WORDS, data_set_sql
from tests.athena import Athena, text
from tests.stacks.conftest import PRINCIPAL, Template
from tests.stacks.test_static_checks import cfn_lint

KINDS = ("DataSource", "DataSet", "RefreshSchedule", "Analysis", "Dashboard")


def found(value: Any, key: str) -> Iterator[Any]:
    """Every value of this key, at any depth."""
    for name, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if name == key:
            yield item
        yield from found(item, key)


@pytest.mark.slow
def test_the_linter_sees_into_the_dashboard(shared_templates: dict[str, Template], tmp_path: Path) -> None:
    body = copy.deepcopy(shared_templates["analytics"].body)
    [dashboard] = [resource for resource in body["Resources"].values() if resource["Type"] == "AWS::QuickSight::Dashboard"]
    next(found(dashboard, "KPIVisual"))["VisualId"] = "no spaces in an id"
    next(found(dashboard, "BarChartVisual"))["ChartConfiguration"]["Orientation"] = "SIDEWAYS"
    (tmp_path / "broken.json").write_text(json.dumps(body), encoding="utf-8")

    problems = " ".join(cfn_lint([tmp_path / "broken.json"], "us-east-1"))

    assert "SIDEWAYS" in problems
    assert "no spaces in an id" in problems


def test_the_workgroup_enforces_engine_place_key_and_limit(prod_templates: dict[str, Template]) -> None:
    [workgroup] = prod_templates["analytics"].properties("AWS::Athena::WorkGroup")
    held = workgroup["WorkGroupConfiguration"]

    assert held["EnforceWorkGroupConfiguration"] is True
    assert held["EngineVersion"] == {"SelectedEngineVersion": "Athena engine version 3"}
    assert held["BytesScannedCutoffPerQuery"] == 10_000_000_000
    assert text(held["ResultConfiguration"]["OutputLocation"]) == "s3://bucket/athena/"
    assert held["ResultConfiguration"]["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"
    assert "Key" in json.dumps(held["ResultConfiguration"]["EncryptionConfiguration"]["KmsKey"])
    assert workgroup["RecursiveDeleteOption"] is True


def test_what_queries_found_is_not_kept(prod_templates: dict[str, Template]) -> None:
    [rules] = [
        bucket["LifecycleConfiguration"]["Rules"]
        for name, bucket in prod_templates["storage"].resources("AWS::S3::Bucket").items()
        for bucket in [bucket["Properties"]]
        if name.startswith("Output")
    ]
    [expire] = [rule for rule in rules if rule["Id"] == "expire"]
    assert expire["Prefix"] == "athena/"
    assert (expire["ExpirationInDays"], expire["NoncurrentVersionExpiration"]) == (29, {"NoncurrentDays": 1})


def test_every_saved_query_is_a_named_query_that_says_what_it_answers(templates: dict[str, Template]) -> None:
    limits = get_session().get_service_model("athena").operation_model("CreateNamedQuery").input_shape.members
    named = templates["analytics"].properties("AWS::Athena::NamedQuery")

    assert {query["Name"] for query in named} == {path.stem.replace("_", " ") for path in SAVED_QUERIES.glob("*.sql")}
    assert len(named) == 11
    for query in named:
        assert "?" in query["Description"]
        assert "days" in query["Description"] or "weeks" in query["Description"]  # what it leaves out
        for name in ("Name", "Description", "QueryString"):
            assert 1 <= len(query[name]) <= limits[name].metadata["max"]


def test_every_table_is_projected_and_every_column_explained(templates: dict[str, Template]) -> None:
    tables = {
        table["TableInput"]["Name"]: table["TableInput"] for table in templates["storage"].properties("AWS::Glue::Table")
    }

    assert set(tables) == {"predictions", "runs"}
    for table in tables.values():
        columns = [*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"]]
        assert all(len(column["Comment"]) > 10 for column in columns)
        assert all(column["Name"] == column["Name"].lower() for column in columns)  # Athena folds names
        parameters = table["Parameters"]
        assert parameters["projection.enabled"] == "true"
        assert parameters["projection.run_date.type"] == "date"
        first, last = parameters["projection.run_date.range"].split(",")
        assert (date.fromisoformat(first) <= date(2026, 11, 1), last) == (True, "NOW")
        location = text(table["StorageDescriptor"]["Location"])
        assert text(parameters["storage.location.template"]) == location + "run_date=${run_date}/"
    assert not templates["storage"].properties("AWS::Glue::Crawler")


def test_analysts_read_the_tables_and_write_results_and_nothing_else(templates: dict[str, Template]) -> None:
    [policy] = templates["analytics"].properties("AWS::IAM::ManagedPolicy")
    statements = {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}

    def paths(sid: str) -> set[str]:
        resource = statements[sid]["Resource"]
        resources = resource if isinstance(resource, list) else [resource]
        return {text(resource).removeprefix("bucket") for resource in resources}

    assert statements["ReadTables"]["Action"] == "s3:GetObject"
    assert paths("ReadTables") == {"/predictions/*", "/run_history/*"}
    assert paths("KeepResults") == {"/athena/*"}
    assert statements["List"]["Condition"] == {"StringLike": {"s3:prefix": ["predictions/*", "run_history/*", "athena/*"]}}
    assert set(statements["Key"]["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}
    assert "s3." in json.dumps(statements["Key"]["Condition"]["StringEquals"]["kms:ViaService"])
    actions = {action for statement in statements.values() for action in _listed(statement["Action"])}
    writing = {action for action in actions if not action.split(":")[1].startswith(("Get", "List", "BatchGet"))}
    assert writing == {
        "athena:StartQueryExecution", "athena:StopQueryExecution", "s3:PutObject", "s3:AbortMultipartUpload", "kms:Decrypt",
        "kms:GenerateDataKey",
    }  # fmt: skip


def test_without_a_principal_there_is_no_quicksight(
    templates: dict[str, Template], prod_templates: dict[str, Template]
) -> None:
    for chosen in (templates, prod_templates):
        assert "quicksight" not in json.dumps([template.body for template in chosen.values()]).lower()


def test_quicksight_asks_as_a_role_of_its_own_with_an_analysts_rights(shared_templates: dict[str, Template]) -> None:
    analytics = shared_templates["analytics"]
    [role] = analytics.properties("AWS::IAM::Role")
    [own] = analytics.properties("AWS::IAM::Policy")
    [analysts] = analytics.properties("AWS::IAM::ManagedPolicy")
    [source] = analytics.properties("AWS::QuickSight::DataSource")

    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": "quicksight.amazonaws.com"}}
    ]
    assert own["PolicyDocument"] == analysts["PolicyDocument"]
    parameters = source["DataSourceParameters"]["AthenaParameters"]
    assert parameters["RoleArn"]["Fn::GetAtt"][0] in analytics.resources("AWS::IAM::Role")
    assert parameters["WorkGroup"]["Ref"] in analytics.resources("AWS::Athena::WorkGroup")


def test_the_principal_reads_and_owns_only_an_analysis(shared_templates: dict[str, Template]) -> None:
    granted = {}
    for kind in ("DataSource", "DataSet", "Analysis", "Dashboard"):
        for resource in shared_templates["analytics"].properties(f"AWS::QuickSight::{kind}"):
            [permission] = resource["Permissions"]
            assert permission["Principal"] == PRINCIPAL
            granted[kind] = {action.removeprefix("quicksight:") for action in permission["Actions"]}
    changing = ("Update", "Delete", "Create", "Restore", "Cancel")
    assert {kind for kind, actions in granted.items() if any(action.startswith(changing) for action in actions)} == {
        "Analysis"
    }
    assert granted["Dashboard"] == {"DescribeDashboard", "ListDashboardVersions", "QueryDashboard"}


@pytest.mark.parametrize("kind", KINDS)
def test_quicksight_resources_are_what_its_api_accepts(shared_templates: dict[str, Template], kind: str) -> None:
    """By botocore's model of the service, which is newer than CloudFormation's schema and stricter in what it requires."""
    shape = get_session().get_service_model("quicksight").operation_model(f"Create{kind}").input_shape
    resources = shared_templates["analytics"].properties(f"AWS::QuickSight::{kind}")
    assert resources

    def plain(value: Any) -> Any:
        if value == {"Ref": "AWS::AccountId"}:
            return "123456789012"
        if isinstance(value, dict) and set(value) & {"Ref", "Fn::Join", "Fn::GetAtt", "Fn::ImportValue"}:
            return "arn:aws:resolved:at:deployment"
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list) else value

    for resource in resources:
        request = plain({key: value for key, value in resource.items() if key != "IngestionWaitPolicy"})
        for frequency in found(request, "ScheduleFrequency"):
            frequency["Timezone"] = frequency.pop("TimeZone")  # CloudFormation's spelling and the API's
        report = ParamValidator().validate(request, shape)
        assert not report.has_errors(), report.generate_report()


def test_every_column_that_is_shown_is_one_of_its_data_set(shared_templates: dict[str, Template]) -> None:
    analytics = shared_templates["analytics"]
    sets = {resource["DataSetId"]: resource for resource in analytics.properties("AWS::QuickSight::DataSet")}
    columns = {
        table["CustomSql"]["Name"]: {column["Name"]: column["Type"] for column in table["CustomSql"]["Columns"]}
        for resource in sets.values()
        for table in resource["PhysicalTableMap"].values()
    }
    assert columns == {name: dict(kinds) for name, kinds in COLUMNS.items()}
    for kind in ("Analysis", "Dashboard"):
        [shown] = analytics.properties(f"AWS::QuickSight::{kind}")
        used = {(use["DataSetIdentifier"], use["ColumnName"]) for use in found(shown["Definition"], "Column")}
        assert {(name, column) for name, column in used if column not in columns[name]} == set()
        for date_field in found(shown["Definition"], "DateDimensionField"):
            assert columns[date_field["Column"]["DataSetIdentifier"]][date_field["Column"]["ColumnName"]] == "DATETIME"
        for number in found(shown["Definition"], "NumericalMeasureField"):
            assert columns[number["Column"]["DataSetIdentifier"]][number["Column"]["ColumnName"]] in ("DECIMAL", "INTEGER")
        # What the issue asks to see: counts over time, categories, languages, amounts, confidence, drift, review share.
        assert {
            "complaint_date",
            "label",
            "language",
            "amount",
            "currency",
            "confidence",
            "needs_review",
            "model_version",
        } <= {column for _, column in used}


def test_data_sets_ask_only_for_columns_of_the_catalog(templates: dict[str, Template], tmp_path: Path) -> None:
    tables = [table["TableInput"] for table in templates["storage"].properties("AWS::Glue::Table")]
    athena = Athena(tables, tmp_path)
    for name, columns in COLUMNS.items():
        sql = data_set_sql(name, athena.database)
        assert list(athena.types(sql)) == list(columns)
        assert "text" not in columns  # no complaint's words leave for SPICE
        with pytest.raises(Exception, match="labl"):
            athena.check(sql.replace("label", "labl"))


def test_a_visual_has_one_place_and_none_covers_another(shared_templates: dict[str, Template]) -> None:
    [dashboard] = shared_templates["analytics"].properties("AWS::QuickSight::Dashboard")
    for sheet in dashboard["Definition"]["Sheets"]:
        visuals = [next(iter(visual.values()))["VisualId"] for visual in sheet["Visuals"]]
        [elements] = found(sheet, "Elements")
        assert [element["ElementId"] for element in elements] == visuals
        cells = [
            (column, row)
            for element in elements
            for column in range(element["ColumnIndex"], element["ColumnIndex"] + element["ColumnSpan"])
            for row in range(element["RowIndex"], element["RowIndex"] + element["RowSpan"])
        ]
        assert len(cells) == len(set(cells))
        assert max(column for column, _ in cells) < 36
        fields = list(found(sheet, "FieldId"))
        assert len(fields) == len(set(fields))


def test_data_sets_are_refreshed_every_day_at_the_settings_hour(shared_templates: dict[str, Template]) -> None:
    schedules = shared_templates["analytics"].properties("AWS::QuickSight::RefreshSchedule")
    ids = {resource["DataSetId"] for resource in shared_templates["analytics"].properties("AWS::QuickSight::DataSet")}
    assert {schedule["DataSetId"] for schedule in schedules} == ids  # by id: Ref gives the account with it
    for schedule in schedules:
        assert schedule["Schedule"]["RefreshType"] == "FULL_REFRESH"
        assert schedule["Schedule"]["ScheduleFrequency"] == {
            "Interval": "DAILY",
            "TimeOfTheDay": "05:30",
            "TimeZone": "America/Bogota",
        }


def test_titles_are_in_the_settings_language_and_both_languages_say_as_much(shared_templates: dict[str, Template]) -> None:
    [dashboard] = shared_templates["analytics"].properties("AWS::QuickSight::Dashboard")
    assert {sheet["Name"] for sheet in dashboard["Definition"]["Sheets"]} == {"Quejas", "Valores", "Calidad"}
    assert WORDS["es"].keys() == WORDS["en"].keys()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

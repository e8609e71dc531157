"""The shared names: keys are built as they are parsed, one builder makes the champion's entry, no other file has a key's layout."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from local_aws import ROOT
from ptmlops_contracts import evaluation, files, keys, ledger, report, review, run, run_ids, state
from ptmlops_contracts.keys import ModelKeys, OutputKeys, PreparedKeys

RUN = "20260715-093000-0123abcd"
SOURCES = ("app.py", "stacks", "lambdas", "glue_jobs", "training", "local_aws", "ptmlops", "benchmarks")


def test_a_run_id_is_made_of_the_newest_time_and_the_files_in_any_order() -> None:
    newest = datetime(2026, 7, 15, 9, 30, tzinfo=UTC)
    made = run_ids.make_run_id(newest, ["b/two#v1", "b/one#v1"])
    assert made == run_ids.make_run_id(newest, ["b/one#v1", "b/two#v1"])
    assert re.fullmatch(r"20260715-093000-[0-9a-f]{8}", made)
    assert run_ids.is_run_id(made)
    assert run_ids.run_date(made) == "2026-07-15"


@pytest.mark.parametrize(
    "text", ["", "20260715", "20260715-093000-0123ABCD", f"{RUN}x", f"x{RUN}", "a3b1c2d4-0000-1111-2222-333"]
)
def test_what_is_no_run_id_has_no_date(text: str) -> None:
    assert not run_ids.is_run_id(text)
    with pytest.raises(ValueError, match="not a run id"):
        run_ids.run_date(text)


def test_keys_that_are_built_are_parsed_again() -> None:
    prepared, output = PreparedKeys(RUN), OutputKeys(RUN)
    assert keys.run_of_complete(prepared.complete) == RUN
    assert keys.run_folder_id(prepared.folder) == keys.run_folder_id(output.folder) == RUN
    assert output.folder.startswith(keys.OUTPUT_RUNS)
    for split in report.SPLITS:
        assert keys.run_of_labelled_part(f"{prepared.labelled(split)}part-00000.txt") == RUN
        assert keys.run_of_labelled_part(f"{prepared.labelled(split)}_SUCCESS") is None
        assert prepared.labelled(split).startswith(keys.labelled_folder(split))
    assert keys.run_of_labelled_part(prepared.complete) is None
    assert keys.parse_s3_uri(keys.s3_uri("bucket", output.predictions)) == ("bucket", output.predictions)
    for wrong in ("bucket/key", "s3://bucket", "none"):
        with pytest.raises(ValueError, match="not an S3 URI"):
            keys.parse_s3_uri(wrong)


def test_decisions_on_a_version_are_in_its_folder() -> None:
    assert keys.decision_key(1, "2026-11-29") == "decisions/v1/2026-11-29.json"
    assert not keys.decision_key(12, "2026-11-29").startswith(keys.decisions_folder(1))


def test_the_layout_of_the_buckets() -> None:
    """A change here moves data that exists: it needs a migration."""
    prepared, models, output = PreparedKeys("<run>"), ModelKeys("<run>"), OutputKeys(RUN)
    found = {name: key for keys_of in (prepared, models) for name, key in vars(keys_of).items()}
    assert found == {
        "run_id": "<run>",
        "folder": "runs/<run>/",
        "manifest": "runs/<run>/manifest.json",
        "report": "runs/<run>/report.json",
        "records": "runs/<run>/records/",
        "rejected": "runs/<run>/rejected/",
        "to_score": "runs/<run>/to_score/",
        "scored": "runs/<run>/scored/",
        "plan": "runs/<run>/plan/",
        "request": "runs/<run>/plan/request.json",
        "labels_folder": "runs/<run>/labels_to_check/",
        "labels_to_check": "runs/<run>/labels_to_check/labels_to_check.jsonl",
        "published": "runs/<run>/publish.json",
        "complete": "labelled/complete/<run>.json",
        "training": "training/<run>/",
        "checkpoints": "checkpoints/<run>/",
        "evaluation": "evaluations/<run>/",
        "evaluation_document": "evaluations/<run>/evaluation.json",
        "answers": "evaluations/<run>/answers.jsonl",
        "term_profile": "evaluations/<run>/term_profile.npz",
        "promotion": "evaluations/<run>/promotion.json",
    }
    assert prepared.labelled("train") == "labelled/train/run_id=<run>/"
    assert prepared.split_manifest("test") == "runs/<run>/plan/test.manifest"
    assert models.artifact("job") == "training/<run>/job/output/model.tar.gz"
    assert output.predictions == f"predictions/run_date=2026-07-15/run_id={RUN}/"
    assert output.history == f"run_history/run_date=2026-07-15/{RUN}.json"
    assert {name: key.replace(RUN, "<run>") for name, key in vars(output).items()} == {
        "run_id": "<run>",
        "folder": "runs/run_id=<run>/",
        "report_page": "runs/run_id=<run>/report.html",
        "marker": "runs/run_id=<run>/published.json",
        "document": "runs/run_id=<run>/run.json",
        "exports": "exports/run_id=<run>/",
        "review_folder": "review/run_id=<run>/",
        "review": "review/run_id=<run>/review.csv",
        "review_page": "review/run_id=<run>/review.html",
        "review_workbook": "review/run_id=<run>/review.xlsx",
        "labels_to_check": "review/run_id=<run>/labels_to_check.csv",
        "rejected_folder": "rejected/run_id=<run>/",
        "rejected": "rejected/run_id=<run>/rejected.csv",
    }


PACKAGE = {
    "ModelPackageGroupName": "group",
    "ModelPackageVersion": 3,
    "InferenceSpecification": {"Containers": [{"ModelDataUrl": "s3://models/model.tar.gz"}]},
    "CustomerMetadataProperties": {"run_id": RUN, "macro_f1": "0.8125", "evaluation_uri": "s3://models/evaluations/r2/"},
}


@pytest.mark.parametrize(
    ("metadata", "evaluation_uri", "macro_f1", "why"),
    [
        ({}, "s3://models/evaluations/r2/", 0.8125, "as it was recorded, whatever the run's id says"),
        ({"evaluation_uri": None}, "none", 0.8125, "a package with a run but without an evaluation: Publish must not look"),
        ({"evaluation_uri": "missing"}, "none", 0.8125, "a person wrote a word there"),
        ({"macro_f1": "missing"}, "s3://models/evaluations/r2/", 0, "the candidate's evaluation was incomplete"),
        ({"macro_f1": "nan"}, "s3://models/evaluations/r2/", 0, "JSON has no NaN"),
        ({"macro_f1": None}, "s3://models/evaluations/r2/", 0, "a person registered it"),
    ],
)
def test_the_champions_entry_comes_from_the_package_alone(
    metadata: dict[str, str | None], evaluation_uri: str, macro_f1: float, why: str
) -> None:
    recorded = {**PACKAGE["CustomerMetadataProperties"], **metadata}  # type: ignore[dict-item]
    package = {**PACKAGE, "CustomerMetadataProperties": {name: text for name, text in recorded.items() if text is not None}}
    entry = state.champion_entry(package, request_uri="s3://prepared/plan/", role_arn=ROLE, network={})
    assert (entry["evaluation_uri"], entry["macro_f1"]) == (evaluation_uri, macro_f1), why
    assert (entry["version"], entry["model_data_url"]) == ("3", "s3://models/model.tar.gz")
    assert re.fullmatch(r"group-v3-[0-9a-f]{8}", entry["model_name"])


ROLE = "arn:aws:iam::123456789012:role/model-role"


def test_without_a_champion_the_entry_has_a_value_for_every_state() -> None:
    entry = state.champion_entry(None, request_uri="s3://prepared/plan/", role_arn=ROLE, network={})
    assert entry == {**state.NO_CHAMPION, "model_data_url": "s3://prepared/plan/"}
    assert entry.keys() == state.Champion.__annotations__.keys()


def test_documents_and_ledger_items_carry_a_version() -> None:
    for document in (state.StateInput, ledger.RunItem, ledger.FileItem, report.Report, run.RunDocument):
        assert "schema_version" in document.__annotations__, document


def test_every_code_has_a_sentence() -> None:
    for codes in (
        report.Reason,
        report.Flag,
        report.NoteCode,
        report.RecordStatus,
        run.RunStatus,
        run.ExportStatus,
        review.ReviewReason,
    ):
        for code in codes:
            assert len(code.description) > 10, code
            assert f"{code}" == code == code.value


def _fields(document: Any) -> dict[str, Any]:
    return {name: get_args(kind) for name, kind in get_type_hints(document).items()}


def test_the_types_of_the_evaluation_have_the_fields_of_its_schema() -> None:
    schema = json.loads((ROOT / "docs/evaluation.schema.json").read_text(encoding="utf-8"))
    measured = schema["$defs"]["measured"]["properties"]
    recall = schema["$defs"]["comparison"]["properties"]["recall"]["additionalProperties"]["properties"]
    for document, properties in (
        (evaluation.Evaluation, schema["properties"]),
        (evaluation.RefusedEvaluation, schema["$defs"]["refused"]["properties"]),
        (evaluation.Holdout, schema["properties"]["holdout"]["properties"]),
        (evaluation.MeasuredChampion, measured),
        (evaluation.CrossFitted, schema["$defs"]["cross_fitted"]["properties"]),
        (evaluation.LabelMetrics, measured["per_label"]["additionalProperties"]["properties"]),
        (evaluation.Bin, measured["reliability"]["items"]["properties"]),
        (evaluation.Coverage, measured["coverage_curve"]["items"]["properties"]),
        (evaluation.Part, schema["$defs"]["parts"]["additionalProperties"]["properties"]),
        (evaluation.Comparison, schema["$defs"]["comparison"]["properties"]),
        (evaluation.RecallChange, recall),
        (evaluation.LowerRecall, schema["$defs"]["comparison"]["properties"]["lower_recall"]["properties"]),
    ):
        assert _fields(document).keys() == properties.keys(), document
    assert schema["properties"]["schema_version"]["const"] == evaluation.EVALUATION_VERSION


def test_the_separators_of_files_have_one_name_each() -> None:
    assert set(files.SEPARATORS) == set(",;\t|")
    assert len(set(files.SEPARATORS.values())) == len(files.SEPARATORS)


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a.csv", ".csv"),
        ("A.CSV.GZ", ".csv"),
        ("a.jsonl", ".jsonl"),
        ("a.xlsx", ".xlsx"),
        ("a.xlsx.gz", None),
        ("A.ZIP", ".zip"),
        ("a.xls", None),
        ("csv", None),
        ("a.csv.zip", ".zip"),
    ],
)
def test_an_ending_is_supported_with_and_without_gzip(name: str, ending: str | None) -> None:
    assert files.file_ending(name) == ending


def _literals(path: Path) -> Iterator[tuple[int, str]]:
    """The strings of a file, parts of f-strings among them; neither docstrings nor comments."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


LAYOUT = re.compile(
    r"run_id=|run_date=|(?:^|[/'])(?:runs|labelled|evaluations|checkpoints|run_history|exports|review|rejected|predictions)/"
    r"|/(?:records|to_score|scored|report\.json|publish\.json|published\.json|run\.json|request\.json|evaluation\.json)\b"
    r"|^(?:FILE|RUN)#"
)


@pytest.mark.slow
def test_no_other_file_has_the_layout_of_a_key() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text[:80]!r}"
        for source in SOURCES
        for path in ([ROOT / source] if source.endswith(".py") else sorted((ROOT / source).rglob("*.py")))
        if "node_modules" not in path.parts
        for line, text in _literals(path)
        if LAYOUT.search(text)
    ]
    assert found == []


def test_the_check_of_literals_sees_a_key(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text('"""Reads runs/x/report.json."""\nkey = f"runs/{run}/report.json"\n', encoding="utf-8")
    assert [line for line, text in _literals(path) if LAYOUT.search(text)] == [2, 2]

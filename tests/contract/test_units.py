"""The template and the code that it runs agree: variables, arguments, settings, hyperparameters; units import nothing of others."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from common.settings import read_settings
from record_run.history import NOT_OF_A_SERVICE

from local_aws import ROOT
from ptmlops_contracts.run import CANCELLED_ERROR
from tests.contract.conftest import Assembly
from tests.contract.test_archives import ALL_FUNCTIONS, FUNCTIONS

SOURCE_ROOTS = ("glue_jobs", "training", "lambdas", "ptmlops_contracts")
# Powertools reads them itself.
POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}


class Recorded(Mapping[str, str]):
    """An environment that answers everything and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return '{"mode": "automatic"}' if name in ("PRICES", "POLICY", "PROMOTION_POLICY") else "1"

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_gets_exactly_the_variables_that_it_reads(name: str, assembly: Assembly) -> None:
    recorded = Recorded()
    read_settings(importlib.import_module(f"{name}.handler").Settings, recorded)
    functions = assembly.templates["workflow"].properties("AWS::Lambda::Function")
    [variables] = [
        function["Environment"]["Variables"]
        for function in functions
        if function["Handler"] == f"{name}.handler.lambda_handler"
    ]
    assert set(variables) == recorded.asked | POWERTOOLS
    assert variables["POWERTOOLS_SERVICE_NAME"] == name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(KeyError):
        read_settings(importlib.import_module(f"{name}.handler").Settings, {})


def test_the_glue_jobs_get_exactly_their_arguments(assembly: Assembly, definition: dict[str, Any]) -> None:
    own_of_glue = re.compile(
        r"--(job-language|extra-py-files|additional-python-modules|python-modules-installer-option|enable-auto-scaling|conf|TempDir|job-bookmark)"
    )
    jobs = assembly.templates["preparation"].properties("AWS::Glue::Job")
    for script, state in (("prepare_complaints", "Prepare"), ("publish_predictions", "Publish")):
        [defaults] = [
            job["DefaultArguments"]
            for job in jobs
            if ("--models_bucket" in job["DefaultArguments"]) == (script == "publish_predictions")
        ]
        given = {name for name in defaults if not own_of_glue.match(name)}
        given |= {name.removesuffix(".$") for name in definition["States"][state]["Parameters"]["Arguments"]}
        argv = [part for name in sorted(given) for part in (name, "value")]
        parsed = vars(importlib.import_module(script).parse_arguments(argv))
        assert {f"--{name}" for name in parsed} == given, script


def _module(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_settings_asset_is_what_the_jobs_read(assembly: Assembly) -> None:
    from complaints_etl.job_settings import JobSettings

    found = assembly.folder.glob("asset.*.json")
    tables = [json.loads(path.read_text(encoding="utf-8")) for path in found]
    [settings] = [JobSettings.from_tables(table) for table in tables if "complaints" in table]
    assert settings.columns["label"][:2] == ("label", "category")


def test_every_tuned_and_static_hyperparameter_is_one_that_training_takes(definition: dict[str, Any]) -> None:
    from train import parse_settings

    parameters = definition["States"]["Train"]["Parameters"]
    ranges = parameters["HyperParameterTuningJobConfig"]["ParameterRanges"]
    arguments: list[str] = []
    for kind in ("ContinuousParameterRanges", "IntegerParameterRanges"):
        for item in ranges.get(kind, []):
            arguments += [f"--{item['Name']}", item["MinValue"]]
    for item in ranges.get("CategoricalParameterRanges", []):
        arguments += [f"--{item['Name']}", item["Values"][0]]
    static = parameters["TrainingJobDefinition"]["StaticHyperParameters"]
    for name, value in static.items():
        if not name.startswith("sagemaker_"):
            arguments += [f"--{name.removesuffix('.$')}", value]
    assert parse_settings(arguments)
    metrics = parameters["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"]
    line = "validation macro_f1=0.7412; standard_error=0.0061;"
    found = {metric["Name"]: re.findall(metric["Regex"], line) for metric in metrics}
    assert found == {"validation:macro_f1": ["0.7412"], "validation:macro_f1_standard_error": ["0.0061"]}


@pytest.mark.parametrize("root", SOURCE_ROOTS)
def test_a_source_root_imports_itself_and_the_contracts(root: str) -> None:
    """An archive holds one root and the contracts: an import across would work here and fail there."""
    mine = {path.stem for path in (ROOT / root).iterdir()} | {"ptmlops_contracts"}
    others = {path.stem for other in SOURCE_ROOTS if other != root for path in (ROOT / other).iterdir()}
    foreign = (others | {"stacks", "local_aws", "ptmlops", "app"}) - mine - {"__pycache__"}
    for path in (ROOT / root).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.split(".")[0] not in foreign, f"{path}: {name}"


def test_the_contracts_import_nothing_but_the_standard_library() -> None:
    allowed = sys.stdlib_module_names | {"ptmlops_contracts"}
    for path in (ROOT / "ptmlops_contracts").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] not in allowed), path
            assert not (isinstance(node, ast.Import) and any(a.name.split(".")[0] not in allowed for a in node.names)), path


@pytest.mark.parametrize("name", ALL_FUNCTIONS)
def test_a_function_imports_itself_and_what_functions_share(name: str) -> None:
    """Functions lie in one archive, and are still deployed, and understood, one by one."""
    others = set(ALL_FUNCTIONS) - {name}
    for path in [*(ROOT / "lambdas" / name).glob("*.py"), *(ROOT / "lambdas/common").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in others, f"{path}: {node.module}"


def classes_of(*folders: str) -> set[str]:
    """The names of all classes in these folders."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def test_errors_that_are_told_apart_by_name_exist(definition: Mapping[str, Any]) -> None:
    """A service knows an exception by the name of its class."""
    text = json.dumps(definition)
    made = set(re.findall(r'"Error": "(\w+)"', text)) | {CANCELLED_ERROR}  # by the state machine, and by who stops a run
    caught = {name for names in re.findall(r'"ErrorEquals": \[([^]]*)\]', text) for name in re.findall(r'"(\w+)"', names)}
    assert "CodeReplacedError" in caught
    assert caught - made <= classes_of("lambdas")
    assert set(NOT_OF_A_SERVICE) - made <= classes_of("lambdas", "glue_jobs", "training")


def test_the_contract_names_every_output(assembly: Assembly) -> None:
    text = (ROOT / "docs/contracts.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[A-Za-z]+", re.search(r"## Stack outputs\s+`([^`]+)`", text)[1]))  # type: ignore[index]
    found = {name for template in assembly.templates.values() for name in template.body.get("Outputs", {})}
    exported = {name for name in found if name.startswith("ExportsOutput")}  # what one stack gives another, named by CDK
    assert named == found - exported

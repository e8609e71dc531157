"""The template and the code that it runs agree: variables, arguments, entry points, hyperparameters, endings, labels."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from local_aws import ROOT
from ptmlops import uploads
from tests.stacks.conftest import Template, synthesize

FUNCTIONS = ("start_run", "plan_run", "promote_model", "record_run")
SOURCE_ROOTS = ("glue_jobs", "training", *(f"lambdas/{name}" for name in FUNCTIONS))


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Template]]:
    folder = tmp_path_factory.mktemp("contract")
    return folder, synthesize("local", folder)


def _handler(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A function's handler module, imported as Lambda imports it; its siblings are not left behind for the next one."""
    folder = ROOT / "lambdas" / name
    monkeypatch.syspath_prepend(str(folder))
    for sibling in folder.glob("*.py"):
        monkeypatch.delitem(sys.modules, sibling.stem, raising=False)
    specification = importlib.util.spec_from_file_location(f"{name}_handler", folder / "handler.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, f"{name}_handler", module)
    specification.loader.exec_module(module)
    for sibling in folder.glob("*.py"):
        sys.modules.pop(sibling.stem, None)
    return module


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


def _function(assembly: tuple[Path, dict[str, Template]], name: str) -> dict[str, Any]:
    """The function whose package is `lambdas/<name>`: its S3 key is the hash in the asset folder's name."""
    folder, templates = assembly
    wanted = {path.name for path in (ROOT / "lambdas" / name).glob("*.py")}
    assets = [path for path in folder.glob("asset.*") if path.is_dir() and {file.name for file in path.glob("*.py")} == wanted]
    hashes = {asset.name.removeprefix("asset.") for asset in assets}
    functions = templates["workflow"].properties("AWS::Lambda::Function")
    [function] = [found for found in functions if found["Code"]["S3Key"].removesuffix(".zip") in hashes]
    return function


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_gets_exactly_the_variables_that_it_reads(
    name: str, assembly: tuple[Path, dict[str, Template]], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = _handler(name, monkeypatch)
    recorded = Recorded()
    module.Settings.from_environ(recorded)
    assert set(_function(assembly, name)["Environment"]["Variables"]) == recorded.asked


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_missing_variable_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError):
        _handler(name, monkeypatch).Settings.from_environ({})


def test_the_glue_jobs_get_exactly_their_arguments(
    assembly: tuple[Path, dict[str, Template]], definition: dict[str, Any]
) -> None:
    own_of_glue = re.compile(
        r"--(job-language|extra-py-files|additional-python-modules|python-modules-installer-option|conf|TempDir|job-bookmark)"
    )
    jobs = assembly[1]["preparation"].properties("AWS::Glue::Job")
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


def test_the_settings_asset_is_what_the_jobs_read(assembly: tuple[Path, dict[str, Template]]) -> None:
    from complaints_etl.job_settings import JobSettings

    folder, _ = assembly
    found = folder.glob("asset.*.json")
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


def test_entry_scripts_are_in_the_training_archive(
    assembly: tuple[Path, dict[str, Template]], definition: dict[str, Any]
) -> None:
    import tarfile

    folder, _ = assembly
    names: set[str] = set()
    for path in folder.rglob("*.tar.gz"):
        with tarfile.open(path) as archive:
            names |= {name.removeprefix("./") for name in archive.getnames()}
    assert {"train.py", "evaluate.py", "inference.py", "complaint_model/fit.py"} <= names


@pytest.mark.parametrize("root", SOURCE_ROOTS)
def test_a_source_root_imports_nothing_of_another(root: str) -> None:
    """What AWS mounts is one folder: an import across would work here and fail there."""
    mine = {path.stem for path in (ROOT / root).iterdir()}
    others = {path.stem for other in SOURCE_ROOTS if other != root for path in (ROOT / other).iterdir()}
    foreign = (others | {"stacks", "local_aws", "ptmlops", "app"}) - mine - {"__pycache__"}
    for path in (ROOT / root).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.split(".")[0] not in foreign, f"{path}: {name}"


def test_the_command_line_refuses_what_prepare_cannot_read_and_nothing_else() -> None:
    from complaints_etl.readers.table import SUPPORTED_ENDINGS

    assert uploads.SUPPORTED_ENDINGS == SUPPORTED_ENDINGS


def test_every_output_that_the_contract_names_is_there(assembly: tuple[Path, dict[str, Template]]) -> None:
    text = (ROOT / "docs/contracts.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[A-Za-z]+", re.search(r"## Stack outputs\s+`([^`]+)`", text)[1]))  # type: ignore[index]
    found = {name for template in assembly[1].values() for name in template.body.get("Outputs", {})}
    assert named <= found

"""Every unit runs from its archive alone: each entry point is imported from what synth built, beside third-party packages.

Lambda runs Python 3.14, Glue 3.11, SageMaker's image 3.12. An interpreter that this machine has not is replaced by a check of the
syntax and of the standard library's names (vermin).
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import vermin

from local_aws import ROOT
from ptmlops_contracts.keys import TRAINING_CODE
from tests.contract.conftest import Assembly

FUNCTIONS = ("start_run", "collect_run", "plan_run", "promote_model", "record_run")
ALL_FUNCTIONS = (*FUNCTIONS, "deploy_code")  # CloudFormation calls this one, and it has no variables of its own
THIRD_PARTY = sysconfig.get_path("purelib")
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
# Every Python from the oldest that the contracts promise to the newest that a unit runs on.
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
# The environment's .pth files would put this checkout on the path.
IMPORT = """
import importlib, json, sys
modules = json.loads(sys.argv[1])
sys.path[:] = json.loads(sys.argv[2]) + [path for path in sys.path if "site-packages" not in path and path]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
print(json.dumps({name: importlib.import_module(name).__file__ for name in modules}))
"""


@pytest.fixture(scope="session")
def archives(assembly: Assembly, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The archive of each unit, unpacked, but for Glue's, which Spark imports from as it is."""
    base = tmp_path_factory.mktemp("archives")
    functions = assembly.templates["workflow"].properties("AWS::Lambda::Function")
    [lambdas] = {function["Code"]["S3Key"] for function in functions}
    with zipfile.ZipFile(assembly.asset(lambdas)) as archive:
        archive.extractall(base / "lambdas")  # noqa: S202 - our own, made a moment ago
    libraries = {
        job["DefaultArguments"]["--extra-py-files"]["Fn::Sub"]
        for job in assembly.templates["preparation"].properties("AWS::Glue::Job")
    }
    [library] = libraries
    [source] = assembly.folder.glob("asset.*.gz")
    with tarfile.open(source) as archive:
        members = [member for member in archive.getmembers() if not member.name.startswith("wheels/")]
        archive.extractall(base / "training", members=members)  # noqa: S202 - our own
    return {"lambdas": base / "lambdas", "glue": assembly.asset(library), "training": base / "training"}


@pytest.mark.slow
def test_the_glue_archive_has_the_data_files_of_its_packages(archives: dict[str, Path]) -> None:
    package = ROOT / "glue_jobs" / "complaints_etl"
    data = {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.suffix in (".toml", ".j2", ".css", ".json")
    }
    with zipfile.ZipFile(archives["glue"]) as archive:
        assert data
        assert data <= set(archive.namelist())


def interpreter(version: str) -> str | None:
    """A Python of this version, or None if this machine has none."""
    if version == HERE:
        return sys.executable
    path = shutil.which(f"python{version}")
    # pyenv puts every version on the PATH, and runs one if this variable names it.
    environment = {**os.environ, "PYENV_VERSION": version}
    command = [path or "", "-c", "import sys; print(sys.executable)"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False) if path else None
    return done.stdout.strip() if done and done.returncode == 0 else None


def imported(python: str, modules: list[str], path: list[str | Path]) -> dict[str, str]:
    """Import modules in a process that has nothing else on its path, and say where each came from."""
    command = [python, "-I", "-B", "-c", IMPORT, json.dumps(modules), json.dumps([str(entry) for entry in path])]
    environment = {"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_METRICS_NAMESPACE": "test"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def sources(archive: Path) -> dict[str, str]:
    """Our own Python files of an archive: other packages are checked by importing them."""
    if archive.is_file():
        with zipfile.ZipFile(archive) as packed:
            return {name: packed.read(name).decode() for name in packed.namelist() if name.endswith(".py")}
    return {
        path.relative_to(archive).as_posix(): path.read_text(encoding="utf-8")
        for path in archive.rglob("*.py")
        if path.relative_to(archive).parts[0] not in ("aws_lambda_powertools", "jmespath", "typing_extensions.py")
    }


def minor(version: str) -> int:
    """The 11 of 3.11."""
    return int(version.split(".")[1])


def needed(files: dict[str, str]) -> int:
    """The minor version of the oldest Python 3 that knows the syntax of these sources and the library's names in them."""
    config = vermin.Config()
    oldest = 0
    for name, text in files.items():
        visitor = vermin.visit(text, config, name)
        _, python3 = visitor.minimum_versions()
        oldest = max(oldest, python3[1] if python3 else 0)
    return oldest


@pytest.mark.parametrize(
    ("unit", "python", "modules"),
    [
        ("lambdas", "3.14", [f"{name}.handler" for name in ALL_FUNCTIONS]),
        ("lambdas", "3.13", [f"{name}.handler" for name in ALL_FUNCTIONS]),
        ("lambdas", "3.11", [f"{name}.handler" for name in ALL_FUNCTIONS]),
        (
            "glue",
            "3.11",
            [
                "complaints_etl.prepare",
                "complaints_etl.publish.exports",
                "complaints_etl.publish.report_page",
                "complaints_etl.publish.review_page",
                "ptmlops_contracts.keys",
            ],
        ),
        ("training", "3.11", ["train", "evaluate", "inference", "ptmlops_contracts.evaluation"]),
    ],
)
@pytest.mark.slow
def test_entry_points_import_from_their_archive_alone(
    archives: dict[str, Path], unit: str, python: str, modules: list[str]
) -> None:
    executable = interpreter(python)
    if executable is None:
        assert needed(sources(archives[unit])) <= minor(python)
        return
    found = imported(executable, modules, [archives[unit], THIRD_PARTY])
    assert all(path.startswith(str(archives[unit])) for path in found.values()), found


@pytest.mark.slow
def test_the_glue_scripts_import_from_the_library_alone(archives: dict[str, Path], assembly: Assembly, tmp_path: Path) -> None:
    for job in assembly.templates["preparation"].properties("AWS::Glue::Job"):
        script = assembly.asset(job["Command"]["ScriptLocation"]["Fn::Sub"])
        shutil.copy(script, tmp_path / "script.py")
        imported(sys.executable, ["script"], [tmp_path, archives["glue"], THIRD_PARTY])


def test_the_functions_bring_the_powertools_that_they_import(archives: dict[str, Path]) -> None:
    names = ["aws_lambda_powertools", "jmespath", "typing_extensions"]
    found = imported(sys.executable, ["start_run.handler", *names], [archives["lambdas"], THIRD_PARTY])
    assert all(Path(found[name]).is_relative_to(archives["lambdas"]) for name in names), found


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("unit", ["lambdas", "glue", "training"])
def test_the_contracts_import_in_every_archive_on_every_python(archives: dict[str, Path], unit: str, python: str) -> None:
    files = {name: text for name, text in sources(archives[unit]).items() if name.startswith("ptmlops_contracts/")}
    assert len(files) >= 8
    executable = interpreter(python)
    if executable is None:
        return  # the next test looks at the sources
    modules = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in files]
    imported(executable, sorted(modules), [archives[unit]])


def test_no_contract_needs_a_newer_python_than_the_oldest(archives: dict[str, Path]) -> None:
    for archive in archives.values():
        contracts = {name: text for name, text in sources(archive).items() if name.startswith("ptmlops_contracts/")}
        assert needed(contracts) <= minor(PYTHONS[0])


def test_a_name_of_a_newer_standard_library_is_seen() -> None:
    assert needed({"new.py": "from datetime import UTC\n"}) == 11


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "oldest"), [("lambdas", "3.12"), ("glue", "3.11"), ("training", "3.11")])
def test_no_archive_needs_a_newer_python_than_its_runtime(archives: dict[str, Path], unit: str, oldest: str) -> None:
    assert needed(sources(archives[unit])) <= minor(oldest)


def test_no_pattern_repeats_a_group_possessively() -> None:
    """Python before 3.11.5 matches such a pattern wrongly (CPython's gh-106052), and which 3.11 Glue runs is not documented."""
    possessive = re.compile(r"(?<!\\)\)(?:[*+?]|\{+[0-9,]+\}+)\+|\(\?>")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("glue_jobs", "lambdas", "training", "ptmlops_contracts")
        for path in (ROOT / folder).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if possessive.search(line)
    ]
    assert not found


def test_the_handlers_of_the_template_are_functions_of_the_archive(archives: dict[str, Path], assembly: Assembly) -> None:
    handlers: list[Any] = [
        function["Handler"] for function in assembly.templates["workflow"].properties("AWS::Lambda::Function")
    ]
    assert sorted(handlers) == sorted(f"{name}.handler.lambda_handler" for name in FUNCTIONS)
    for handler in handlers:
        module, _, function = handler.rpartition(".")
        tree = ast.parse((archives["lambdas"] / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
        assert function in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_a_trial_records_the_version_of_the_code_that_was_deployed(archives: dict[str, Path], assembly: Assembly) -> None:
    """Promote knows the version from synthesis. A trial computes it from the files that it was unpacked from."""
    from complaint_model.provenance import code_version

    [deployed] = [
        function["Environment"]["Variables"]["CODE_VERSION"]
        for function in assembly.templates["workflow"].properties("AWS::Lambda::Function")
        if function["Handler"].startswith("promote_model")
    ]
    assert code_version(archives["training"]) == deployed


def test_plan_knows_the_digest_of_the_code_that_jobs_read_and_of_its_wheels(assembly: Assembly) -> None:
    [source] = assembly.folder.glob("asset.*.gz")
    [plan] = [
        json.dumps(function["Environment"]["Variables"]["TRAINING_CODE"])
        for function in assembly.templates["workflow"].properties("AWS::Lambda::Function")
        if function["Handler"].startswith("plan_run")
    ]
    assert hashlib.sha256(source.read_bytes()).hexdigest() in plan
    assert f"/{source.name.split('.')[1]}.gz" in plan, "where it can be copied from"
    assert TRAINING_CODE in plan
    with tarfile.open(source) as archive:
        assert any(name.startswith("wheels/") for name in archive.getnames())

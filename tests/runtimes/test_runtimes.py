"""The unit tests of jobs and functions pass with the Python and the libraries of the service that runs them.

Each runtime is an environment of its own in build/runtimes/, installed from a lock file with hashes. The report of the tests in it names
the versions, so that an environment with other versions fails.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENVIRONMENTS = ROOT / "build" / "runtimes"
VERSIONS = """
import importlib.metadata, json, platform, sys
found = {name: importlib.metadata.version(name) for name in sys.argv[1:]}
print(json.dumps({"python": ".".join(platform.python_version_tuple()[:2]), **found}))
"""
PASSED = re.compile(r"^(\d+) passed\b", re.MULTILINE)

GLUE = {"python": "3.11", "pyspark": "3.5.6", "pyarrow": "22.0.0", "numpy": "2.3.4", "pandas": "2.3.3"}
SCIKIT_LEARN = {
    "python": "3.12", "scikit-learn": "1.9.0", "numpy": "2.5.1", "scipy": "1.18.0", "pandas": "2.2.3", "pyarrow": "25.0.0",
}  # fmt: skip
# Some tests of pages ask the CDK app what the job's archive holds, or a browser what a page shows. Those of themes train a model.
GLUE_TESTS = (
    "tests/unit/etl", "tests/unit/publish", "--ignore-glob=*_in_browser.py",
    *(f"--ignore=tests/unit/publish/{name}.py" for name in ("test_report", "test_report_costs", "test_themes")),
    "--deselect=tests/unit/publish/test_overview.py::test_the_review_page_shows_names_and_downloads_labels",
)  # fmt: skip
# The model of the ledger and a server in the tests of deploy_code need threads, which WebAssembly does not have.
# The gate's tests compute what Evaluate writes with SciPy, which is not in the functions' runtime and not in WebAssembly.
FUNCTION_TESTS = (
    "tests/unit/lambdas", "--ignore=tests/unit/lambdas/test_collecting_model.py", "--ignore=tests/unit/lambdas/test_gate.py",
    "--ignore=tests/unit/lambdas/test_promote_model.py", "--ignore=tests/unit/lambdas/test_deploy_code.py",
)  # fmt: skip
FUNCTIONS = ("collect_run", "deploy_code", "plan_run", "promote_model", "record_run", "start_run")


def _run(*command: str, seconds: int = 600, check: bool = True, **variables: str) -> str:
    environment = {**os.environ, **variables}
    for name in ("VIRTUAL_ENV", "PTMLOPS_NIGHTLY"):  # another environment, and the usual number of generated cases
        environment.pop(name, None)
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        timeout=seconds,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert not check or done.returncode == 0, f"{' '.join(command[:4])}: status {done.returncode}\n{done.stdout[-6000:]}"
    return done.stdout


def _interpreters() -> str:
    """Return a PATH with the Pythons of pyenv, whose shims refuse versions that are not switched on."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    versions = [str(folder) for folder in sorted(root.glob("versions/*/bin"))]
    return os.pathsep.join([*versions, os.environ["PATH"]])


def _environment(name: str, python: str) -> str:
    """Install a runtime's lock file. Return the path of its Python."""
    folder = ENVIRONMENTS / name
    interpreter = str(folder / "bin" / "python")
    # uv fetches an interpreter that the machine does not have.
    _run("uv", "venv", "--quiet", "--allow-existing", "--python", python, str(folder), PATH=_interpreters())
    _run("uv", "pip", "sync", "--quiet", "--require-hashes", "--python", interpreter, str(HERE / f"{name}.lock"))
    return interpreter


def _passed(output: str) -> int:
    found = PASSED.search(output)
    assert found, output[-6000:]
    assert " skipped" not in output[found.start() :], output[-6000:]
    return int(found[1])


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("name", "versions", "tests", "at_least"),
    [
        pytest.param("glue-5.1", GLUE, GLUE_TESTS, 300, id="glue_jobs on Glue 5.1"),
        pytest.param("scikit-learn-1.9-0", SCIKIT_LEARN, ("tests/unit/training",), 300, id="training on scikit-learn 1.9-0"),
    ],
)
def test_a_job_passes_its_tests_with_the_libraries_of_its_runtime(
    name: str, versions: dict[str, str], tests: tuple[str, ...], at_least: int
) -> None:
    python = _environment(name, versions["python"])
    assert json.loads(_run(python, "-c", VERSIONS, *(set(versions) - {"python"}))) == versions

    # Spark starts its Python workers by this name.
    variables = {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": python}
    output = _run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, seconds=1700, **variables)

    assert _passed(output) >= at_least


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_functions_pass_their_tests_on_python_3_14() -> None:
    """No registry has a Python 3.14 for every machine, and that of the npm package pyodide is CPython, compiled to WebAssembly."""
    node, packages = HERE / "node", ENVIRONMENTS / "lambda-3.14"
    _run("npm", "ci", "--prefix", str(node), "--silent", "--no-audit", "--no-fund")
    shutil.rmtree(packages, ignore_errors=True)
    _run(
        "uv", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "--python-version", "3.14",
        "--python-platform", "x86_64-manylinux_2_28", "--target", str(packages), "--requirements", str(HERE / "lambda-3.14.lock"),
    )  # fmt: skip
    # WebAssembly has no signals, which limits of time need.
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-o", "timeout=0")

    output = _run("node", str(node / "run.mjs"), str(ROOT), str(packages), *options, *FUNCTION_TESTS, seconds=1100)

    assert re.search(r"^Python 3\.14\.", output, re.MULTILINE), output[:2000]
    assert f"Imported: {' '.join(f'{name}.handler' for name in FUNCTIONS)}" in output
    assert _passed(output) >= 90

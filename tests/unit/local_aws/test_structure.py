"""How the modules of local AWS depend on each other and on moto."""

# ruff: noqa: ARG005 - functions here have the parameters of what they replace

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_aws import ROOT, patching

PACKAGE = ROOT / "local_aws"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if "node_modules" not in path.parts
}


def imported_modules(path: Path) -> set[str]:
    """Return the modules of local AWS that a file imports, at its top or inside of functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                names.add(full if full in MODULES else node.module)
    return names & set(MODULES)


def test_no_module_imports_itself_through_others() -> None:
    graph = {name: imported_modules(path) for name, path in MODULES.items()}
    assert sum(map(len, graph.values())) > 50  # the imports were found
    TopologicalSorter(graph).prepare()  # raises CycleError, with the modules of the cycle


@pytest.mark.nightly
def test_each_module_can_be_imported_first() -> None:
    """In an interpreter that has imported no other module of the package's services."""
    script = f"""
import importlib, os, sys
for name in {sorted(MODULES)!r}:
    process = os.fork()
    if not process:
        importlib.import_module(name)
        os._exit(0)
    assert os.waitpid(process, 0)[1] == 0, name
"""
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.slow
def test_moto_is_patched_in_one_place_only() -> None:
    """`Class.method = …` on an imported name would skip the check of signatures."""
    found = []
    for name, path in MODULES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            alias.asname or alias.name.rpartition(".")[2]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            found += [
                f"{name}:{node.lineno}"
                for target in targets
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id in imported
            ]
            is_setattr = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr"
            if is_setattr and name != "local_aws.patching":
                found.append(f"{name}:{node.lineno}")
    assert not found


# -- patching ---------------------------------------------------------------------------------------------------------------


def library() -> Any:
    """A class that stands for one of moto's."""

    class Backend:
        limit = 1

        def start(self, name: str, wait: bool = False) -> str:
            return f"{name} {wait}"

        @classmethod
        def create(cls, name: str) -> tuple[str, str]:
            return cls.__name__, name

        @staticmethod
        def twice(number: int) -> int:
            return 2 * number

    Backend.__module__ = "moto.sagemaker.models"
    return Backend


def test_an_extension_gets_the_original_and_keeps_the_kind_of_method() -> None:
    backend = library()

    @patching.extend(backend, "start")
    def start(original: Any, self: Any, name: str, wait: bool = False) -> str:
        return f"extended {original(self, name, wait)}"

    @patching.extend(backend, "create")
    def create(original: Any, cls: Any, name: str) -> Any:
        return (*original(cls, name), "extended")

    @patching.extend(backend, "twice")
    def twice(original: Any, number: int) -> int:
        return int(original(number)) + 1

    assert backend().start("a", wait=True) == "extended a True"
    assert backend.create("b") == ("Backend", "b", "extended")
    assert backend.twice(2) == 5


def test_a_replacement_takes_the_place_of_a_function_of_a_module() -> None:
    module = SimpleNamespace(__name__="moto.events.utils", send=lambda event: event)
    patching.replace(module, "send")(lambda event: f"replaced {event}")
    assert module.send("a") == "replaced a"


@pytest.mark.parametrize(
    ("name", "replacement", "why"),
    [
        ("start", lambda self, name: name, "a parameter less"),
        ("start", lambda self, name, wait=False, more=1: name, "a parameter more"),
        ("start", lambda self, title, wait=False: title, "another name"),
        ("start", lambda self, name, wait: name, "no default"),
        ("create", lambda cls: cls, "a class method without its parameter"),
    ],
)
def test_a_function_with_another_signature_is_not_replaced(name: str, replacement: Any, why: str) -> None:
    backend = library()
    with pytest.raises(patching.PatchError) as caught:
        patching.replace(backend, name)(replacement)
    message = str(caught.value)
    assert f"moto.sagemaker.models.{backend.__qualname__}.{name} takes (" in message, why
    assert f"local AWS was written for moto {patching.WRITTEN_FOR['moto']}: install that version, or adapt" in message
    assert backend().start("a") == "a False"


def test_what_is_gone_or_new_in_the_library_is_reported() -> None:
    backend = library()
    with pytest.raises(patching.PatchError, match="end does not exist"):
        patching.replace(backend, "end")(lambda self: None)
    with pytest.raises(patching.PatchError, match="start exists"):
        patching.add(backend, "start")(lambda self: None)
    with pytest.raises(patching.PatchError, match="limit should be of type str, and it is int"):
        patching.set_value(backend, "limit", "many")
    patching.add(backend, "end")(lambda self: "ended")
    patching.set_value(backend, "limit", 2)
    assert (backend().end(), backend.limit) == ("ended", 2)


def test_the_versions_that_patches_were_written_for_are_those_that_are_installed() -> None:
    """Whoever changes a version here runs all tests of local AWS, and then changes the table."""
    from importlib.metadata import version

    assert {library: version(library) for library in patching.WRITTEN_FOR} == patching.WRITTEN_FOR

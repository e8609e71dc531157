"""Collect every regular expression that ships, as Python compiles it: run as a program, because it must see each module's first import.

Patterns are made from lexicons and from each other, so their source text says little. Two ways together find them all: what the `re`
module compiles while every shipped module is imported, and the calls inside functions, whose arguments are evaluated in their module.
"""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

Key = tuple[str, int, bool]  # pattern, flags, whether it is of bytes

ROOT = Path(__file__).resolve().parents[3]
SOURCE_ROOTS = [ROOT / "glue_jobs", ROOT / "lambdas", ROOT / "training", ROOT]
PACKAGES = (
    "complaints_etl",
    "complaint_model",
    "ptmlops",
    "ptmlops_contracts",
)  # and all that lies in the roots of functions and jobs
# The place of the argument `flags` of each function.
FUNCTIONS = {
    "compile": 1,
    "search": 2,
    "match": 2,
    "fullmatch": 2,
    "findall": 2,
    "finditer": 2,
    "split": 3,
    "sub": 4,
    "subn": 4,
}
# What a pattern inside a function is made with, if nothing below calls the function.
LOCAL_NAMES: dict[str, dict[str, Any]] = {"ptmlops.erasure.person": {"wanted": r"[.,\- ]?".join("1032445667")}}
VALIDATES_TERMS = (
    "glue_jobs/complaints_etl/lexicon/lexicon.py",
    "_check",
)  # compiles parts of patterns, and matches nothing with them


def make_patterns_of_values() -> None:
    """Call what makes its pattern from values that it is called with."""
    from complaints_etl.entities import Names
    from complaints_etl.readers.csv_parser import CsvParser
    from complaints_etl.text.tokens import tokens

    Names.of(("tarjeta de crédito", "credit card", "app"))
    for separator in ",;|\t":
        CsvParser(separator, escaped=False)
    tokens("मेरा कार्ड")


def shipped_modules() -> list[str]:
    """Return the names of all modules of functions, jobs and the command line."""
    roots = [str(path) for path in SOURCE_ROOTS[:-1]]
    names = [module.name for module in pkgutil.walk_packages(roots) if not module.name.startswith(PACKAGES)]
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        assert found is not None, package
        names += [package, *(module.name for module in pkgutil.walk_packages(found.submodule_search_locations, f"{package}."))]
    return [name for name in names if not name.endswith("__main__")]


class Recorder:
    """Notes each pattern that a shipped module compiles, with the line that asked for it and how it is used."""

    def __init__(self) -> None:
        self.found: dict[Key, str] = {}
        self.names: dict[Key, str] = {}
        self.uses: dict[Key, set[str]] = {}
        self.lines: set[str] = set()
        self.unknown: list[str] = []

    def listen(self) -> None:
        """Take the place of the function that all of `re` compiles with."""
        compiles = re._compile  # type: ignore[attr-defined]

        def noted(pattern: Any, flags: int) -> re.Pattern[Any]:
            frame = sys._getframe(1)
            while frame is not None and frame.f_globals.get("__name__") == "re":
                frame = frame.f_back  # type: ignore[assignment]
            path = Path(frame.f_code.co_filename)
            compiled: re.Pattern[Any] = compiles(pattern, flags)
            if path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "tests"):
                file = str(path.relative_to(ROOT))
                self.lines.add(f"{file}:{frame.f_lineno}")
                if (file, frame.f_code.co_name) != VALIDATES_TERMS:
                    self.found.setdefault(key_of(compiled), f"{file}:{frame.f_lineno}")
            return compiled

        re._compile = noted  # type: ignore[attr-defined]

    def read(self, module: ModuleType) -> None:
        """Note the patterns inside the module's functions, which importing it does not make, and the uses of named patterns."""
        path = Path(str(module.__file__))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                pattern = vars(module).get(node.id)
                if isinstance(pattern, re.Pattern):
                    self.uses.setdefault(key_of(pattern), set()).add(use_of(parents, node))
        for name, value in vars(module).items():
            for pattern in patterns_in(value):
                self.names.setdefault(key_of(pattern), f"{module.__name__}.{name}")
        for inside, call in calls_in_functions(tree):
            where = f"{path.relative_to(ROOT)}:{call.lineno}"
            names = LOCAL_NAMES.get(module.__name__, {})
            function: str = call.func.attr  # type: ignore[attr-defined]
            try:
                source = evaluate(call.args[0], module, names)
            except NameError as error:
                if where not in self.lines:  # nor was it made when something was imported or called
                    self.unknown.append(f"{where}: {error}")
                continue
            place = FUNCTIONS[function]
            flags = [*call.args[place : place + 1], *(keyword.value for keyword in call.keywords if keyword.arg == "flags")]
            key = key_of(re.compile(source, sum(int(evaluate(flag, module, names)) for flag in flags)))
            self.found.setdefault(key, where)
            self.names.setdefault(key, f"{module.__name__}.{inside}")
            self.uses.setdefault(key, set()).add("any" if function == "compile" else function)


def key_of(pattern: re.Pattern[Any]) -> Key:
    """Return what tells patterns apart, as JSON can hold it."""
    text = pattern.pattern
    return (text, pattern.flags, False) if isinstance(text, str) else (text.decode("latin-1"), pattern.flags, True)


def evaluate(node: ast.expr, module: ModuleType, names: dict[str, Any]) -> Any:
    """Return the value of an expression of a module."""
    return eval(compile(ast.Expression(node), "pattern", "eval"), vars(module), names)  # noqa: S307 # this project's own code


def use_of(parents: dict[ast.AST, ast.AST], name: ast.Name) -> str:
    """Return the method that is called, or "any" if that is unknown, or if it is tried at many places of a text."""
    attribute = parents[name]
    if not isinstance(attribute, ast.Attribute):
        return "any"
    call = parents.get(attribute)
    has_place = isinstance(call, ast.Call) and call.func is attribute and len(call.args) > 1
    return "any" if has_place else attribute.attr


def patterns_in(value: Any) -> Iterator[re.Pattern[Any]]:
    """Yield a pattern, or those of a rule, or of a collection."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from patterns_in(item)
    elif isinstance(getattr(value, "pattern", None), re.Pattern):
        yield value.pattern


def calls_in_functions(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls of `re` in the body of a function, with the function's name."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for call in ast.walk(function):
                if (
                    isinstance(call, ast.Call)
                    and isinstance(call.func, ast.Attribute)
                    and isinstance(call.func.value, ast.Name)
                    and call.func.value.id == "re"
                    and call.func.attr in FUNCTIONS
                ):
                    yield function.name, call


if __name__ == "__main__":
    sys.path[:0] = map(str, SOURCE_ROOTS)
    recorder = Recorder()
    recorder.listen()
    wanted = tuple(sys.argv[1:])  # packages; all of them if none is named
    shipped = [name for name in shipped_modules() if not wanted or name.startswith(wanted)]
    modules = [importlib.import_module(name) for name in shipped]
    make_patterns_of_values()
    for module in modules:
        recorder.read(module)
    if recorder.unknown:
        raise SystemExit("Add a call that makes these patterns, or what they are made with:\n" + "\n".join(recorder.unknown))
    files = {str(Path(str(module.__file__)).relative_to(ROOT)) for module in modules}
    rows = [
        {
            "pattern": key[0],
            "flags": key[1],
            "bytes": key[2],
            "where": where,
            "name": recorder.names.get(key, ""),
            "uses": sorted(recorder.uses.get(key, {"any"})),
        }
        for key, where in sorted(recorder.found.items(), key=lambda item: item[1])
        if where.partition(":")[0] in files
    ]
    json.dump({"modules": shipped, "patterns": rows}, sys.stdout)

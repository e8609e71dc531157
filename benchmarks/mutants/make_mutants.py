"""Print mutants of a Python file as JSON: run by the environment that has cosmic-ray."""

from __future__ import annotations

import ast
import json
import random
import sys
from pathlib import Path

from cosmic_ray.ast import get_ast
from cosmic_ray.mutating import MutationVisitor, mutate_code
from cosmic_ray.plugins import get_operator, operator_names

# Operators that need arguments, and the one that removes decorators: of caches and properties, which change nothing or everything.
LEFT_OUT = ("core/VariableReplacer", "core/VariableInserter", "core/RemoveDecorator")
UNREADABLE = ""


def main(path: str, most: int, seed: int) -> None:
    """Print (operator, code) of at most `most` mutants, drawn from all that do something else than the module."""
    code = Path(path).read_text(encoding="utf-8")
    places = []
    for name in sorted(set(operator_names()) - set(LEFT_OUT)):
        if name.endswith(("_Is", "_IsNot")):  # identity of equal strings and small numbers is an accident of the interpreter
            continue
        counted = MutationVisitor(-1, get_operator(name)())
        counted.walk(get_ast(code))
        places += [(name, occurrence) for occurrence in range(counted._count)]
    random.Random(seed).shuffle(places)
    seen, drawn = {meaning(code), UNREADABLE}, []
    for name, occurrence in places:
        mutant = mutate_code(code, get_operator(name)(), occurrence)
        if (does := meaning(mutant)) not in seen:
            seen.add(does)
            drawn.append((name.removeprefix("core/"), mutant))
            if len(drawn) == most:
                break
    json.dump(drawn, sys.stdout)


def meaning(code: str) -> str:
    """Return what a module does: without annotations, which `from __future__ import annotations` never evaluates."""
    try:
        tree = ast.parse(code)
    except SyntaxError:  # no mutant that could run
        return UNREADABLE
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
            own = node.args  # which arguments are named or placed says what callers may write
            own.args, own.posonlyargs, own.kwonlyargs = [*own.posonlyargs, *own.args, *own.kwonlyargs], [], []
            own.defaults, own.kw_defaults = [*own.defaults, *filter(None, own.kw_defaults)], []
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(value=None)
    return ast.dump(tree)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

"""Print the mutants of a Python file as JSON: run by the environment that has cosmic-ray."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

# Operators that need arguments, or whose mutants no test can notice: decorators of caches and properties change what is measured.
LEFT_OUT = ("core/VariableReplacer", "core/VariableInserter", "core/RemoveDecorator")


def main(path: str) -> None:
    """Print (operator, mutated code) of each mutant."""
    code = Path(path).read_text(encoding="utf-8")
    found = []
    for name in sorted(operator_names()):
        if name in LEFT_OUT:
            continue
        operator, occurrence = get_operator(name)(), 0
        while (mutant := mutate_code(code, operator, occurrence)) is not None:
            found.append((name.removeprefix("core/"), mutant))
            occurrence += 1
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])

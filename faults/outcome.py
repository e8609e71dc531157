"""What became of a fault, and the file that keeps it, so that a matrix that was stopped goes on where it stood."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from local_aws import ROOT

SURVIVED, REPAIRED, DIFFERS = "same result", "failed with a reason, repaired by a repetition", "differs"
# What the outcomes depend on: the units, and what runs them.
SOURCES = ("lambdas", "glue_jobs", "training", "ptmlops_contracts", "stacks", "local_aws", "faults")


@dataclass(frozen=True)
class Outcome:
    """One fault and what was observed.

    Attributes:
        name: identifies the fault.
        part: of the matrix.
        unit: the function, job or state that met it.
        situation: when.
        operation: the AWS call, or the moment of a process.
        kind: of the fault.
        times: how often.
        result: one of the three above.
        error: what the unit reported, if it failed.
        why: what differs.
    """

    name: str
    part: str
    unit: str
    situation: str
    operation: str
    kind: str
    times: str
    result: str
    error: str = ""
    why: str = ""


class Outcomes:
    """A file of outcomes, one per line. Those of other code are dropped."""

    def __init__(self, path: Path) -> None:
        self._path, self._code = path, code_version()
        self.known: dict[str, Outcome] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if lines and json.loads(lines[0]) == {"code": self._code}:
            self.known = {found.name: found for found in (Outcome(**json.loads(line)) for line in lines[1:])}
        else:
            path.write_text(json.dumps({"code": self._code}) + "\n", encoding="utf-8")

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome."""
        self.known[outcome.name] = outcome
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")


def code_version() -> str:
    """Return a hash of the sources that outcomes depend on."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".json", ".toml") and "node_modules" not in path.parts:
                digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def count(outcomes: Iterable[Outcome]) -> Mapping[str, int]:
    """Return how many there are of each result."""
    counts = dict.fromkeys((SURVIVED, REPAIRED, DIFFERS), 0)
    for outcome in outcomes:
        counts[outcome.result] += 1
    return counts

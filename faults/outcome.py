"""What became of a fault, and the files that keep it, so that a matrix that was stopped goes on where it stood."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from local_aws import ROOT

SURVIVED, REPAIRED, DIFFERS = "same result", "failed with a reason, repaired by a repetition", "differs"
FUNCTIONS, RUNS = "functions", "runs"
# What the outcomes depend on: the units, and what runs them.
SOURCES = (
    "lambdas",
    "glue_jobs",
    "training",
    "ptmlops_contracts",
    "stacks",
    "local_aws",
    "faults/kinds.py",
    "faults/proxy.py",
)
SOURCES_OF = {
    FUNCTIONS: (*SOURCES, "faults/functions.py", "faults/frozen.py", "faults/world.py"),
    RUNS: (*SOURCES, "faults/runs.py", "faults/situations.py", "faults/states.py"),
}


@dataclass(frozen=True)
class Outcome:
    """One fault and what was observed.

    Attributes:
        name: identifies the fault.
        part: of the matrix: FUNCTIONS or RUNS.
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
    """Files of outcomes, one for each part, one outcome per line. Those of other code are dropped."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._paths = {part: folder / f"{part}.jsonl" for part in SOURCES_OF}
        self.known: dict[str, Outcome] = {}
        for part, path in self._paths.items():
            code = json.dumps({"code": code_version(part)})
            first, *lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else [""]
            if first == code:
                self.known |= {found.name: found for found in (Outcome(**json.loads(line)) for line in lines)}
            else:
                path.write_text(code + "\n", encoding="utf-8")

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome."""
        self.known[outcome.name] = outcome
        with self._paths[outcome.part].open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")


def code_version(part: str) -> str:
    """Return a hash of the sources that the outcomes of a part depend on."""
    digest = hashlib.sha256()
    for source in SOURCES_OF[part]:
        place = ROOT / source
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.suffix in (".py", ".json", ".toml") and "node_modules" not in path.parts:
                digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def count(outcomes: Iterable[Outcome]) -> Mapping[str, int]:
    """Return how many there are of each result."""
    counts = dict.fromkeys((SURVIVED, REPAIRED, DIFFERS), 0)
    for outcome in outcomes:
        counts[outcome.result] += 1
    return counts

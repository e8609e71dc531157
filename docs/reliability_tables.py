"""Render what happened under faults and load, and how many small faults of the code the tests find, from docs/measurements/*.json."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from measurement_tables import decimal, measurement, source, table

_RESULTS = ("same result", "failed with a reason, repaired by a repetition", "differs")


def fault_figures() -> str:
    """Render how many faults were tried, and what became of them."""
    data = measurement("faults")
    counts = [data["counts"][name] for name in _RESULTS]
    runs = sum(sum(row["results"].values()) for row in data["rows"] if row["part"] == "runs")
    sentence = (
        f"**{data['faults']:,} faults**, {runs} of them in full runs, the others at {data['operations']} different calls of functions. "
        f"In {counts[0]:,} the result was the same, {counts[1]:,} failed with a reason and gave the same result when they were repeated, "
        f"and {counts[2]:,} differed. A row that is lost, twice or different, and a second run, count as different"
        + (": so no row was lost or differs, and no run was doubled." if counts[2] == 0 else ".")
    )
    return f"{sentence} {source('faults')}"


def fault_calls() -> str:
    """Render the faults of functions' calls: one row per kind."""
    rows: dict[tuple[str, str], list[Any]] = {}
    for row in measurement("faults")["rows"]:
        if row["part"] == "functions":
            found = rows.setdefault((row["kind"], row["times"]), [0, 0, 0, set(), ""])
            for place, name in enumerate(_RESULTS):
                found[place] += row["results"].get(name, 0)
            found[3].add(row["unit"])
            found[4] = found[4] or row.get("example", "")
    headings = ("Fault", "Times", "Tried", "Same result", "Failed, then the same", "Differ", "An error that it gives")
    lines = [
        (kind, times, f"{sum(found[:3]):,}", *(f"{number:,}" for number in found[:3]), found[4])
        for (kind, times), found in sorted(rows.items())
    ]
    return table(headings, lines)


def fault_runs() -> str:
    """Render the faults in full runs: one row per state and kind."""
    rows = [row for row in measurement("faults")["rows"] if row["part"] == "runs"]
    headings = (
        "State",
        "Fault",
        "Promise",
        "Tried",
        "Same result",
        "Failed, then the same",
        "Differ",
        "What run.json says, for example",
    )
    lines = [
        (
            row["unit"],
            row["kind"],
            row["promise"],
            sum(row["results"].values()),
            *(row["results"].get(name, 0) for name in _RESULTS),
            row.get("example", ""),
        )
        for row in rows
    ]
    return table(headings, lines)


def load() -> str:
    """Render what became of files that were uploaded at once, and of one large file."""
    data = measurement("load")
    titles = {"burst": "files at once", "large": "one large file"}
    headings = ("", "Files", "Rows read", "Accepted", "Duplicates", "Rejected", "Classified", "Runs", "Failed runs", "Seconds")
    fields = (
        "files",
        "rows_read",
        "rows_accepted",
        "rows_duplicate",
        "rows_rejected",
        "rows_scored",
        "runs",
        "failed_runs",
        "seconds",
    )
    rows = [(titles[part], *(decimal(data[part][field], 0) for field in fields)) for part in titles]
    return f"{table(headings, rows)}\n\n{source('load')}"


def mutants() -> str:
    """Render how many mutants of each module the unit tests find."""
    modules = measurement("mutants")["modules"]
    rows = [
        (
            name,
            f"`{found['path']}`",
            found["mutants"],
            found["found"],
            f"{found['found'] / found['mutants']:.0%}",
            found["date"],
        )
        for name, found in modules.items()
    ]
    return f"{table(('Part', 'Module', 'Mutants', 'Found', 'Score', 'Date'), rows)}\n\n{source('mutants')}"


GENERATORS: dict[str, Callable[[], str]] = {
    "fault-figures": fault_figures,
    "fault-calls": fault_calls,
    "fault-runs": fault_runs,
    "load": load,
    "mutants": mutants,
}

"""Show model versions, the lineage of one, and what two of them answer differently."""

from __future__ import annotations

from typing import Any

import typer

from ptmlops_contracts.registry import (
    ARTIFACT_SHA256,
    ARTIFACT_VERSION,
    CANARY,
    DECIDED_AT,
    DECIDED_BY,
    DECIDED_REASON,
    OVERRIDE,
)
from ptmlops_contracts.state import NONE
from ptmlops_contracts.words import quantity


def print_versions(versions: list[dict[str, Any]]) -> None:
    """Print a table, one line per version."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("version", "status", "macro-F1", "trained by run", "decided by", "reason", box=None, padding=(0, 1, 0, 0))
    table.columns[3].no_wrap = True
    for model in versions:
        status = model["status"] + (" (serves)" if model["serves"] else "")
        reason = model[DECIDED_REASON] or model["reason"]
        decided_by = Text(_person(model[DECIDED_BY]))
        table.add_row(
            str(model["version"]), status, _three_digits(model["macro_f1"]), model["run_id"], decided_by, Text(reason)
        )
    Console().print(table)


def print_lineage(model: dict[str, Any]) -> None:
    """Print where a version comes from, who decided on it, and which runs it answered."""
    serves = " and serves" if model["serves"] else ""
    typer.echo(f"Version {model['version']} is {model['status']}{serves}.")
    facts = {
        "registered": model["registered_at"],
        "trained by run": model["run_id"],
        "training job": model["training_job"],
        "training rows": _with(model["training_rows"], f"fingerprint {model['data_fingerprint'][:12]}"),
        "held-out rows": _with(model["holdout_rows"], f"fingerprint {model['holdout_fingerprint'][:12]}"),
        "code": _with(model["training_code_version"], f"trained; {model['code_version']} registered it"),
        "hyperparameters": model["hyperparameters"],
        "macro-F1": _three_digits(model["macro_f1"]),
        "accuracy": _three_digits(model["accuracy"]),
        "calibration error": _three_digits(model["expected_calibration_error"]),
        "compared with": f"version {model['champion_version']}" if model["champion_version"] not in ("", NONE) else "",
        "evaluation": model["evaluation_uri"],
        "artifact": _with(model[ARTIFACT_SHA256], f"SHA-256; object version {model[ARTIFACT_VERSION]}"),
        "canary check": model[CANARY],
    }
    for name, value in facts.items():
        if value:
            typer.echo(f"  {name:<18}{value}")
    typer.echo("Decisions:")
    typer.echo(
        f"  {model['registered_at'][:19]}  {model['decision'] or 'registered'} by the gate: {'; '.join(model['gate']) or model['reason']}"
    )
    for decision in model["decisions"]:
        what = "promoted" if decision["serving"] == model["version"] else "rejected"
        overridden = ", with --override" if decision[OVERRIDE] else ""
        typer.echo(f"  {decision['at'][:19]}  {what} by {decision['by']}{overridden}: {decision['reason']}")
    if not model["decisions"] and model[DECIDED_AT]:
        typer.echo(f"  {model[DECIDED_AT][:19]}  {model['status']} by {model[DECIDED_BY]}: {model[DECIDED_REASON]}")
    typer.echo(f"Answered {quantity(len(model['answered']), 'run')} of {model['runs_searched']} searched:")
    for run in model["answered"]:
        typer.echo(f"  {run['run_id']}  {quantity(run['complaints'], 'complaint')}")
    if model["runs_not_searched"]:
        typer.echo(f"  {quantity(model['runs_not_searched'], 'older run')} not searched: add --runs N")


def print_comparison(found: dict[str, Any]) -> None:
    """Print counts, changes per label, and the rows on which two versions differ."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    first, second = map(str, found["versions"])
    right = found["right"]
    typer.echo(
        f"Versions {first} and {second} answer {found['differing']} of {quantity(found['rows'], 'held-out row')} differently. "
        f"Right: {right[first]} and {right[second]}."
    )
    held_out = found["held_out"]
    if max(held_out.values()) > found["rows"]:
        counts = quantity(held_out[first], "row"), quantity(held_out[second], "row")
        typer.echo(
            f"{counts[0]} {'was' if held_out[first] == 1 else 'were'} held out for version {first} and {counts[1]} for version {second}; "
            "only those that both were asked count here. The gate asks both versions about all of its rows, so its figures differ."
        )
    labels = Table(
        "label", "rows", f"only {first} right", f"only {second} right", "none right", box=None, padding=(0, 1, 0, 0)
    )
    for label in found["labels"]:
        if label["only_first_right"] or label["only_second_right"]:
            counts = (label[name] for name in ("rows", "only_first_right", "only_second_right", "none_right"))
            labels.add_row(Text(label["label"]), *map(str, counts))
    if labels.row_count:
        Console().print(labels)
    for row in found["differing_rows"]:
        answers = ", ".join(
            f"{version}: {row['answers'][version]} ({row['confidence'][version]:.2f})" for version in (first, second)
        )
        typer.echo(f"{row['complaint_id']}  label {row['label']}; {answers}")
        text = " ".join(row["text"].split()) if row["text"] is not None else "(its text has expired or was erased)"
        Console().print(Text(f"  {text}"), no_wrap=True, overflow="ellipsis")
    if len(found["differing_rows"]) < found["differing"]:
        typer.echo(f"{found['differing'] - len(found['differing_rows'])} more: add --limit N")


def _with(value: str, remark: str) -> str:
    """Return a value with a remark; nothing for a version that a person registered without it."""
    return f"{value} ({remark})" if value else ""


def _person(arn: str) -> str:
    """Return the readable end of an identity's ARN."""
    return arn.rpartition("/")[2].rpartition(":")[2]


def _three_digits(number: str) -> str:
    try:
        return f"{float(number):.3f}"
    except ValueError:
        return number

"""Model versions: `models`, `promote`, `rollback`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ptmlops import registry
from ptmlops.terminal import AsJson, Environment, Local, Profile, Region, console, friendly, print_json, target_of


def models(
    local: Local = False,
    as_json: AsJson = False,
    environment: Environment = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List model versions; the newest approved one serves."""
    with friendly():
        found = registry.versions(target_of(local, environment, profile, region))
        if as_json:
            print_json(found)
            return
        if not found:
            console.print("No model has been trained yet: drop a labelled file.")
            return
        table = Table("version", "status", "macro-F1", "trained by run", "why", box=None, padding=(0, 1, 0, 0))
        table.columns[3].no_wrap = True
        for model in found:
            champion = " (serves)" if model["serves"] else ""
            table.add_row(
                str(model["version"]),
                model["status"] + champion,
                _short(model["macro_f1"]),
                model["run_id"],
                Text(model["reason"]),
            )
        Console().print(table)


def _short(number: str) -> str:
    try:
        return f"{float(number):.3f}"
    except ValueError:
        return number


def promote(
    version: Annotated[int, typer.Argument(metavar="VERSION", help="One of `ptmlops models`.")],
    local: Local = False,
    environment: Environment = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Let a version serve: newer approved ones are rejected."""
    with friendly():
        registry.promote(target_of(local, environment, profile, region), version)
        console.print(f"Version {version} serves from the next run on.")


def rollback(
    local: Local = False,
    environment: Environment = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Reject the serving version; the one before it takes over."""
    with friendly():
        rejected, serving = registry.rollback(target_of(local, environment, profile, region))
        console.print(
            f"Version {rejected} is rejected; {f'version {serving} serves' if serving else 'no version serves now'}."
        )

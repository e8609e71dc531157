"""Model versions: `models`, `promote`, `rollback`."""

from __future__ import annotations

from typing import Annotated

import typer

from ptmlops.errors import report_errors
from ptmlops.options import CommonOptions, command_for
from ptmlops.terminal import console, print_command, print_json


@report_errors()
def models(
    options: CommonOptions,
    limit: Annotated[int, typer.Option(min=1, help="So many of the newest versions, and the one that serves.")] = 20,
) -> None:
    """List model versions; the newest approved one serves.

    Examples:
        ptmlops models -e prod
        ptmlops models -e prod --limit 100
        ptmlops models --local --json
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ptmlops import registry

    target = options.target()
    versions = registry.versions(target, limit=limit)
    if options.as_json:
        print_json(versions)
        return
    if not versions:
        console().print("No model has been trained yet. Upload a labelled file with:")
        print_command(command_for(target, "drop FILE"))
        return
    table = Table("version", "status", "macro-F1", "trained by run", "reason", box=None, padding=(0, 1, 0, 0))
    table.columns[3].no_wrap = True
    for model in versions:
        status = model["status"] + (" (serves)" if model["serves"] else "")
        table.add_row(str(model["version"]), status, _three_digits(model["macro_f1"]), model["run_id"], Text(model["reason"]))
    Console().print(table)


def _three_digits(number: str) -> str:
    try:
        return f"{float(number):.3f}"
    except ValueError:
        return number


@report_errors()
def promote(
    version: Annotated[int, typer.Argument(metavar="VERSION", help="A version that `ptmlops models` lists.")],
    options: CommonOptions,
) -> None:
    """Let a model version serve; newer approved ones are rejected.

    Examples:
        ptmlops promote 3 -e prod
    """
    from ptmlops import registry

    rejected = registry.promote(options.target(), version)
    if options.as_json:
        print_json({"serving": version, "rejected": rejected})
    else:
        console().print(f"Version {version} serves from the next run on.")


@report_errors()
def rollback(options: CommonOptions) -> None:
    """Reject the serving version; the approved one before it serves.

    Examples:
        ptmlops rollback -e prod
    """
    from ptmlops import registry

    rejected, serving = registry.rollback(options.target())
    if options.as_json:
        print_json({"serving": serving, "rejected": [rejected]})
    else:
        console().print(
            f"Version {rejected} is rejected. {f'Version {serving} serves' if serving else 'No version serves'} from the next run on."
        )

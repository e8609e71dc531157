"""`ptmlops`: its commands in the order in which a person needs them. Each is in ptmlops/commands/, by subject."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from ptmlops.commands import files, machine, models, results, trying

ORDER: dict[str, dict[str, Callable[..., Any]]] = {
    "Try it here, with no account": {
        "try": trying.try_,
        "demo": trying.demo,
        "generate": trying.generate,
        "up": machine.up,
        "down": machine.down,
    },
    "Files and runs": {
        "drop": files.drop,
        "watch": files.watch,
        "status": files.status,
        "run": files.run,
        "replay": files.replay,
    },
    "What was found": {
        "results": results.results,
        "why": results.why,
        "report": results.report,
    },
    "Models": {
        "models": models.models,
        "promote": models.promote,
        "rollback": models.rollback,
    },
    "The end": {"empty": machine.empty},
}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Classify complaints: drop files, follow their runs, read the results.\n\n"
    "On AWS with --environment NAME (or PTMLOPS_ENVIRONMENT), on this machine with --local.",
)
review = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="The review list: fetch it, hand it in.")
review.command()(results.pull)
review.command()(results.push)

for panel, commands in ORDER.items():
    for name, command in commands.items():
        app.command(name, rich_help_panel=panel)(command)
    if panel == "What was found":
        app.add_typer(review, name="review", rich_help_panel=panel)

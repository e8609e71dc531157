"""Assemble the command line: the commands by subject, in the order in which a person needs them.

Commands import what they need when they are called, so that `--help` and completion start quickly.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ptmlops import __version__
from ptmlops.commands import demo, deployment, erasure, models, recovery, restore, results, review, runs, trial
from ptmlops.options import with_common_options

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter, Parameter  # Typer carries its own copy of Click

Command = Callable[..., None]

COMMANDS: dict[str, dict[str, Command]] = {
    "Try it without an AWS account": {
        "try": trial.try_,
        "demo": demo.demo,
        "generate": demo.generate,
        "up": deployment.up,
        "down": deployment.down,
        "notices": deployment.notices,
    },
    "Deploy": {"doctor": deployment.doctor},
    "Files and runs": {
        "estimate": runs.estimate,
        "drop": runs.drop,
        "watch": runs.watch,
        "status": runs.status,
        "logs": runs.logs,
        "run": runs.run,
        "where": recovery.where,
        "cancel": recovery.cancel,
        "replay": recovery.replay,
        "reconcile": recovery.reconcile,
    },
    "Results": {
        "results": results.results,
        "why": results.why,
        "report": results.report,
    },
    "Models": {
        "models": models.models,
        "compare": models.compare,
        "promote": models.promote,
        "rollback": models.rollback,
    },
    "Recover": {"adopt": restore.adopt},
    "Remove": {"forget": erasure.forget, "empty": deployment.empty},
}
REVIEW_SUBJECT = "Results"
REVIEW: dict[str, Command] = {"pull": review.pull, "push": review.push}
RESTORE_SUBJECT = "Recover"
RESTORE: dict[str, Command] = {"objects": restore.restore_objects, "ledger": restore.restore_ledger}
EXAMPLES = "\n\nExamples:\n"


class _Group(TyperGroup):
    """A group with plain-text help, by subject. Typer's help, with colors and boxes, takes twice the time."""

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write a section per subject."""
        commands: list[Any] = [self.commands[name] for name in self.list_commands(ctx)]
        longest = max(len(str(command.name)) for command in commands)
        for subject in dict.fromkeys(command.rich_help_panel for command in commands):
            with formatter.section(str(subject or "Commands")):
                formatter.write_dl(
                    [
                        (str(command.name).ljust(longest), command.get_short_help_str(formatter.width - longest - 6))
                        for command in commands
                        if command.rich_help_panel == subject
                    ]
                )

    def get_params(self, ctx: Context) -> list[Parameter]:
        """Return the options, with False as the default of Typer's built-in flags, because Typer loads pydantic to convert None."""
        parameters = super().get_params(ctx)
        for parameter in parameters:
            if parameter.default is None:
                parameter.default = False
        return parameters


app = typer.Typer(cls=_Group, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
review_app = typer.Typer(cls=_Group, no_args_is_help=True, help="Fetch the review list, or upload it with labels.")


restore_app = typer.Typer(cls=_Group, no_args_is_help=True, help="Bring objects or ledger items back as they were at a time.")


def _add(group: typer.Typer, name: str, command: Command, subject: str | None = None) -> None:
    """Register a command. The examples at the end of its docstring are shown below its options."""
    help_text, _, examples = inspect.cleandoc(command.__doc__ or "").partition(EXAMPLES)
    lines = "\n".join(f"  {line.strip()}" for line in examples.splitlines())
    epilog = f"\b\nExamples:\n{lines}"  # \b: keep the line breaks
    group.command(name, help=help_text, epilog=epilog, rich_help_panel=subject)(with_common_options(command))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ptmlops {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Classify complaints: upload files, follow their runs, read the results.

    On AWS, name the environment with --environment NAME or PTMLOPS_ENVIRONMENT=NAME. On this machine, use --local.
    """


for _subject, _commands in COMMANDS.items():
    for _name, _command in _commands.items():
        _add(app, _name, _command, _subject)
    if _subject == REVIEW_SUBJECT:
        app.add_typer(review_app, name="review", rich_help_panel=_subject)
    if _subject == RESTORE_SUBJECT:
        app.add_typer(restore_app, name="restore", rich_help_panel=_subject)
for _name, _command in RESTORE.items():
    _add(restore_app, _name, _command)
for _name, _command in REVIEW.items():
    _add(review_app, _name, _command)

"""Options and arguments that several commands share, each written once."""

from __future__ import annotations

import functools
import inspect
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ptmlops.errors import OperatorError, report_errors
from ptmlops.source_roots import ROOT

if TYPE_CHECKING:
    from ptmlops.target import Target

LOCAL_FOLDER = Path(".local_aws")
LOCAL_ENVIRONMENT = "local"
ENVIRONMENT_VARIABLE = "PTMLOPS_ENVIRONMENT"
ENDED_LOCAL_AWS = (
    "That of `ptmlops demo` and of `ptmlops run --local` ends with the command; its results stay in the folder of --out. "
    "After `ptmlops up`, upload a file with `ptmlops drop FILE --local --wait`"
)


def known_environments() -> list[str]:
    """Return the names of the files in environments/."""
    return sorted(path.stem for path in (ROOT / "environments").glob("*.toml"))


Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        help="CSV, TSV, JSON Lines, a JSON list of objects or text, each also compressed as .gz; an Excel workbook (.xlsx, .xlsm); a zip "
        "archive of such files.",
        show_default=False,
    ),
]
RunId = Annotated[str | None, typer.Argument(metavar="RUN", help="A run id. Default: the newest run.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON document to standard output.")]
EnvironmentName = Annotated[
    str | None,
    typer.Option(
        "--environment",
        "-e",
        envvar=ENVIRONMENT_VARIABLE,
        autocompletion=known_environments,
        help="The name of a file in environments/, without .toml.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file of --out if it exists.")]
_COLUMN = "The column of the {}, if its name is not known. Empty: the file has none."
TextColumn = Annotated[
    str | None, typer.Option("--text", metavar="COLUMN", help="The column of the texts, if its name is not known.")
]
LabelColumn = Annotated[str | None, typer.Option("--label", metavar="COLUMN", help=_COLUMN.format("labels"))]
IdColumn = Annotated[str | None, typer.Option("--id", metavar="COLUMN", help=_COLUMN.format("ids"))]
DateColumn = Annotated[str | None, typer.Option("--date", metavar="COLUMN", help=_COLUMN.format("dates"))]


def named_columns(*, text: str | None, label: str | None, id_: str | None, date: str | None) -> dict[str, str]:
    """Return the columns that a person named, by option.

    Raises:
        OperatorError: the text is named with an empty name, or the names are too long for an upload.
    """
    from ptmlops_contracts.columns import to_metadata

    named = {"text": text, "label": label, "id": id_, "date": date}
    chosen = {option: name.strip() for option, name in named.items() if name is not None}
    if chosen.get("text") == "":
        raise OperatorError("--text names no column: a complaint needs a text")
    try:
        to_metadata(chosen)
    except ValueError as error:
        raise OperatorError(f"{error}: rename the columns in the file") from None
    return chosen


@dataclass(frozen=True)
class CommonOptions:
    """The deployment that a command works on, and its output format. Each field is an option of the command line."""

    local: Annotated[bool, typer.Option("--local", help="Use local AWS instead of an AWS account.")] = False
    as_json: AsJson = False
    environment: EnvironmentName = None
    profile: Annotated[str | None, typer.Option(help="An AWS profile.")] = None
    region: Annotated[str | None, typer.Option(help="An AWS region. Default: the environment's.")] = None

    def command(self, words: str) -> str:
        """Return a command for a hint that uses the same deployment, as `command_for` does, before there is a target."""
        chosen = () if self.local else account_options(profile=self.profile, region=self.region)
        return _command(words, local=self.local, environment=self.environment, chosen=chosen)

    def target(self) -> Target:
        """Return the deployment. The environment on AWS is never guessed.

        Raises:
            OperatorError: no environment is named, or no local AWS runs in this folder.
        """
        from ptmlops.target import Target

        if self.local:
            from local_aws import LocalAws, LocalAwsError

            try:
                aws = LocalAws.attach(LOCAL_FOLDER)
            except LocalAwsError as error:
                raise OperatorError(f"{error}. {ENDED_LOCAL_AWS}") from None
            return Target.local(aws, self.environment or LOCAL_ENVIRONMENT)
        if not self.environment:
            raise OperatorError(
                f"no environment is named: add --environment NAME or set {ENVIRONMENT_VARIABLE}=NAME (known: "
                f"{', '.join(known_environments())}), or use --local for the local AWS of this folder"
            )
        return Target.on_aws(self.environment, profile=self.profile, region=self.region)


def report_errors_of_runs(command: Callable[..., None]) -> Callable[..., None]:
    """Report a command's errors as `report_errors` does. After Ctrl-C the message says that runs continue, and how to see them."""

    @functools.wraps(command)
    def call(*, options: CommonOptions, **values: Any) -> None:
        with report_errors(if_interrupted=runs_continue(options)):
            command(options=options, **values)

    return call


def runs_continue(options: CommonOptions) -> str:
    """Return what continues after Ctrl-C."""
    return f"uploaded files are processed anyway; see `{options.command('status')}`"


def account_options(*, profile: str | None, region: str | None) -> tuple[str, ...]:
    """Return the options that chose an AWS account, for a hint."""
    given = {"--profile": profile, "--region": region}
    return tuple(part for option, value in given.items() if value for part in (option, value))


def command_for(target: Target, words: str) -> str:
    """Return a command that uses the same deployment, for a hint: `command_for(target, "watch")` is `ptmlops watch --local`."""
    return _command(words, local=bool(target.endpoint_url), environment=target.environment, chosen=target.chosen)


def _command(words: str, *, local: bool, environment: str | None, chosen: Sequence[str]) -> str:
    needs_name = environment and environment != (LOCAL_ENVIRONMENT if local else os.environ.get(ENVIRONMENT_VARIABLE))
    options = [*(["--local"] if local else []), *(["-e", environment] if environment and needs_name else []), *chosen]
    return " ".join(["ptmlops", words, *map(shlex.quote, options)])


def where_advice(target: Target) -> str:
    """Return how to learn what became of a file; nothing if the deployment ends with the command."""
    return "" if target.ends_with_command else f"`{command_for(target, 'where FILE')}` explains each."


def with_common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command with a parameter of type `CommonOptions` one option per field.

    Typer reads options from a function's signature. `status(options: CommonOptions)` becomes
    `status(*, local, as_json, environment, profile, region)`. Other commands are returned unchanged.
    """
    parameters = inspect.signature(command, eval_str=True).parameters
    name = next((name for name, parameter in parameters.items() if parameter.annotation is CommonOptions), None)
    if name is None:
        return command
    shared = inspect.signature(CommonOptions, eval_str=True).parameters
    own_parameters = [parameter for parameter in parameters.values() if parameter.name != name]

    @functools.wraps(command)
    def call(**values: Any) -> None:
        options = CommonOptions(**{field: values.pop(field) for field in shared})
        command(**values, **{name: options})

    flat = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own_parameters, *shared.values())]
    call.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined] # read by inspect.signature
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in flat}
    return call


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be undone, unless `--yes` was given.

    Raises:
        OperatorError: the answer is no, or there is no terminal to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise OperatorError("nothing was changed: there is no terminal to ask for confirmation, so add --yes")
    try:
        agreed = typer.confirm(question)
    except typer.Abort:  # what Typer makes of Ctrl-C
        raise KeyboardInterrupt("nothing was changed") from None
    if not agreed:
        raise OperatorError("nothing was changed")

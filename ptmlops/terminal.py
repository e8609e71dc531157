"""What every command shares: options, how progress and errors are shown, and where a command works."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape

from local_aws import LocalAws, LocalAwsError
from ptmlops.target import LOCAL_FOLDER, OperatorError, Target, explain
from stacks.config import ENVIRONMENTS, SettingsError

console = Console(stderr=True, highlight=False)

RUN_FAILED, USAGE, INTERRUPTED = 1, 2, 130
ENVIRONMENT_VARIABLE = "PTMLOPS_ENVIRONMENT"
LOCAL_ENVIRONMENT = "local"
RUNS_GO_ON = "what was dropped goes on by itself: see `ptmlops status`"


def known_environments() -> list[str]:
    """Names of the files in environments/."""
    return sorted(path.stem for path in ENVIRONMENTS.glob("*.toml"))


Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="CSV, TSV, JSON Lines or text; also .gz.", show_default=False)
]
Local = Annotated[bool, typer.Option("--local", help="On the local AWS of this folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document to standard output.")]
Environment = Annotated[
    str | None,
    typer.Option(
        "--environment",
        "-e",
        envvar=ENVIRONMENT_VARIABLE,
        autocompletion=known_environments,
        help="A file of environments/, without .toml.",
    ),
]
Profile = Annotated[str | None, typer.Option(help="AWS profile.")]
Region = Annotated[str | None, typer.Option(help="AWS region; else the environment's.")]
RunId = Annotated[str | None, typer.Argument(metavar="RUN", help="A run; else the newest.", show_default=False)]


@contextlib.contextmanager
def friendly(*, interrupted: str = "nothing of it is left running") -> Iterator[None]:
    """Mistakes and refusals end in a line or two and a status, never in a traceback.

    `interrupted` says what Ctrl-C leaves behind.
    """
    try:
        yield
    except (OperatorError, LocalAwsError, SettingsError) as error:
        console.print(f"ptmlops: {error}", style="red", markup=False)
        raise typer.Exit(USAGE) from None
    except (ClientError, BotoCoreError) as error:
        console.print(f"ptmlops: {explain(error)}", style="red", markup=False)
        raise typer.Exit(USAGE) from None
    except KeyboardInterrupt:
        console.print(f"ptmlops: interrupted; {interrupted}", style="yellow")
        raise typer.Exit(INTERRUPTED) from None


def target_of(local: bool, environment: str | None, profile: str | None, region: str | None) -> Target:
    """Where a command works. Which AWS environment is never guessed.

    Raises:
        OperatorError: no environment was named.
    """
    if local:
        return Target.local(LocalAws.attach(LOCAL_FOLDER), environment or LOCAL_ENVIRONMENT)
    if not environment:
        known = ", ".join(known_environments())
        raise OperatorError(
            f"say which environment: --environment NAME or {ENVIRONMENT_VARIABLE}=NAME (there are {known}); "
            "or --local for the local AWS of this folder"
        )
    return Target.on_aws(environment, profile=profile, region=region)


def where(target: Target) -> str:
    """The options that lead a next command to the same place."""
    if target.endpoint_url:
        return " --local" if target.environment == LOCAL_ENVIRONMENT else f" --local -e {target.environment}"
    return "" if os.environ.get(ENVIRONMENT_VARIABLE) == target.environment else f" -e {target.environment}"


def print_json(document: Any) -> None:
    """The command's one document."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=1, default=str))


def print_file(path: Path) -> None:
    """A path, whole: a line that was broken could not be copied."""
    Console().print(f"  {path}", soft_wrap=True, markup=False, highlight=False)


def bars(values: Sequence[float], width: int = 24) -> list[str]:
    """A bar for each value, the largest of them `width` cells long."""
    most = max((abs(value) for value in values), default=0) or 1
    return ["█" * max(1, round(width * abs(value) / most)) if value else "" for value in values]


@contextlib.contextmanager
def progress(title: str) -> Iterator[Callable[[str], None]]:
    """A spinner with what happens now; plain lines where nobody watches a terminal."""
    started = time.monotonic()
    if not console.is_terminal:
        yield lambda message: console.print(f"{title}: {message}")
        console.print(f"{title}: {time.monotonic() - started:.0f} s")
        return
    with console.status(title) as status:
        yield lambda message: status.update(f"{title}: {message}")
    console.print(f"[green]✓[/green] {title} ({time.monotonic() - started:.0f} s)")


@contextlib.contextmanager
def quiet(title: str) -> Iterator[Callable[[str], None]]:  # noqa: ARG001 - has the form of `step`
    """Shows nothing."""
    yield lambda _: None


@contextlib.contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """One line for a step that has ended: what it told last, and its seconds. Before that, on a terminal, what it tells now."""
    started, last = time.monotonic(), ""
    status = console.status(title)

    def tell(message: str) -> None:
        nonlocal last
        last = message
        status.update(f"{title}: {escape(message)}")

    with status if console.is_terminal else contextlib.nullcontext():
        yield tell
    console.print(f"[green]✓[/green] {title:<18} {escape(last)} ({time.monotonic() - started:.0f} s)")

"""Print for commands: progress on standard error, results on standard output."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console


@functools.cache
def console() -> Console:
    """Return the console on standard error. Rich is imported here because `--help` does not need it."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def print_json(document: Any) -> None:
    """Print the one JSON document of a command with --json."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=1, default=str))


def print_file(path: Path | str, title: str = "") -> None:
    """Print a path on one line, however narrow the terminal, so that it can be copied."""
    from rich.console import Console

    line = f"  {title:<12} {path}" if title else f"  {path}"
    Console().print(line, soft_wrap=True, markup=False, highlight=False)


def print_command(command: str) -> None:
    """Print a command to copy, on one line."""
    console().print(f"  {command}", soft_wrap=True, markup=False)


def bars(values: Sequence[float], width: int = 24) -> list[str]:
    """Return a bar per value. The bar of the largest value has `width` characters."""
    largest = max((abs(value) for value in values), default=0) or 1
    return ["█" * max(1, round(width * abs(value) / largest)) if value else "" for value in values]


@contextlib.contextmanager
def progress(title: str) -> Generator[Callable[[str], None]]:
    """Show progress: a spinner on a terminal, one line per message elsewhere. Yields a function that shows a message."""
    started = time.monotonic()
    if not console().is_terminal:
        yield lambda message: console().print(f"{title}: {message}")
        console().print(f"{title}: {time.monotonic() - started:.0f} s")
        return
    with console().status(title) as status:
        yield lambda message: status.update(f"{title}: {message}")
    console().print(f"[green]✓[/green] {title} ({time.monotonic() - started:.0f} s)")


@contextlib.contextmanager
def no_progress(title: str) -> Generator[Callable[[str], None]]:  # noqa: ARG001 - the signature of `progress`
    """Show nothing."""
    yield lambda _: None


@contextlib.contextmanager
def step(title: str) -> Generator[Callable[[str], None]]:
    """Show a step: its latest message while it runs (on a terminal), then one line with the last message and the duration."""
    from rich.markup import escape

    started, last = time.monotonic(), ""
    status = console().status(title)

    def report(message: str) -> None:
        nonlocal last
        last = message
        status.update(f"{title}: {escape(message)}")

    with status if console().is_terminal else contextlib.nullcontext():
        yield report
    console().print(f"[green]✓[/green] {title:<18} {escape(last)} ({time.monotonic() - started:.0f} s)")

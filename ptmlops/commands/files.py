"""Dropping files and following their runs: `drop`, `run`, `watch`, `status`, `replay`."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from local_aws import LocalAws
from ptmlops import registry, runs
from ptmlops.target import Target
from ptmlops.terminal import (
    LOCAL_ENVIRONMENT,
    RUN_FAILED,
    RUNS_GO_ON,
    AsJson,
    Environment,
    Files,
    Local,
    Profile,
    Region,
    RunId,
    console,
    friendly,
    print_json,
    progress,
    target_of,
    where,
)
from ptmlops_contracts.keys import OutputKeys


@dataclass(frozen=True)
class Ended:
    """A run that has ended, and its run.json."""

    run_id: str
    document: dict[str, Any]

    @property
    def succeeded(self) -> bool:
        return bool(self.document["status"] == "SUCCEEDED")


def drop(
    files: Files,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the runs that they start.")] = False,
    local: Local = False,
    as_json: AsJson = False,
    environment: Environment = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Drop files: labelled ones train, the others are classified."""
    with friendly(interrupted=RUNS_GO_ON):
        runs.check_files(files)
        target = target_of(local, environment, profile, region)
        dropped = [_upload(target, path) for path in files]
        if not wait:
            if as_json:
                print_json([{"file": str(one.path), "bucket": one.bucket, "version_id": one.version_id} for one in dropped])
            else:
                console.print(
                    f"Dropped {len(dropped)} file(s). Follow their run with: ptmlops watch{where(target)}", soft_wrap=True
                )
            return
        ended = [
            follow_run(target, run_id, quiet=as_json) for run_id in dict.fromkeys(runs.run_of(target, one) for one in dropped)
        ]
        if as_json:
            print_json([one.document for one in ended])
        if not all(one.succeeded for one in ended):
            raise typer.Exit(RUN_FAILED)


def _upload(target: Target, path: Path) -> runs.Dropped:
    size = path.stat().st_size
    if not console.is_terminal or size < 5_000_000:
        return runs.drop(target, path)
    from rich.progress import Progress

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"uploading {escape(path.name)}", total=size)
        return runs.drop(target, path, lambda count: progress.advance(task, count))


def watch(
    run_id: RunId = None,
    local: Local = False,
    as_json: AsJson = False,
    environment: Environment = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Follow a run, state by state, to its end."""
    with friendly(interrupted=RUNS_GO_ON):
        target = target_of(local, environment, profile, region)
        ended = follow_run(target, run_id or runs.newest(target), quiet=as_json)
        if as_json:
            print_json(ended.document)
        if not ended.succeeded:
            raise typer.Exit(RUN_FAILED)


def follow_run(target: Target, run_id: str, *, quiet: bool = False) -> Ended:
    """Show a run's states until it has ended, then how it ended."""
    if not quiet:
        console.print(f"Run [bold]{run_id}[/bold]")
    steps: dict[str, runs.Step] = {}
    live = Live(console=console, refresh_per_second=8, transient=False) if console.is_terminal and not quiet else None

    def tick() -> None:
        if live:
            live.update(_states(steps))

    with live or contextlib.nullcontext():
        for step in _ticking(runs.follow(target, run_id), tick):
            steps[step.state] = step
            if live:
                live.update(_states(steps))
            elif not quiet and step.ended:
                console.print(_line(step).plain)
    document = runs.run_document(target, run_id)
    if not quiet:
        _tell_end(document)
    return Ended(run_id, document)


def _ticking(steps: Iterator[runs.Step], tick: Callable[[], object]) -> Iterator[runs.Step]:
    for step in steps:
        yield step
        tick()


def _states(steps: dict[str, runs.Step]) -> Group:
    return Group(*(_line(step) if step.ended else Spinner("dots", text=_line(step)) for step in steps.values()))


def _line(step: runs.Step) -> Text:
    seconds = ((step.ended or datetime.now(UTC)) - step.began).total_seconds()
    mark, style = ("✗", "red") if step.failed else ("✓", "green") if step.ended else ("", "cyan")
    return Text.assemble((f"  {mark} " if mark else "", style), f"{step.state:<10}", (f"{seconds:7.1f} s  ", "dim"), step.said)


def _tell_end(document: dict[str, Any]) -> None:
    if document["status"] == "SUCCEEDED":
        console.print(f"[green]Succeeded[/green] in {document['seconds']:.0f} s; on AWS about USD {document['cost_usd']:.2f}")
        return
    error = document.get("error", {})
    console.print(
        f"[red]{document['status'].replace('_', ' ').capitalize()}[/red] in {error.get('state', 'an unknown state')}"
    )
    console.print(f"  {error.get('error')}: {error.get('message')}", markup=False)


def status(
    local: Local = False,
    as_json: AsJson = False,
    environment: Environment = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List the latest runs and how they ended."""
    with friendly():
        target = target_of(local, environment, profile, region)
        found = runs.list_runs(target)
        if as_json:
            print_json([{"run_id": run["name"], "status": run["status"], "started_at": run["startDate"]} for run in found])
            return
        if not found:
            console.print(f"No run has been started yet. Drop a file with: ptmlops drop FILE{where(target)}")
            return
        table = Table("run", "status", "started", "rows", "took", "what came of it", box=None, padding=(0, 1, 0, 0))
        table.columns[0].no_wrap = True
        for column in table.columns[3:5]:
            column.justify = "right"
        for run in found:
            document = runs.read_json(target, target.outputs["OutputBucketName"], OutputKeys(run["name"]).document) or {}
            took = f"{document['seconds']:.0f} s" if document else ""
            rows = f"{document['rows']['read']:,}" if document else ""
            style = {"SUCCEEDED": "green", "RUNNING": "cyan"}.get(run["status"], "red")
            state = Text(run["status"].replace("_", " ").lower(), style)
            table.add_row(run["name"], state, f"{run['startDate']:%m-%d %H:%M}", rows, took, Text(_outcome(document)))
        Console(highlight=False).print(table)


def _outcome(document: dict[str, Any]) -> str:
    """What a run did, in a few words."""
    if error := document.get("error"):
        return f"{error.get('state')}: {error.get('message') or error.get('error')}"[:120]
    said = []
    if document.get("trained"):
        said.append("new model serves" if document.get("promoted") else "trained, not promoted")
    if document.get("scored"):
        said.append(f"{document['scored']:,} classified")
    return ", ".join(said)


def run(
    files: Files,
    out: Annotated[Path, typer.Option(help="A folder for all that was written.", show_default=False)],
    local: Annotated[bool, typer.Option("--local", help="On a fresh local AWS, gone afterwards.")] = False,
    as_json: AsJson = False,
    environment: Environment = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Drop files one after another, follow each run, fetch everything."""
    left = {} if local else {"interrupted": RUNS_GO_ON}
    with friendly(**left):
        runs.check_files(files)
        if not local:
            target = target_of(False, environment, profile, region)
            ended = _drop_in_order(target, files, out, quiet=as_json)
        else:
            ended = run_locally(files, out, environment or LOCAL_ENVIRONMENT, quiet=as_json)
        if as_json:
            print_json([one.document for one in ended])
        else:
            if left_out := files[len(ended) :]:
                names = ", ".join(path.name for path in left_out[:5]) + (", …" if len(left_out) > 5 else "")
                console.print(
                    f"Not dropped, because the run before failed: {len(left_out)} more file(s) ({names})", markup=False
                )
            console.print(f"Everything that was written is in {out}", markup=False)
        if not all(one.succeeded for one in ended):
            raise typer.Exit(RUN_FAILED)


def run_locally(files: Sequence[Path], out: Path, environment: str, *, quiet: bool = False) -> list[Ended]:
    """Like `run`, on a local AWS that is started for it and ended after it."""
    with (
        tempfile.TemporaryDirectory(prefix="ptmlops-", ignore_cleanup_errors=True) as scratch,
        LocalAws.start(Path(scratch), environment=environment) as aws,
    ):
        with progress("local AWS") as tell:
            aws.deploy(environment=environment, on_progress=tell)
        return _drop_in_order(Target.local(aws, environment), files, out, quiet=quiet)


def _drop_in_order(target: Target, files: Sequence[Path], out: Path, *, quiet: bool) -> list[Ended]:
    ended = []
    for path in files:
        dropped = _upload(target, path)
        if not quiet:
            console.print(f"Dropped {path.name} ({path.stat().st_size:,} bytes)", markup=False)
        ended.append(follow_run(target, runs.run_of(target, dropped), quiet=quiet))
        if not ended[-1].succeeded:
            break
    out.mkdir(parents=True, exist_ok=True)
    runs.copy_output(target, out)
    return ended


def replay(
    run_id: Annotated[
        str | None, typer.Argument(help="A failed run to redrive; without one, dead letters are sent again.")
    ] = None,
    local: Local = False,
    environment: Environment = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Go on with a failed run, or send dead letters again."""
    with friendly():
        target = target_of(local, environment, profile, region)
        if run_id:
            runs.redrive(target, run_id)
            console.print(f"Run {run_id} goes on. Follow it with: ptmlops watch {run_id}{where(target)}", soft_wrap=True)
            return
        moved = registry.resend_dead_letters(target)
        console.print(f"{moved} message(s) sent again.")

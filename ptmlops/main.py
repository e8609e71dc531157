"""The commands of `ptmlops`. Each says what it does, shows progress, and with --json prints one JSON document instead."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from local_aws import LocalAws, LocalAwsError
from ptmlops import generator, registry, runs
from ptmlops.target import LOCAL_FOLDER, OperatorError, Target, explain
from stacks.config import SettingsError, load_settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Classify complaints: drop files, follow runs, fetch results. On AWS, or on this machine with --local.",
)
console = Console(stderr=True, highlight=False)

RUN_FAILED, USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143
SHOWN_LABELS = 25

Local = Annotated[bool, typer.Option("--local", help="Work on the local AWS of this folder (.local_aws/).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output.")]
Environment = Annotated[str, typer.Option("--environment", "-e", help="A file of environments/, without .toml.")]
Profile = Annotated[str | None, typer.Option(help="AWS profile.")]
Region = Annotated[str | None, typer.Option(help="AWS region; by default the environment's.")]


@dataclass(frozen=True)
class Ended:
    """A run that has ended, and its run.json."""

    run_id: str
    document: dict[str, Any]

    @property
    def succeeded(self) -> bool:
        return bool(self.document["status"] == "SUCCEEDED")


@contextlib.contextmanager
def friendly() -> Iterator[None]:
    """Mistakes and refusals end in a line or two and a status, never in a traceback."""
    try:
        yield
    except (OperatorError, LocalAwsError, SettingsError) as error:
        console.print(f"ptmlops: {error}", style="red", markup=False)
        raise typer.Exit(USAGE) from None
    except (ClientError, BotoCoreError) as error:
        console.print(f"ptmlops: {explain(error)}", style="red", markup=False)
        raise typer.Exit(USAGE) from None
    except KeyboardInterrupt:
        console.print("ptmlops: interrupted; nothing of it is left running", style="yellow")
        raise typer.Exit(INTERRUPTED) from None


def _target(local: bool, environment: str, profile: str | None, region: str | None) -> Target:
    if local:
        return Target.local(LocalAws.attach(LOCAL_FOLDER), environment)
    return Target.on_aws(environment, profile=profile, region=region)


def _print_json(document: Any) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=1, default=str))


@contextlib.contextmanager
def _progress(title: str) -> Iterator[Callable[[str], None]]:
    """A spinner with what happens now; plain lines where nobody watches a terminal."""
    started = time.monotonic()
    if not console.is_terminal:
        yield lambda message: console.print(f"{title}: {message}")
        console.print(f"{title}: {time.monotonic() - started:.0f} s")
        return
    with console.status(title) as status:
        yield lambda message: status.update(f"{title}: {message}")
    console.print(f"[green]✓[/green] {title} ({time.monotonic() - started:.0f} s)")


@app.command()
def up(environment: Environment = "local") -> None:
    """Start a local AWS here, deploy the app into it, and leave it running."""
    with friendly():
        aws = LocalAws.start(LOCAL_FOLDER, environment=environment, detached=True)
        try:
            with _progress("local AWS") as tell:
                aws.deploy(environment=environment, on_progress=tell)
        except BaseException:
            aws.stop()
            raise
        console.print(f"Local AWS is up at {aws.endpoint_url}. Next: ptmlops drop FILE --local; end it: ptmlops down")


@app.command()
def down() -> None:
    """End the local AWS of this folder."""
    with friendly():
        LocalAws.attach(LOCAL_FOLDER).stop()
        console.print("Local AWS is down.")


@app.command()
def drop(
    files: Annotated[list[Path], typer.Argument(help="Complaint files: CSV, TSV, JSON Lines, text; also .gz.")],
    wait: Annotated[bool, typer.Option(help="Follow the runs that they start to their end.")] = False,
    local: Local = False,
    as_json: AsJson = False,
    environment: Environment = "local",
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Drop files into the raw bucket: labelled ones train, the others are classified."""
    with friendly():
        runs.check_files(files)
        target = _target(local, environment, profile, region)
        dropped = [_upload(target, path) for path in files]
        if not wait:
            if as_json:
                _print_json([{"file": str(one.path), "bucket": one.bucket, "version_id": one.version_id} for one in dropped])
            else:
                console.print(f"Dropped {len(dropped)} file(s). Follow them with: ptmlops watch{' --local' if local else ''}")
            return
        ended = [
            _follow(target, run_id, quiet=as_json) for run_id in dict.fromkeys(runs.run_of(target, one) for one in dropped)
        ]
        if as_json:
            _print_json([one.document for one in ended])
        if not all(one.succeeded for one in ended):
            raise typer.Exit(RUN_FAILED)


def _upload(target: Target, path: Path) -> runs.Dropped:
    size = path.stat().st_size
    if not console.is_terminal or size < 5_000_000:
        return runs.drop(target, path)
    from rich.progress import Progress

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"uploading {path.name}", total=size)
        return runs.drop(target, path, lambda count: progress.advance(task, count))


@app.command()
def watch(
    run_id: Annotated[str | None, typer.Argument(help="A run; by default the newest.")] = None,
    local: Local = False,
    as_json: AsJson = False,
    environment: Environment = "local",
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Follow a run, state by state, to its end."""
    with friendly():
        target = _target(local, environment, profile, region)
        ended = _follow(target, run_id or _newest(target), quiet=as_json)
        if as_json:
            _print_json(ended.document)
        if not ended.succeeded:
            raise typer.Exit(RUN_FAILED)


def _newest(target: Target) -> str:
    found = runs.list_runs(target, 1)
    if not found:
        raise OperatorError("no run has been started yet: drop a file first")
    return str(found[0]["name"])


def _follow(target: Target, run_id: str, *, quiet: bool = False) -> Ended:
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


@app.command()
def status(
    local: Local = False,
    as_json: AsJson = False,
    environment: Environment = "local",
    profile: Profile = None,
    region: Region = None,
) -> None:
    """The latest runs and how they ended."""
    with friendly():
        target = _target(local, environment, profile, region)
        found = runs.list_runs(target)
        if as_json:
            _print_json([{"run_id": run["name"], "status": run["status"], "started_at": run["startDate"]} for run in found])
            return
        table = Table("run", "status", "started", "seconds", "rows", "said", box=None)
        for run in found:
            document = runs.read_json(target, target.outputs["OutputBucketName"], f"runs/run_id={run['name']}/run.json") or {}
            seconds = f"{document['seconds']:.0f}" if document else ""
            rows = f"{document['rows']['read']:,}" if document else ""
            said = document.get("error", {}).get("message", "") or "; ".join(document.get("promotion", {}).get("reasons", []))
            table.add_row(run["name"], run["status"], f"{run['startDate']:%Y-%m-%d %H:%M}", seconds, rows, Text(said[:120]))
        Console().print(table)


@app.command()
def results(
    run_id: Annotated[str | None, typer.Argument(help="A run; by default the newest.")] = None,
    out: Annotated[Path | None, typer.Option(help="Copy the run's files to this folder.")] = None,
    local: Local = False,
    as_json: AsJson = False,
    environment: Environment = "local",
    profile: Profile = None,
    region: Region = None,
) -> None:
    """What a run found: a table here, its files with --out."""
    with friendly():
        target = _target(local, environment, profile, region)
        run_id = run_id or _newest(target)
        document = runs.run_document(target, run_id, wait_seconds=0)
        with tempfile.TemporaryDirectory() as scratch:
            folder = out or Path(scratch)
            copied = runs.copy_output(target, folder, run_id=run_id)
            if as_json:
                _print_json(
                    {**document, "categories": _categories(copied), "files": [str(path) for path in copied] if out else []}
                )
                return
            _show_results(document, copied)
            if out:
                console.print(f"{len(copied)} files copied to {out}")


def _categories(copied: Sequence[Path]) -> list[dict[str, Any]]:
    """Labels with counts, mean confidence and share to review, from the predictions that were copied."""
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    files = [str(path) for path in copied if path.suffix == ".parquet" and "predictions" in path.parts]
    if not files:
        return []
    table = ds.dataset(files).to_table(columns=["label", "confidence", "needs_review"])
    table = table.append_column("review", pc.cast(table["needs_review"], "int64"))
    grouped = table.group_by("label").aggregate([("label", "count"), ("confidence", "mean"), ("review", "sum")]).to_pylist()
    found = [
        {
            "label": row["label"],
            "complaints": row["label_count"],
            "mean_confidence": round(row["confidence_mean"], 4),
            "needs_review": row["review_sum"],
        }
        for row in grouped
    ]
    return sorted(found, key=lambda row: -row["complaints"])


def _show_results(document: dict[str, Any], copied: Sequence[Path]) -> None:
    rows = document["rows"]
    table = Table("category", "complaints", "mean confidence", "to review", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in _categories(copied):
        table.add_row(row["label"], f"{row['complaints']:,}", f"{row['mean_confidence']:.2f}", f"{row['needs_review']:,}")
    out = Console()
    if table.row_count:
        out.print(table)
    out.print(
        f"{rows['read']:,} rows read: {rows['accepted']:,} accepted, {rows['rejected']:,} rejected, "
        f"{rows['duplicates']:,} duplicates; {document['scored']:,} classified, {document['needs_review']:,} to review"
    )


@app.command()
def run(
    files: Annotated[list[Path], typer.Argument(help="Complaint files, in the order to drop them.")],
    out: Annotated[Path, typer.Option(help="Where the output bucket is copied, key by key.")],
    local: Annotated[bool, typer.Option("--local", help="On a fresh local AWS that is gone afterwards.")] = False,
    as_json: AsJson = False,
    environment: Environment = "local",
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Drop files one after another, follow each to its end, fetch everything. Status 0 only if every run succeeded."""
    with friendly():
        runs.check_files(files)
        if not local:
            target = Target.on_aws(environment, profile=profile, region=region)
            ended = _drop_in_order(target, files, out, quiet=as_json)
        else:
            ended = _run_locally(files, out, environment, quiet=as_json)
        if as_json:
            _print_json([one.document for one in ended])
        else:
            console.print(f"Everything that was written is in {out}")
        if not all(one.succeeded for one in ended):
            raise typer.Exit(RUN_FAILED)


def _run_locally(files: Sequence[Path], out: Path, environment: str, *, quiet: bool = False) -> list[Ended]:
    with (
        tempfile.TemporaryDirectory(prefix="ptmlops-", ignore_cleanup_errors=True) as scratch,
        LocalAws.start(Path(scratch), environment=environment) as aws,
    ):
        with _progress("local AWS") as tell:
            aws.deploy(environment=environment, on_progress=tell)
        return _drop_in_order(Target.local(aws, environment), files, out, quiet=quiet)


def _drop_in_order(target: Target, files: Sequence[Path], out: Path, *, quiet: bool) -> list[Ended]:
    ended = []
    for path in files:
        dropped = _upload(target, path)
        if not quiet:
            console.print(f"Dropped {path.name} ({path.stat().st_size:,} bytes)")
        ended.append(_follow(target, runs.run_of(target, dropped), quiet=quiet))
        if not ended[-1].succeeded:
            break
    out.mkdir(parents=True, exist_ok=True)
    runs.copy_output(target, out)
    return ended


@app.command()
def demo(
    rows: Annotated[int, typer.Option(help="Labelled complaints to make.")] = 3000,
    to_score: Annotated[int, typer.Option(help="Unlabelled complaints to make.")] = 1000,
    out: Annotated[Path, typer.Option(help="Where everything is written.")] = Path("demo"),
) -> None:
    """Make complaints up, run the whole pipeline on a fresh local AWS, show what came of it."""
    with friendly():
        started = time.monotonic()
        labelled, unlabelled = out / "in" / "labelled.csv", out / "in" / "unlabelled.csv"
        generator.write_csv(labelled, rows, seed=7, broken=6)
        generator.write_csv(unlabelled, to_score, labelled=False, seed=8, broken=4)
        console.print(f"Made {rows:,} labelled and {to_score:,} unlabelled complaints in {out / 'in'}/")
        ended = _run_locally([labelled, unlabelled], out / "out", "local")
        if not all(one.succeeded for one in ended):
            raise typer.Exit(RUN_FAILED)
        last = ended[-1]
        files = sorted(path for path in (out / "out").rglob("*") if path.is_file() and f"run_id={last.run_id}" in str(path))
        Console().print()
        _show_results(last.document, files)
        model = last.document["model"]
        Console().print(f"\nModel version {model['version']}: macro-F1 {model['macro_f1']:.3f} on held-out complaints")
        for title, part in (
            ("report", "report.html"), ("predictions", "predictions/"), ("spreadsheet", "exports/"),
            ("to review", "review/"), ("rejected", "rejected/"),
        ):  # fmt: skip
            for path in files:
                if part in path.as_posix():
                    Console().print(f"  {title:<12} {path}", soft_wrap=True)
        console.print(f"Whole demo: {time.monotonic() - started:.0f} s")


@app.command("try")
def try_(
    labelled: Annotated[Path, typer.Option(help="Labelled complaints, to learn from and to measure on.")],
    out: Annotated[Path, typer.Option(help="A folder for evaluation.json and predictions.csv.")],
    score: Annotated[Path | None, typer.Option(help="Complaints to label; labels in it are not looked at.")] = None,
    as_json: AsJson = False,
    environment: Environment = "local",
) -> None:
    """How well it does on your files, with no AWS of any kind: a minute or two for 25,000 rows."""
    with friendly():
        runs.check_files([path for path in (labelled, score) if path])
        from ptmlops import trial

        step = _quiet if as_json else _step
        done = trial.run(labelled, score, out, load_settings(environment), step)
        if as_json:
            _print_json({**done.document, "files": [str(path) for path in done.files]})
            return
        _show_trial(done.document)
        for path in done.files:
            Console().print(f"  {path}", soft_wrap=True, markup=False)


@contextlib.contextmanager
def _quiet(title: str) -> Iterator[Callable[[str], None]]:  # noqa: ARG001 - has the form of _progress
    yield lambda _: None


@contextlib.contextmanager
def _step(title: str) -> Iterator[Callable[[str], None]]:
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


def _show_trial(document: dict[str, Any]) -> None:
    """A table of the labels, the numbers that matter, and what limits them."""
    out = Console(highlight=False)
    found, crossed = document["candidate"], document["cross_fitted"]
    labels = sorted(found["per_label"].items(), key=lambda item: -item[1]["support"])
    table = Table("label", "precision", "recall", "F1", "held-out rows", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for label, row in labels[:SHOWN_LABELS]:
        table.add_row(Text(label), *(_share(row[name]) for name in ("precision", "recall", "f1")), f"{row['support']:,}")
    out.print(table)
    if len(labels) > SHOWN_LABELS:
        out.print(f" … and {len(labels) - SHOWN_LABELS} more labels, in evaluation.json")
    out.print()
    low, high = found["macro_f1_interval"] or (None, None)
    coverage = found["coverage_at_target_precision"]
    lines = Table.grid(padding=(0, 2, 0, 0))
    for name, value in (
        ("macro-F1", f"{_share(found['macro_f1'])} (95% interval {_share(low)} to {_share(high)})"),
        ("accuracy", f"{_share(found['accuracy'])} on {document['holdout']['rows']:,} held-out complaints"),
        ("calibration error", _share(found["expected_calibration_error"])),
        ("needs no review", f"{coverage or 0:.0%} of complaints, at a precision of {document['target_precision']:.0%}"),
        ("cross-fitted", f"macro-F1 {crossed['macro_f1']:.3f}, accuracy {crossed['accuracy']:.3f} on all {crossed['rows']:,}"),
    ):
        lines.add_row(f"  {name}", value)
    for note in document["notes"]:
        lines.add_row("  [yellow]note[/yellow]", escape(note))
    out.print(lines)
    out.print()


def _share(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"


@app.command()
def generate(
    out: Annotated[Path, typer.Option(help="The CSV to write.")],
    rows: Annotated[int, typer.Option(min=1, help="How many complaints.")] = 1000,
    unlabelled: Annotated[bool, typer.Option(help="Leave the labels out.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed makes the same file.")] = 7,
    characters: Annotated[int | None, typer.Option(min=100, help="Texts of about this length.")] = None,
) -> None:
    """Write made-up complaints, Spanish and English, to try things on."""
    with friendly():
        generator.write_csv(out, rows, labelled=not unlabelled, seed=seed, characters=characters)
        console.print(f"{rows:,} complaints in {out}")


@app.command()
def models(
    local: Local = False,
    as_json: AsJson = False,
    environment: Environment = "local",
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Model versions, newest first; the newest approved one serves."""
    with friendly():
        found = registry.versions(_target(local, environment, profile, region))
        if as_json:
            _print_json(found)
            return
        table = Table("version", "status", "macro-F1", "trained by run", "reason", box=None)
        for model in found:
            champion = " (serves)" if model["serves"] else ""
            table.add_row(
                str(model["version"]), model["status"] + champion, model["macro_f1"], model["run_id"], Text(model["reason"])
            )
        Console().print(table)


@app.command()
def promote(
    version: int,
    local: Local = False,
    environment: Environment = "local",
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Let a version serve: it is approved, and newer approved ones are rejected."""
    with friendly():
        registry.promote(_target(local, environment, profile, region), version)
        console.print(f"Version {version} serves from the next run on.")


@app.command()
def rollback(
    local: Local = False,
    environment: Environment = "local",
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Reject the version that serves; the approved one before it takes over."""
    with friendly():
        rejected, serving = registry.rollback(_target(local, environment, profile, region))
        console.print(
            f"Version {rejected} is rejected; {f'version {serving} serves' if serving else 'no version serves now'}."
        )


@app.command()
def replay(
    run_id: Annotated[
        str | None, typer.Argument(help="A failed run to redrive; without one, dead letters are sent again.")
    ] = None,
    local: Local = False,
    environment: Environment = "local",
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Go on with a failed run from where it failed, or send the messages of the dead-letter queue again."""
    with friendly():
        target = _target(local, environment, profile, region)
        if run_id:
            target.client("stepfunctions").redrive_execution(executionArn=runs.execution_arn(target, run_id))
            console.print(f"Run {run_id} goes on. Follow it with: ptmlops watch {run_id}{' --local' if local else ''}")
            return
        moved = registry.resend_dead_letters(target)
        console.print(f"{moved} message(s) sent again.")


def main() -> None:
    """Entry point; Ctrl-C before a command has begun is quiet too, and being told to end is a way to end in order."""
    for which in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(which, lambda *_: sys.exit(TERMINATED))
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()

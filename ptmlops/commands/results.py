"""What runs found: `results`, `why`, `report`, `review`."""

from __future__ import annotations

import sys
import tempfile
import webbrowser
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ptmlops import published, runs
from ptmlops.commands.files import Ended, follow_run
from ptmlops.target import OperatorError, Target
from ptmlops.terminal import (
    RUN_FAILED,
    RUNS_GO_ON,
    AsJson,
    Environment,
    Local,
    Profile,
    Region,
    RunId,
    bars,
    console,
    friendly,
    print_json,
    target_of,
    where,
)
from ptmlops_contracts.keys import OutputKeys
from stacks.config import load_settings


class Format(StrEnum):
    """How predictions are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def results(
    run_id: RunId = None,
    form: Annotated[Format, typer.Option("--format", help="The categories, or every prediction.")] = Format.TABLE,
    out: Annotated[Path | None, typer.Option(help="A folder for the run's files; with --format, a file.")] = None,
    local: Local = False,
    as_json: AsJson = False,
    environment: Environment = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Show what a run found, write its predictions, or fetch its files."""
    with friendly():
        target = target_of(local, environment, profile, region)
        if run_id is None:
            run_id = runs.newest(target, succeeded=True) if form is Format.TABLE else published.newest_scored(target)
        document = runs.run_document(target, run_id, wait_seconds=0)
        table = published.predictions(target, run_id)
        if form is not Format.TABLE:
            _write_predictions(table, run_id, form, out)
            return
        copied = runs.copy_output(target, out, run_id=run_id) if out else []
        if as_json:
            print_json({**document, "categories": published.categories(table), "files": [str(path) for path in copied]})
            return
        console.print(f"Run [bold]{run_id}[/bold]")
        show_results(document, table)
        if out:
            console.print(f"{len(copied)} files copied to {out}", markup=False)


def _write_predictions(table: Any, run_id: str, form: Format, out: Path | None) -> None:
    if not table.num_rows:
        raise OperatorError(
            f"run {run_id} classified nothing, so it has no predictions: choose another run (`ptmlops status`)"
        )
    if form is Format.PARQUET:
        import pyarrow.parquet as pq

        if out is None and sys.stdout.isatty():
            raise OperatorError("Parquet is not for a terminal: name a file with --out, or redirect it")
        pq.write_table(table, out or sys.stdout.buffer)
    elif form is Format.CSV:
        _put(published.as_csv(table), out)
    else:
        import json

        _put(json.dumps(table.to_pylist(), ensure_ascii=False, indent=1, default=str) + "\n", out)
    if out:
        console.print(f"{table.num_rows:,} predictions in {out}", markup=False)


def _put(text: str, out: Path | None) -> None:
    if out:
        out.write_text(text, encoding="utf-8", newline="")
    else:
        typer.echo(text, nl=False)


def show_results(document: dict[str, Any], predictions: Any) -> None:
    """Categories with their counts, and what became of the rows."""
    rows = document["rows"]
    out = Console(highlight=False)
    found = published.categories(predictions)
    if found:
        table = Table("category", "complaints", "", "confidence", "to review", box=None)
        for number in (1, 3, 4):
            table.columns[number].justify = "right"
        lengths = bars([row["complaints"] for row in found], 14)
        for row, bar in zip(found, lengths, strict=True):
            counts = f"{row['complaints']:,}", Text(bar, "cyan"), f"{row['mean_confidence']:.2f}", f"{row['needs_review']:,}"
            table.add_row(Text(row["label"]), *counts)
        out.print(table)
        out.print()
    out.print(
        f"{rows['read']:,} rows read: {rows['accepted']:,} accepted, {rows['rejected']:,} rejected, "
        f"{rows['duplicates']:,} duplicates; {document['scored']:,} classified, {document['needs_review']:,} to review"
    )
    if error := document.get("error"):
        out.print(f"It failed in {error.get('state')}: {error.get('message')}", style="red", markup=False)


def why(
    complaint_id: Annotated[str, typer.Argument(metavar="COMPLAINT_ID", help="As in the file or the results.")],
    run_id: Annotated[str | None, typer.Option("--run", help="Look in this run only, which is quicker.")] = None,
    local: Local = False,
    as_json: AsJson = False,
    environment: Environment = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Explain a label: its words, the alternatives, the facts."""
    with friendly():
        target = target_of(local, environment, profile, region)
        if run_id:
            runs.run_document(target, run_id, wait_seconds=0)
        looked = 0
        found: dict[str, Any] | None = None
        with console.status("looking") as status:
            for name, row in published.find(target, complaint_id, run_id):
                status.update(f"looking in {name}")
                looked, found = looked + 1, row
        if found is None:
            raise OperatorError(
                f"no prediction for '{complaint_id}' in {f'run {run_id}' if run_id else f'{looked} run(s)'}: a complaint that "
                "came with a label, was rejected or is a copy of another has none (its line in exports/ says which)"
            )
        if as_json:
            print_json(found)
            return
        _show_why(found)


def _show_why(row: dict[str, Any]) -> None:
    out = Console(highlight=False)
    sure = "needs review" if row["needs_review"] else "sure enough"
    out.print(f"[bold]{escape(row['label'])}[/bold]  confidence {row['confidence']:.2f} ({sure})")
    if row.get("text"):
        out.print(Text(row["text"] if len(row["text"]) <= 300 else row["text"][:299] + "…", style="dim"))
    for title, items, name, value in (
        ("alternatives", row["alternatives"] or [], "label", "probability"),
        ("what spoke for it", row["top_terms"] or [], "term", "contribution"),
    ):
        if not items:
            continue
        table = Table.grid(padding=(0, 2, 0, 0))
        for item, bar in zip(items, bars([item[value] for item in items]), strict=True):
            table.add_row(Text("  " + item[name]), f"{item[value]:.2f}", Text(bar, "cyan"))
        out.print(f"\n{title}")
        out.print(table)
        if title == "alternatives" and (likelier := [item["label"] for item in items if item[value] > items[0][value]]):
            out.print(
                f"  [dim]'{escape(likelier[0])}' is likelier, but where it is close a rarer label comes first, "
                "or it would hardly ever be found[/dim]"
            )
    facts = [(name, _facts(values)) for name, values in (row.get("facts") or {}).items() if values]
    about = [*facts, ("language", row["language"]), ("run", row["run_id"]), ("file", row["source_file"])]
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, text in [*about, ("model version", str(row["model_version"]))]:
        table.add_row(f"  {name}", Text(text or ""))
    out.print("\nabout it")
    out.print(table)


def _facts(values: list[Any]) -> str:
    return ", ".join(
        f"{value['value']:,} {value['currency'] or ''}".strip() if isinstance(value, dict) else str(value) for value in values
    )


def report(
    run_id: RunId = None,
    out: Annotated[Path | None, typer.Option(help="Where to put it; else report-RUN.html here.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    local: Local = False,
    environment: Environment = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Fetch a run's report page; --open shows it."""
    with friendly():
        target = target_of(local, environment, profile, region)
        run_id, page = published.fetch_one(target, lambda run: OutputKeys(run).report_page, run_id)
        path = out or Path(f"report-{run_id}.html")
        _save(path, page)
        typer.echo(path)
        if show and not webbrowser.open(path.resolve().as_uri()):
            console.print("There is no browser here: open the file yourself.")


def pull(
    run_id: RunId = None,
    out: Annotated[Path | None, typer.Option(help="Where to put it; else review-RUN.csv here.")] = None,
    local: Local = False,
    environment: Environment = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Fetch the list of complaints that a person should read."""
    with friendly():
        target = target_of(local, environment, profile, region)
        run_id, body = published.fetch_one(target, lambda run: OutputKeys(run).review, run_id)
        path = out or Path(f"review-{run_id}.csv")
        if path.exists():
            raise OperatorError(f"{path} exists, and somebody may have filled it in: move it away, or choose another --out")
        _save(path, body)
        typer.echo(path)
        console.print("Fill in its label column, then:")
        console.print(f"  ptmlops review push {path}{where(target)}", markup=False, soft_wrap=True)


def _save(path: Path, body: bytes) -> None:
    try:
        path.write_bytes(body)
    except OSError as error:
        raise OperatorError(f"{path} cannot be written ({error.strerror}): choose another --out") from None


def push(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The list, with labels filled in.", show_default=False)],
    new_labels: Annotated[bool, typer.Option("--new-labels", help="Labels that the model does not know are meant.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run to its end.")] = False,
    local: Local = False,
    as_json: AsJson = False,
    environment: Environment = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Hand a filled-in list back: it becomes training data."""
    with friendly(interrupted=RUNS_GO_ON):
        runs.check_files([file])
        target = target_of(local, environment, profile, region)
        columns = load_settings(target.environment).complaints.columns.model_dump()
        reviewed = published.read_review(file, columns)
        _hold_labels(target, reviewed, new_labels=new_labels)
        with tempfile.TemporaryDirectory(prefix="ptmlops-") as scratch:
            path = Path(scratch) / f"{file.name.removesuffix('.gz').rsplit('.', 1)[0]}.csv"
            path.write_bytes(published.review_csv(reviewed))
            dropped = runs.drop(target, path)
        said = f"Dropped {len(reviewed.rows)} reviewed complaints as {dropped.key}; {reviewed.blank} rows without a label left out."
        console.print(said, markup=False)
        ended: Ended | None = follow_run(target, runs.run_of(target, dropped), quiet=as_json) if wait else None
        if as_json:
            counts = {"labelled": len(reviewed.rows), "blank": reviewed.blank}
            print_json({**counts, "key": dropped.key, "version_id": dropped.version_id, "run": ended and ended.document})
        if ended and not ended.succeeded:
            raise typer.Exit(RUN_FAILED)


def _hold_labels(target: Target, reviewed: published.Reviewed, *, new_labels: bool) -> None:
    unknown = published.unknown_labels(target, sorted(set(reviewed.labels)))
    if not unknown:
        return
    told = "; ".join(
        f"'{label}' ({reviewed.labels.count(label)} row(s){f', meant {near}?' if near else ''})"
        for label, near in unknown.items()
    )
    if not new_labels:
        raise OperatorError(f"the model that serves does not know {told}. Correct them, or say --new-labels if they are meant")
    console.print(f"New to the model: {told}", style="yellow", markup=False)

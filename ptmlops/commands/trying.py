"""Without an account: `try` on somebody's own files, `demo` of the whole pipeline, `generate` made-up complaints."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ptmlops import generator, runs
from ptmlops.commands.files import run_locally
from ptmlops.commands.results import show_results
from ptmlops.terminal import (
    LOCAL_ENVIRONMENT,
    RUN_FAILED,
    AsJson,
    Environment,
    console,
    friendly,
    print_file,
    print_json,
    quiet,
    step,
)
from ptmlops_contracts.keys import OutputKeys
from stacks.config import Training, load_settings

SHOWN_LABELS = 25


def try_(
    labelled: Annotated[Path, typer.Option(help="Labelled complaints, to learn from.", show_default=False)],
    out: Annotated[Path, typer.Option(help="A folder for the results.", show_default=False)],
    score: Annotated[Path | None, typer.Option(help="Complaints to label; its own labels are ignored.")] = None,
    as_json: AsJson = False,
    environment: Environment = None,
) -> None:
    """See how well it does on your files, in a minute or two."""
    with friendly():
        for path in filter(None, (labelled, score)):  # one by one: here they may have the same name
            runs.check_files([path])
        from ptmlops import trial

        settings = load_settings(environment or LOCAL_ENVIRONMENT)
        if not environment:
            # The demo's made-up complaints are easy, so local AWS asks its model for more than anybody would of real ones.
            usual = Training.model_fields["target_precision"].default
            training = settings.training.model_copy(update={"target_precision": usual})
            settings = settings.model_copy(update={"training": training})
        done = trial.run(labelled, score, out, settings, quiet if as_json else step)
        if as_json:
            print_json({**done.document, "files": [str(path) for path in done.files]})
            return
        _show_trial(done.document)
        for path in done.files:
            print_file(path)


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
    lines = Table.grid(padding=(0, 2, 0, 0))
    for name, value in (
        ("macro-F1", f"{_share(found['macro_f1'])} (95% interval {_share(low)} to {_share(high)})"),
        ("accuracy", f"{_share(found['accuracy'])} on {document['holdout']['rows']:,} held-out complaints"),
        ("calibration error", _share(found["expected_calibration_error"])),
        (
            "needs no review",
            f"{_share(found['answered_share'])} of them, right in {_share(found['answered_precision'])} "
            f"(wanted: {document['target_precision']:.2f})",
        ),
        ("cross-fitted", f"macro-F1 {crossed['macro_f1']:.3f}, accuracy {crossed['accuracy']:.3f} on all {crossed['rows']:,}"),
    ):
        lines.add_row(f"  {name}", value)
    if scored := document.get("scored"):
        rows = scored["scored"] + scored["duplicate"]
        lines.add_row(
            "  predictions",
            f"{rows:,} complaints, {scored['needs_review']:,} of them to review, by a model of all {crossed['rows']:,}",
        )
    for note in document["notes"]:
        lines.add_row("  [yellow]note[/yellow]", escape(note))
    out.print(lines)
    out.print()


def _share(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"


def demo(
    rows: Annotated[int, typer.Option(help="Labelled complaints to make.")] = 3000,
    to_score: Annotated[int, typer.Option(help="Unlabelled complaints to make.")] = 1000,
    out: Annotated[Path, typer.Option(help="Where everything is written.")] = Path("demo"),
) -> None:
    """Run the whole pipeline on made-up complaints (3 minutes)."""
    with friendly():
        started = time.monotonic()
        labelled, unlabelled = out / "in" / "labelled.csv", out / "in" / "unlabelled.csv"
        generator.write_csv(labelled, rows, seed=7, broken=6)
        generator.write_csv(unlabelled, to_score, labelled=False, seed=8, broken=4)
        console.print(f"Made {rows:,} labelled and {to_score:,} unlabelled complaints in {out / 'in'}/")
        ended = run_locally([labelled, unlabelled], out / "out", LOCAL_ENVIRONMENT)
        if not all(one.succeeded for one in ended):
            raise typer.Exit(RUN_FAILED)
        last = ended[-1]
        run = OutputKeys(last.run_id)
        folders = [out / "out" / folder for folder in (run.predictions, *run.rewritten_folders)]
        files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
        Console().print()
        show_results(last.document, _predictions(files))
        model = last.document["model"]
        Console().print(f"\nModel version {model['version']}: macro-F1 {model['macro_f1']:.3f} on held-out complaints")
        for title, part in (
            ("report", run.report_page), ("predictions", run.predictions), ("spreadsheet", run.exports),
            ("to review", run.review_folder), ("rejected", run.rejected_folder),
        ):  # fmt: skip
            for path in files:
                if part in path.as_posix():
                    Console().print(f"  {title:<12} {path}", soft_wrap=True)
        console.print(f"Whole demo: {time.monotonic() - started:.0f} s")


def _predictions(files: Sequence[Path]) -> Any:
    import pyarrow.dataset as ds

    return ds.dataset([str(path) for path in files if path.suffix == ".parquet"]).to_table()


def generate(
    out: Annotated[Path, typer.Option(help="The CSV to write.")],
    rows: Annotated[int, typer.Option(min=1, help="How many complaints.")] = 1000,
    unlabelled: Annotated[bool, typer.Option(help="Leave the labels out.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed makes the same file.")] = 7,
    characters: Annotated[int | None, typer.Option(min=100, help="Texts of about this length.")] = None,
) -> None:
    """Write made-up complaints, Spanish and English."""
    with friendly():
        generator.write_csv(out, rows, labelled=not unlabelled, seed=seed, characters=characters)
        console.print(f"{rows:,} complaints in {out}")

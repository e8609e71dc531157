"""Read what runs found: `results`, `why`, `report`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ptmlops.errors import OperatorError, report_errors
from ptmlops.options import CommonOptions, Overwrite, RunId, command_for, where_advice
from ptmlops.terminal import console, print_json
from ptmlops_contracts.keys import OutputKeys
from ptmlops_contracts.words import quantity


class Format(StrEnum):
    """A format of predictions: csv for spreadsheets, json and parquet for programs."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


@report_errors()
def results(
    options: CommonOptions,
    run_id: RunId = None,
    form: Annotated[
        Format, typer.Option("--format", help="table shows categories; csv, json and parquet, every prediction.")
    ] = Format.TABLE,
    out: Annotated[Path | None, typer.Option(help="A folder for the run's files; with --format, a file.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of --out that exist.")] = False,
) -> None:
    """Show a run's results, or fetch its predictions or files.

    Examples:
        ptmlops results --local
        ptmlops results --format csv --out predictions.csv
        ptmlops results 20261128-101500-1a2b3c4d --out results
    """
    from ptmlops import predictions, runs
    from ptmlops.output_paths import RUN_FOLDERS, check_output_file, check_output_folder
    from ptmlops.views.results import show_results

    if out and form is Format.TABLE:
        check_output_folder(out, RUN_FOLDERS)
    elif out:
        check_output_file(out, overwrite=overwrite)
    elif form is Format.PARQUET and sys.stdout.isatty():
        raise OperatorError("Parquet cannot be shown on a terminal: name a file with --out, or redirect the output")
    target = options.target()
    if run_id is None:
        run_id = runs.newest(target, succeeded=True) if form is Format.TABLE else predictions.newest_scored(target)
    document = runs.run_document(target, run_id, wait_seconds=0)
    table = predictions.predictions(target, run_id)
    if form is not Format.TABLE and not table.num_rows:
        status = command_for(target, "status")
        raise OperatorError(f"run {run_id} classified nothing, so it has no predictions: choose a run of `{status}`")
    if form is not Format.TABLE:
        _write_predictions(table, form, out)
        return
    copied = runs.copy_output(target, out, run_id=run_id, overwrite=overwrite) if out else []
    if options.as_json:
        print_json({**document, "categories": predictions.categories(table), "files": [str(path) for path in copied]})
        return
    console().print(f"Run [bold]{run_id}[/bold]")
    show_results(document, table, runs.read_report(target, run_id), advice=where_advice(target))
    if out:
        console().print(f"{quantity(len(copied), 'file')} copied to {out}", markup=False)


def _write_predictions(table: Any, form: Format, out: Path | None) -> None:
    if form is Format.PARQUET:
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        content = sink.getvalue().to_pybytes()
    else:
        from ptmlops import predictions

        text = predictions.as_csv(table) if form is Format.CSV else predictions.as_json(table)
        # The mark lets a spreadsheet read a CSV file as UTF-8; programs that read JSON refuse it.
        content = text.encode("utf-8-sig" if out and form is Format.CSV else "utf-8")
    if out is None:
        sys.stdout.buffer.write(content)
    else:
        save(out, content)
        console().print(f"{quantity(table.num_rows, 'prediction')} in {out}", markup=False)


@report_errors()
def why(
    complaint_id: Annotated[str, typer.Argument(metavar="COMPLAINT_ID", help="As in the file or in the results.")],
    options: CommonOptions,
    run_id: Annotated[str | None, typer.Option("--run", help="Search this run only, which is faster.")] = None,
) -> None:
    """Explain a label: its terms, the alternatives, the entities.

    Examples:
        ptmlops why Q7-0000042
        ptmlops why Q7-0000042 --run 20261128-101500-1a2b3c4d --json
    """
    from ptmlops import predictions, runs
    from ptmlops.views.explanation import show_explanation

    target = options.target()
    if run_id:
        runs.run_document(target, run_id, wait_seconds=0)  # raises if the run does not exist or has not ended
    searched = 0
    prediction: dict[str, Any] | None = None
    with console().status("searching") as status:
        for searched_run, row in predictions.find(target, complaint_id, run_id):
            status.update(f"searching {searched_run}")
            searched, prediction = searched + 1, row
    if prediction is None:
        if not run_id:
            predictions.newest_scored(target)  # raises if no run has classified anything
        place = f"run {run_id}" if run_id else quantity(searched, "run")
        raise OperatorError(
            f"no prediction for '{complaint_id}' in {place}: a complaint that was labelled, rejected or a copy of another "
            "one has none; its line in exports/ has the reason"
        )
    if options.as_json:
        print_json(prediction)
    else:
        show_explanation(prediction)


@report_errors()
def report(
    options: CommonOptions,
    run_id: RunId = None,
    out: Annotated[Path | None, typer.Option(help="The file to write. Default: report-RUN.html.", show_default=False)] = None,
    overwrite: Overwrite = False,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Fetch a run's report page; --open shows it in the browser.

    Examples:
        ptmlops report --open --local
        ptmlops report 20261128-101500-1a2b3c4d --out report.html
    """
    from ptmlops import predictions
    from ptmlops.output_paths import check_output_file

    if out:
        check_output_file(out, overwrite=overwrite)
    target = options.target()
    run_id, page = predictions.fetch_one(target, lambda run: OutputKeys(run).report_page, run_id)
    path = out or Path(f"report-{run_id}.html")
    save(path, page)
    if options.as_json:
        print_json({"run_id": run_id, "file": str(path)})
    else:
        typer.echo(path)
    if show:
        import webbrowser

        if not webbrowser.open(path.resolve().as_uri()):
            console().print(f"No browser was found: open {path} yourself.", markup=False)


def save(path: Path, content: bytes) -> None:
    """Write a file, and the folders above it that are missing.

    Raises:
        OperatorError: the file cannot be written.
    """
    from ptmlops.output_paths import writing

    with writing(path):
        path.write_bytes(content)

"""Upload files and follow their runs: `drop`, `run`, `watch`, `status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ptmlops.errors import NOTHING_IS_RUNNING, RUN_FAILED, RUNS_CONTINUE, report_errors
from ptmlops.options import (
    LOCAL_ENVIRONMENT,
    CommonOptions,
    DateColumn,
    Files,
    IdColumn,
    LabelColumn,
    RunId,
    TextColumn,
    cli_options_for,
    named_columns,
)
from ptmlops.terminal import console, print_command, print_json
from ptmlops_contracts.words import quantity

if TYPE_CHECKING:
    from rich.table import Table

    from ptmlops.target import Target


@report_errors(if_interrupted=RUNS_CONTINUE)
def drop(
    files: Files,
    options: CommonOptions,
    text: TextColumn = None,
    label: LabelColumn = None,
    id_: IdColumn = None,
    date: DateColumn = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the runs that the files start.")] = False,
) -> None:
    """Upload files: labelled to train, others to classify.

    Each file is uploaded to the raw bucket under its file name. The bucket keeps earlier versions of a name. The columns that you name
    are metadata of the uploaded objects.

    Examples:
        ptmlops drop complaints.csv --wait
        ptmlops drop survey.csv --text "What happened?" --label Motivo --wait
        ptmlops drop january.csv.gz february.csv.gz -e prod
    """
    from ptmlops import uploads
    from ptmlops.views.run_progress import follow_run

    columns = named_columns(text=text, label=label, id_=id_, date=date)
    uploads.check_files(files)
    target = options.target()
    uploaded = [uploads.upload_with_progress(target, path, columns) for path in files]
    if not wait:
        if options.as_json:
            print_json([{"file": str(one.path), "bucket": one.bucket, "version_id": one.version_id} for one in uploaded])
        else:
            console().print(f"Uploaded {quantity(len(uploaded), 'file')}. Follow the run with:")
            print_command(f"ptmlops watch{cli_options_for(target)}")
        return
    run_ids = dict.fromkeys(uploads.wait_for_run(target, one) for one in uploaded)
    ended = [follow_run(target, run_id, quiet=options.as_json) for run_id in run_ids]
    if options.as_json:
        print_json([one.document for one in ended])
    if not all(one.succeeded for one in ended):
        raise typer.Exit(RUN_FAILED)


@report_errors()
def estimate(files: Files, options: CommonOptions) -> None:
    """Estimate what a run with these files costs, before they are uploaded.

    Past runs of the deployment calibrate the estimate. Without a deployment it is made from assumptions, and its error is larger. It names
    the limits of the settings that would stop the run.

    Examples:
        ptmlops estimate complaints.csv -e prod
        ptmlops estimate january.csv.gz february.csv.gz --local --json
    """
    from dataclasses import asdict

    from botocore.exceptions import BotoCoreError, ClientError

    from ptmlops import uploads
    from ptmlops.cost_estimate import estimate_run
    from ptmlops.errors import OperatorError
    from ptmlops.views.cost_estimate import show
    from stacks.config import load_settings

    uploads.check_files(files)
    target: Target | None = options.target()
    settings = load_settings(options.environment or LOCAL_ENVIRONMENT)
    missing = ""
    try:
        found = estimate_run(files, settings, target)
    except (OperatorError, BotoCoreError, ClientError) as error:  # a deployment is not required
        missing, found = str(error), estimate_run(files, settings, None)
    stopped = {name: found.stopped_by(getattr(found, name), settings) for name in ("classified", "trained")}
    if options.as_json:
        print_json({**asdict(found), "stopped_by": stopped, "not_calibrated": missing})
    else:
        show(found, stopped, missing)


@report_errors(if_interrupted=RUNS_CONTINUE)
def watch(options: CommonOptions, run_id: RunId = None) -> None:
    """Follow a run, state by state, to its end.

    Examples:
        ptmlops watch
        ptmlops watch 20261128-101500-1a2b3c4d -e prod
    """
    from ptmlops import runs
    from ptmlops.views.run_progress import follow_run

    target = options.target()
    ended = follow_run(target, run_id or runs.newest(target), quiet=options.as_json)
    if options.as_json:
        print_json(ended.document)
    if not ended.succeeded:
        raise typer.Exit(RUN_FAILED)


@report_errors()
def status(options: CommonOptions) -> None:
    """List the latest runs and how they ended.

    Examples:
        ptmlops status --local
        ptmlops status -e prod --json
    """
    from rich.console import Console

    from ptmlops import runs

    target = options.target()
    executions = runs.list_runs(target)
    if options.as_json:
        print_json([{"run_id": run["name"], "status": run["status"], "started_at": run["startDate"]} for run in executions])
    elif executions:
        Console(highlight=False).print(_status_table(target, executions))
    else:
        console().print("No run has started yet. Upload a file with:")
        print_command(f"ptmlops drop FILE{cli_options_for(target)}")


def _status_table(target: Target, executions: list[dict[str, Any]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from ptmlops import runs
    from ptmlops_contracts.run import RunStatus

    table = Table("run", "status", "started", "rows", "took", "outcome", box=None, padding=(0, 1, 0, 0))
    table.columns[0].no_wrap = True
    for column in table.columns[3:5]:
        column.justify = "right"
    for run in executions:
        document = runs.read_run_document(target, run["name"]) or {}
        seconds = f"{document['seconds']:.0f} s" if document else ""
        rows = f"{document['rows']['read']:,}" if document else ""
        style = {RunStatus.SUCCEEDED.value: "green", "RUNNING": "cyan"}.get(run["status"], "red")
        state = Text(run["status"].replace("_", " ").lower(), style)
        table.add_row(run["name"], state, f"{run['startDate']:%m-%d %H:%M}", rows, seconds, Text(_outcome(document)))
    return table


def _outcome(document: dict[str, Any]) -> str:
    if error := document.get("error"):
        return f"{error.get('state')}: {error.get('message') or error.get('error')}"[:120]
    outcomes = []
    if document.get("trained"):
        outcomes.append("new model serves" if document.get("promoted") else "trained, not promoted")
    if document.get("scored"):
        outcomes.append(f"{document['scored']:,} classified")
    return ", ".join(outcomes)


@report_errors(if_interrupted=RUNS_CONTINUE)
def logs(
    options: CommonOptions,
    run_id: RunId = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show lines as they come, until the run has ended.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Show metrics, the platform's own lines and every event of the state machine, too.")
    ] = False,
) -> None:
    """Show a run's log lines of all units in time order: functions, Glue and SageMaker jobs, state machine.

    Times are UTC. With --json, the lines are as they were logged.

    Examples:
        ptmlops logs --local
        ptmlops logs 20261128-101500-1a2b3c4d --follow -e prod
    """
    from ptmlops import run_logs, runs

    target = options.target()
    run_id = run_id or runs.newest(target)
    lines = run_logs.follow(target, run_id) if follow else iter(run_logs.lines_of(target, run_id))
    if options.as_json:
        print_json([line.document() for line in lines])
        return
    for line in lines:
        if everything or run_logs.is_of_interest(line):
            typer.echo(f"{line.moment:%H:%M:%S} {line.unit:<16} {run_logs.text_of(line)}")


def run(
    files: Files,
    out: Annotated[Path, typer.Option(help="A folder for everything that the runs write.", show_default=False)],
    options: CommonOptions,
    text: TextColumn = None,
    label: LabelColumn = None,
    id_: IdColumn = None,
    date: DateColumn = None,
) -> None:
    """Upload files in order, follow each run, fetch the output.

    With --local, the command starts a local AWS in a temporary folder and ends it afterwards.

    Examples:
        ptmlops run --local labelled.csv unlabelled.csv --out results
        ptmlops run complaints.csv --out results -e prod
    """
    with report_errors(if_interrupted=NOTHING_IS_RUNNING if options.local else RUNS_CONTINUE):
        from ptmlops import file_runs, uploads
        from ptmlops.output_paths import RUN_FOLDERS, check_output_folder

        columns = named_columns(text=text, label=label, id_=id_, date=date)
        uploads.check_files(files)
        check_output_folder(out, RUN_FOLDERS)
        if options.local:
            environment = options.environment or LOCAL_ENVIRONMENT
            ended = file_runs.run_locally(files, out, environment, columns=columns, quiet=options.as_json)
        else:
            ended = file_runs.run_in_order(options.target(), files, out, columns=columns, quiet=options.as_json)
        if options.as_json:
            print_json([one.document for one in ended])
        else:
            if skipped := files[len(ended) :]:
                names = ", ".join(path.name for path in skipped[:5]) + (", …" if len(skipped) > 5 else "")
                count = quantity(len(skipped), "file")
                console().print(f"Not uploaded, because the run before failed: {count} ({names})", markup=False)
            console().print(f"The output is in {out}", markup=False)
        if not all(one.succeeded for one in ended):
            raise typer.Exit(RUN_FAILED)

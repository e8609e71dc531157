"""Upload files and follow their runs: `drop`, `run`, `watch`, `status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ptmlops.errors import NOTHING_IS_RUNNING, RUN_FAILED, explain, report_errors
from ptmlops.options import (
    LOCAL_ENVIRONMENT,
    CommonOptions,
    DateColumn,
    Files,
    IdColumn,
    LabelColumn,
    RunId,
    TextColumn,
    command_for,
    named_columns,
    report_errors_of_runs,
    runs_continue,
)
from ptmlops.terminal import console, print_command, print_json
from ptmlops_contracts.words import quantity


@report_errors_of_runs
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
    uploaded = uploads.upload_all(target, files, columns)
    if not wait:
        if options.as_json:
            print_json([{"file": str(one.path), "bucket": one.bucket, "version_id": one.version_id} for one in uploaded])
        else:
            console().print(f"Uploaded {quantity(len(uploaded), 'file')}. Follow the run with:")
            print_command(command_for(target, "watch"))
        return
    run_ids = dict.fromkeys(uploads.wait_for_run(target, one) for one in uploaded)
    ended = [follow_run(target, run_id, quiet=options.as_json) for run_id in run_ids]
    if options.as_json:
        print_json([one.document for one in ended])
    if not all(one.succeeded for one in ended):
        raise typer.Exit(RUN_FAILED)


@report_errors()
def estimate(files: Files, options: CommonOptions) -> None:
    """Estimate what a run with these files costs.

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

    uploads.check_files(files, done="read")
    target = options.target()
    settings = load_settings(options.environment or LOCAL_ENVIRONMENT)
    missing = ""
    try:
        found = estimate_run(files, settings, target)
    except (OperatorError, BotoCoreError, ClientError) as error:  # a deployment is not required
        missing, found = explain(error) or str(error), estimate_run(files, settings, None)
    stopped = {name: found.stopped_by(getattr(found, name), settings) for name in ("classified", "trained")}
    if options.as_json:
        print_json({**asdict(found), "stopped_by": stopped, "not_calibrated": missing})
    else:
        show(found, stopped, missing)


@report_errors_of_runs
def watch(options: CommonOptions, run_id: RunId = None) -> None:
    """Follow a run, state by state, to its end.

    Examples:
        ptmlops watch
        ptmlops watch 20261128-101500-1a2b3c4d -e prod
    """
    from ptmlops import runs
    from ptmlops.views.run_progress import follow_run

    target = options.target()
    if run_id and runs.execution_status(target, run_id) is None:
        runs.require_known(target, run_id)  # before the run is shown
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
    from ptmlops import run_list
    from ptmlops.views.status import show_status

    target = options.target()
    listed = run_list.latest(target)
    if options.as_json:
        print_json([run.as_json() for run in listed])
    elif listed:
        show_status(listed)
    else:
        console().print("No run has started yet. Upload a file with:")
        print_command(command_for(target, "drop FILE"))


@report_errors_of_runs
def logs(
    options: CommonOptions,
    run_id: RunId = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show lines as they come, until the run has ended.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Show metrics, the platform's own lines and every event of the state machine, too.")
    ] = False,
) -> None:
    """Show a run's log lines of all units in time order.

    Units are functions, Glue and SageMaker jobs, and the state machine. Times are UTC. With --json, the lines are as they were logged.

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
    with report_errors(if_interrupted=NOTHING_IS_RUNNING if options.local else runs_continue(options)):
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

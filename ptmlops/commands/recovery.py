"""Find uploaded files, cancel them, and process again what was lost or failed: `where`, `cancel`, `reconcile`, `replay`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from ptmlops.errors import RUN_FAILED, OperatorError, report_errors
from ptmlops.options import CommonOptions, command_for, confirm
from ptmlops.terminal import console, no_progress, print_command, print_json, progress
from ptmlops_contracts.run_ids import is_run_id
from ptmlops_contracts.words import quantity

if TYPE_CHECKING:
    from ptmlops.target import Target
    from ptmlops.whereabouts import Whereabouts

UploadedFile = Annotated[
    str, typer.Argument(metavar="FILE", help="A key in the raw bucket, or the path of an uploaded file.", show_default=False)
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Look at so many of the newest versions.")]
Since = Annotated[str | None, typer.Option(help="From this date or time on (ISO 8601; UTC without an offset).")]
Until = Annotated[str | None, typer.Option(help="Up to this date, or before this time.")]
Prefix = Annotated[str, typer.Option(help="Only keys that begin so.")]


@report_errors()
def where(file: UploadedFile, options: CommonOptions, limit: Limit = 10) -> None:
    """Say what became of an uploaded file.

    Each version of the file is listed, newest first: it waits, is in a run, was published, rejected or cancelled, or its run failed.

    Examples:
        ptmlops where complaints.csv
        ptmlops where 2026/november.csv.gz -e prod --json
    """
    from ptmlops import whereabouts

    target = options.target()
    found = whereabouts.find(target, file, limit=limit)
    if options.as_json:
        print_json([one.document() for one in found])
        return
    for one in found:
        _show(target, one)


def _show(target: Target, found: Whereabouts) -> None:
    version = found.version
    uploaded = f"{version.uploaded_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    typer.echo(f"{version.key}, uploaded {uploaded}, {quantity(version.size, 'byte')}: {found.outcome.value}")
    typer.echo(f"  {found.message}")
    if found.rejects:
        typer.echo(f"  rejected rows: {', '.join(f'{reason} {count:,}' for reason, count in sorted(found.rejects.items()))}")
    for export in found.exports:
        typer.echo(f"  {export}")
    if found.next_step:
        print_command(command_for(target, found.next_step))


@report_errors()
def cancel(
    what: Annotated[
        str, typer.Argument(metavar="FILE|RUN", help="An uploaded file that waits, or a run id.", show_default=False)
    ],
    options: CommonOptions,
    version: Annotated[str | None, typer.Option(metavar="ID", help="Cancel this version of the file only.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Take a waiting file out of its run, or stop a run.

    A file leaves its run while that run collects files; other files stay in it. A run that collects is cancelled with all its files, and
    no later upload takes them. A run that works is stopped with its jobs. `ptmlops replay RUN` undoes both. A cancelled file has to be
    uploaded again.

    Examples:
        ptmlops cancel complaints.csv
        ptmlops cancel 20261128-101500-1a2b3c4d -e prod --yes
    """
    target = options.target()
    if is_run_id(what):
        _cancel_run(target, what, options, yes=yes)
    else:
        _cancel_file(target, what, options, version_id=version, yes=yes)


def _cancel_run(target: Target, run_id: str, options: CommonOptions, *, yes: bool) -> None:
    from ptmlops import cancellation

    run = cancellation.check_run(target, run_id)
    files = f"run {run_id} with {quantity(run.files, 'file')}"
    confirm(f"Stop {files}, and its jobs?" if run.works else f"Cancel {files}, which has not started to work?", yes=yes)
    worked = cancellation.cancel_run(target, run_id)
    if options.as_json:
        print_json({"run_id": run_id, "worked": worked, "files": run.files})
        return
    console().print(
        f"Run {run_id} is stopped. To continue it, use:"
        if worked
        else f"Run {run_id} is cancelled: no run takes its files. To process them after all, use:"
    )
    print_command(command_for(target, f"replay {run_id}"))


def _cancel_file(target: Target, name: str, options: CommonOptions, *, version_id: str | None, yes: bool) -> None:
    from ptmlops import cancellation

    waiting = cancellation.waiting_versions(target, name, version_id=version_id, limit=1000)
    key = waiting[0].key
    count = f" ({quantity(len(waiting), 'version')})" if len(waiting) > 1 else ""
    confirm(f"Cancel {key}{count} of environment '{target.environment}', so that no run takes it?", yes=yes)
    cancelled = [cancellation.cancel_file(target, version) for version in waiting]
    if options.as_json:
        print_json({"key": key, "cancelled": [asdict(one) for one in cancelled]})
        return
    console().print(f"{key} is cancelled: no run takes it. To process it after all, upload it again.", markup=False)
    for one in cancelled:
        if one.cancelled_run:
            console().print(f"Run {one.cancelled_run} had no other file, and is cancelled, too.")


@report_errors(if_interrupted="what was sent is processed; run the command again to continue")
def reconcile(
    options: CommonOptions,
    prefix: Prefix = "",
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and send nothing.")] = False,
) -> None:
    """Send uploaded files that no run has taken.

    It compares the object versions of the raw bucket with the ledger, and sends missing ones to the arrivals queue. Files of a run that
    ended while it collected are taken by another run. Versions that were deleted or cancelled are left alone. A file that is still in the
    queue is sent, too, which does no harm: each version is processed once.

    Examples:
        ptmlops reconcile --dry-run
        ptmlops reconcile --since 2026-11-27 --prefix november/ -e prod
    """
    from ptmlops import reconciliation

    target = options.target()
    first, last = time_range(since, until)
    found = reconciliation.reconcile(target, prefix=prefix, since=first, until=last, dry_run=dry_run)
    if options.as_json:
        print_json({**asdict(found), "dry_run": dry_run})
        return
    typer.echo(f"{quantity(found.versions, 'file version')} compared: {found.taken:,} in runs, {found.lost:,} in none")
    left = {
        "cancelled": found.cancelled,
        "deleted": found.deleted,
        "folders": found.folders,
        "being rewritten": found.rewritten,
    }
    if named := ", ".join(f"{count:,} {name}" for name, count in left.items() if count):
        typer.echo(f"left alone: {named}")
    for run_id in found.stranded_runs:
        typer.echo(f"run {run_id} ended while it collected files; another run takes them")
    if dry_run:
        typer.echo("nothing was sent: this is a dry run")
    else:
        typer.echo(f"{quantity(found.sent, 'message')} sent to the arrivals queue")


@report_errors()
def replay(
    options: CommonOptions,
    run_id: Annotated[str | None, typer.Argument(metavar="RUN", help="A failed or cancelled run.", show_default=False)] = None,
    since: Since = None,
    until: Until = None,
    prefix: Prefix = "",
    dead_letters: Annotated[bool, typer.Option("--dead-letters", help="Send dead letters again. The default.")] = False,
    pinned: Annotated[bool, typer.Option("--pinned", help="Score a run that succeeded again, and compare.")] = False,
) -> None:
    """Continue failed runs, or send dead letters again.

    A redriven run continues from the state that failed, with the code that is deployed now. A run that was cancelled, or that failed over
    14 days ago, is not redriven: a new run takes its files. --since, --until and --prefix choose failed runs by their start and their
    files; runs that a person stopped or cancelled are replayed by name only.

    With --pinned, the rows of a run that succeeded are scored again by its model version with that version's code, under a new run id, and
    the answers are compared. Nothing else is repeated: Prepare's old code is not kept. The exit status is 1 if an answer differs.

    Examples:
        ptmlops replay 20261128-101500-1a2b3c4d
        ptmlops replay --since 2026-11-27 --prefix november/ -e prod
        ptmlops replay --dead-letters -e prod
        ptmlops replay 20261128-101500-1a2b3c4d --pinned
    """
    if pinned and not run_id:
        raise OperatorError(f"--pinned repeats one run: name it, as `{options.command('status')}` lists it")
    several = bool(since or until or prefix)
    if (run_id is not None) + several + dead_letters > 1:
        raise OperatorError(
            "name a run, or choose runs with --since, --until and --prefix, or use --dead-letters: one of the three"
        )
    target = options.target()
    if run_id and pinned:
        _repeat(target, run_id, options)
    elif run_id:
        _replay_one(target, run_id, options)
    elif several:
        _replay_several(target, options, since=since, until=until, prefix=prefix)
    else:
        _resend_dead_letters(target, options)


def _replay_one(target: Target, run_id: str, options: CommonOptions) -> None:
    from ptmlops import replays

    replayed = replays.replay_run(target, run_id)
    if options.as_json:
        print_json(asdict(replayed))
        return
    if replayed.redriven:
        console().print(f"Run {run_id} continues. Follow it with:")
    else:
        console().print(f"Run {replayed.run_id} processes the files of run {run_id}. Follow it with:")
    print_command(command_for(target, f"watch {replayed.run_id}"))


def _repeat(target: Target, run_id: str, options: CommonOptions) -> None:
    from ptmlops import repetition

    with (no_progress if options.as_json else progress)("scoring again") as report:
        found = repetition.repeat(target, run_id, report)
    if options.as_json:
        print_json({**asdict(found), "same": found.same, "prepared_otherwise": found.prepared_otherwise})
    else:
        answers = f"{quantity(found.rows, 'answer')} of model version {found.model_version}"
        typer.echo(f"{answers}: {'all are the same' if found.same else f'{found.differing:,} differ'}")
        typer.echo("The rows are those that the run prepared: Prepare was not repeated.")
        for part in found.prepared_otherwise:
            typer.echo(
                f"  {part}: version {found.prepared_by.get(part)} then, {found.now[part]} now, which makes other rows of the files"
            )
    if not found.same:
        raise typer.Exit(RUN_FAILED)


def _replay_several(target: Target, options: CommonOptions, *, since: str | None, until: str | None, prefix: str) -> None:
    from ptmlops import replays

    # A replayed run is not a failed one any more, so the list is complete before the first is replayed.
    first, last = time_range(since, until)
    chosen = list(replays.failed_runs(target, since=first, until=last, prefix=prefix))
    batch = replays.replay_all(target, iter(chosen))
    if options.as_json:
        print_json({"replayed": [asdict(one) for one in batch.replayed], "refused": batch.refused})
        return
    console().print(f"{quantity(len(batch.replayed), 'run')} replayed.")
    for one in batch.replayed:
        console().print(f"  {one.run_id}" + ("" if one.redriven else f" with the files of {one.replays}"))
    for reason in batch.refused.values():
        console().print(f"  {reason}", markup=False)


def _resend_dead_letters(target: Target, options: CommonOptions) -> None:
    from ptmlops import dead_letters

    count = dead_letters.resend(target)
    if options.as_json:
        print_json({"resent": count})
    else:
        console().print(f"{quantity(count, 'message')} sent again.")


def time_range(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Parse --since, where a date is its first moment, and --until, where a date includes its day.

    Raises:
        OperatorError: one is not an ISO 8601 date or time, or the range ends before it starts.
    """
    first = _moment(since) if since else None
    last = _moment(until) + timedelta(days=_is_day(until)) if until else None
    if first and last and first >= last:
        raise OperatorError(f"--since {since} is not before --until {until}: give an earlier --since, or a later --until")
    return first, last


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise OperatorError(f"'{text}' is not a date or a time: write 2026-11-28 or 2026-11-28T14:30+01:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""Erase a person's rows: `forget`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ptmlops.errors import RUN_FAILED, OperatorError, report_errors
from ptmlops.options import CommonOptions, confirm
from ptmlops.terminal import console, no_progress, print_json, progress
from ptmlops_contracts.words import quantity

if TYPE_CHECKING:
    from ptmlops.erasure.flow import Named, Outcome
    from ptmlops.target import Target

_COMPLETES = (
    "if it had begun to erase, the next call of `ptmlops forget` completes that, whatever it names; a search changes nothing"
)


@report_errors(if_interrupted=_COMPLETES)
def forget(
    options: CommonOptions,
    complaint_id: Annotated[
        list[str] | None,
        typer.Option("--complaint-id", metavar="ID", help="A complaint's id: its own, or `c-…` of the results."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="COLUMN=VALUE", help="Rows with this value in a column of this name."),
    ] = None,
    text_file: Annotated[
        list[Path] | None,
        typer.Option("--text-file", metavar="FILE", help="A text file with the complaint, as the person wrote it."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the rows, and change nothing.")] = False,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Then train again without the rows, and say how the model differs.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for runs that work, and do not refuse.")] = False,
    same_text: Annotated[
        bool, typer.Option("--same-text/--no-same-text", help="Also erase rows that have only the text of a found row.")
    ] = True,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Erase a person's rows from everything that is stored.

    It searches every version of every object: uploads, records, labelled rows, exports, review lists, rejected rows, predictions, results of
    queries. Each row that is found leads to the same complaint elsewhere. Objects with other people's rows are rewritten without the
    rows, and versions that had them are deleted. Runs wait meanwhile. The options can be repeated, and combined. Everything is erased that any of
    them finds.

    Examples:
        ptmlops forget --complaint-id Q-2026-00017 --dry-run
        ptmlops forget --where "Cédula=1032445667" --retrain -e prod
        ptmlops forget --text-file complaint.txt --local --yes
    """
    from ptmlops.erasure import flow
    from ptmlops.extras import require_extra
    from ptmlops.source_roots import add_source_roots_to_path
    from stacks.config import load_settings

    require_extra("jobs", "ptmlops forget")
    add_source_roots_to_path()
    named = _named(complaint_id or [], where or [], text_file or [], same_text=same_text)
    target = options.target()
    settings = load_settings(target.environment)
    if not dry_run:  # before anything is shown: progress would overwrite the answer
        confirm(f"Erase the person's rows from environment '{target.environment}'? They cannot be restored", yes=yes)
    with (no_progress if options.as_json else progress)("forget") as report:
        if dry_run:
            outcome = flow.look(target, named, settings, report)
        else:
            outcome = flow.forget(target, named, settings, wait=wait, report=report)
    if retrain and not dry_run:
        outcome.retrained = _retrain(target, options)
    if options.as_json:
        print_json(outcome.document())
    else:
        _show(outcome, retrain=retrain)
    if outcome.retrained and outcome.retrained["status"] != "SUCCEEDED":
        raise typer.Exit(RUN_FAILED)


def _named(ids: list[str], where: list[str], text_files: list[Path], *, same_text: bool) -> Named:
    """Return what the options name.

    Raises:
        OperatorError: nothing is named, or an option is not what it should be.
    """
    from ptmlops.erasure.flow import Named
    from ptmlops.erasure.texts import letters

    if not (ids or where or text_files):
        raise OperatorError("name the person's rows with --complaint-id, --where or --text-file")
    if any(not id_.strip() for id_ in ids):
        raise OperatorError("--complaint-id is empty")
    pairs = [(name.strip(), value.strip()) for name, _, value in (one.partition("=") for one in where)]
    if not all(name and value for name, value in pairs):
        raise OperatorError("--where needs a column and its value: --where COLUMN=VALUE")
    texts = [_text_in(path) for path in text_files]
    if any(not letters(text) and len(text) < 3 for text in texts):
        raise OperatorError("a file of --text-file holds no text")
    return Named(ids=[id_.strip() for id_ in ids], where=pairs, texts=texts, same_text=same_text)


def _text_in(path: Path) -> str:
    from ptmlops.erasure.formats.tables import text_of

    try:
        return text_of(path.read_bytes()).removeprefix("\ufeff").strip()
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}") from None


def _retrain(target: Target, options: CommonOptions) -> dict[str, Any] | None:
    from ptmlops.erasure import models
    from ptmlops.views.run_progress import follow_run

    if not models.learned_erased_rows(target):
        return None
    return models.retrain(target, lambda run_id: follow_run(target, run_id, quiet=options.as_json).succeeded)


def _show(outcome: Outcome, *, retrain: bool) -> None:
    for one in outcome.completed:
        typer.echo(f"The erasure {one}, which was interrupted, is complete.")
    for one in outcome.unfinished:
        typer.echo(f"The erasure {one} was interrupted: the next call without --dry-run completes it.")
    if outcome.rows:
        typer.echo(f"{quantity(outcome.rows, 'row')} {'would be' if outcome.dry_run else 'were'} erased:")
        for what, counts in outcome.erased.items():
            done = ", ".join(f"{counts[how]:,} {how}" for how in ("rewritten", "deleted") if counts[how])
            typer.echo(f"  {what}: {quantity(counts['rows'], 'row')}; object versions: {done}")
    else:
        typer.echo(f"No rows were found in {quantity(outcome.searched, 'object version')}.")
    for ended_at in outcome.earlier:
        typer.echo(f"The same was erased before, on {ended_at}.")
    if outcome.unreadable:
        typer.echo(
            f"Not searched, because they are no tables or texts: {quantity(outcome.unreadable, 'file')}. See docs/how-to/erase.md."
        )
    if outcome.models:
        numbers = ", ".join(map(str, outcome.models))
        typer.echo(f"Model versions that learned from the rows: {numbers}")
        if not retrain:
            typer.echo("The next run trains again without them. The same command with --retrain trains at once.")
    if outcome.record:
        typer.echo(f"Record: {outcome.record} in the prepared bucket (counts and keyed hashes)")
    if outcome.retrained:
        _show_retrained(outcome.retrained)


def _show_retrained(retrained: dict[str, Any]) -> None:
    run_id, reasons = retrained["run_id"], "; ".join(retrained["promotion"]["reasons"])
    if not retrained["trained"]:
        console().print(f"Run {run_id} did not train: {retrained['training_reason']}", markup=False)
        return
    scores = retrained.get("macro_f1", {})
    if scores.get("new") is not None:
        old = "" if scores["old"] is None else f", before {scores['old']:.3f}"
        typer.echo(f"New model: macro-F1 {scores['new']:.3f}{old}, on {quantity(retrained['held_out_rows'], 'held-out row')}")
    if difference := retrained.get("difference"):
        low, high = difference["interval"]
        answers = quantity(difference["rows_answered_differently"], "row")
        typer.echo(
            f"  difference {difference['macro_f1_difference']:+.3f} (95%: {low:+.3f} to {high:+.3f}); {answers} answered differently"
        )
    typer.echo(f"  {'It serves' if retrained['promoted'] else 'It does not serve'}: {reasons}")

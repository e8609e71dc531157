"""Model versions: `models`, `compare`, `promote`, `rollback`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ptmlops.errors import report_errors
from ptmlops.options import CommonOptions, command_for
from ptmlops.terminal import console, no_progress, print_command, print_json, progress
from ptmlops_contracts.words import quantity

if TYPE_CHECKING:
    from ptmlops.promotion import Decision

Version = Annotated[int, typer.Argument(metavar="VERSION", help="A version that `ptmlops models` lists.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with the version.")]


@report_errors()
def models(
    options: CommonOptions,
    version: Annotated[
        int | None,
        typer.Argument(metavar="VERSION", help="Show where this version comes from and what it did.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many of the newest versions, and the one that serves.")] = 20,
    runs: Annotated[int, typer.Option(min=0, help="Search so many of the newest runs for a version's answers.")] = 200,
) -> None:
    """List model versions, or show where one comes from.

    The newest approved version serves. With VERSION: its data, code and metrics, every decision about it, and the runs that it answered.

    Examples:
        ptmlops models -e prod
        ptmlops models 3 -e prod
        ptmlops models -e prod --limit 100
        ptmlops models 3 --local --json
    """
    from ptmlops import registry
    from ptmlops.views.models import print_lineage, print_versions

    target = options.target()
    if version is not None:
        lineage = registry.lineage(target, version, run_limit=runs)
        if options.as_json:
            print_json(lineage)
        else:
            print_lineage(lineage)
        return
    versions = registry.versions(target, limit=limit)
    if options.as_json:
        print_json(versions)
    elif not versions:
        console().print("No model has been trained yet. Upload a labelled file with:")
        print_command(command_for(target, "drop FILE"))
    else:
        print_versions(versions)


@report_errors()
def compare(
    first: Annotated[int, typer.Argument(metavar="A", help="A version that `ptmlops models` lists.")],
    second: Annotated[int, typer.Argument(metavar="B", help="Another version.")],
    options: CommonOptions,
    limit: Annotated[int, typer.Option(min=0, help="Show so many rows, the most confident contradictions first.")] = 20,
) -> None:
    """Show the rows on which two model versions differ.

    Rows are the held-out rows that both versions were evaluated on: neither has learned from them. Texts are redacted; a row that was
    erased or has expired is shown without its text.

    Examples:
        ptmlops compare 2 3 -e prod
        ptmlops compare 2 3 -e prod --limit 1000 --json
    """
    from ptmlops import comparison
    from ptmlops.views.models import print_comparison

    found = comparison.compare(options.target(), first, second, limit=limit)
    if options.as_json:
        print_json(found)
    else:
        print_comparison(found)


@report_errors(if_interrupted="a canary check goes on as a job, and no version was changed unless the command said so")
def promote(
    version: Version,
    options: CommonOptions,
    reason: Reason,
    override: Annotated[bool, typer.Option("--override", help="Also if the gate refused the version.")] = False,
) -> None:
    """Let a model version serve, after a check.

    A transform job scores held-out rows with the version (some minutes, and one or two cents). The version serves from the next run on if it
    answers as it did at its evaluation. Newer approved versions are rejected. Who decided, when and why is kept with each version.

    Examples:
        ptmlops promote 3 --reason "Better on cards" -e prod
        ptmlops promote 2 --reason "Version 3 confuses fees" --override -e prod
    """
    from ptmlops import promotion

    target = options.target()
    with (no_progress if options.as_json else progress)(f"Check version {version}") as report:
        decision = promotion.promote(target, version, reason=reason, override=override, report=report)
    _print_decision(decision, as_json=options.as_json)


@report_errors(if_interrupted="a canary check goes on as a job, and no version was changed unless the command said so")
def rollback(
    options: CommonOptions,
    reason: Reason,
    override: Annotated[bool, typer.Option("--override", help="Also if no version would serve.")] = False,
) -> None:
    """Take the serving model version out.

    The approved version before it serves from the next run on. That version is checked first, as `ptmlops promote` does.

    Examples:
        ptmlops rollback --reason "Answers of the last two runs were wrong" -e prod
    """
    from ptmlops import promotion

    target = options.target()
    with (no_progress if options.as_json else progress)("Check the version before") as report:
        decision = promotion.rollback(target, reason=reason, override=override, report=report)
    _print_decision(decision, as_json=options.as_json)


def _print_decision(decision: Decision, *, as_json: bool) -> None:
    if as_json:
        document: dict[str, Any] = asdict(decision)
        print_json(document)
        return
    if decision.canary:
        held_out, others = decision.canary.compared, decision.canary.answered - decision.canary.compared
        checked = (
            f"answered all {quantity(held_out, 'held-out row')} as at its evaluation, and {quantity(others, 'made-up row')}"
        )
        console().print(f"Version {decision.serving} loads: it {checked}.")
    for version in decision.rejected:
        console().print(f"Version {version} is rejected.")
    console().print(f"{f'Version {decision.serving}' if decision.serving else 'No version'} serves from the next run on.")

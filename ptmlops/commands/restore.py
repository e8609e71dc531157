"""Recover an environment: `adopt` a destroyed storage stack's resources, `restore objects` and `restore ledger`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ptmlops.errors import OperatorError, report_errors
from ptmlops.options import CommonOptions, command_for
from ptmlops.terminal import console, no_progress, print_command, print_json, progress


class Bucket(StrEnum):
    """The buckets with data."""

    RAW = "raw"
    PREPARED = "prepared"
    MODELS = "models"
    OUTPUT = "output"


Time = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="The time, in UTC: 2026-11-28T03:00:00Z.", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count what would change, and change nothing.")]


def parse_time(text: str | None) -> datetime:
    """Return the time of --to. A time without a zone is UTC.

    Raises:
        OperatorError: it is missing, not a time, or in the future.
    """
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        raise OperatorError(f"--to needs a time such as 2026-11-28T03:00:00Z, not '{text or ''}'") from None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    if time > datetime.now(UTC):
        raise OperatorError(f"--to {text} is in the future")
    return time


@report_errors()
def adopt(
    options: CommonOptions,
    out: Annotated[Path | None, typer.Option(help="The mapping file to write. Default: adopt-ENVIRONMENT.json.")] = None,
) -> None:
    """Bring a destroyed storage stack's data under CloudFormation.

    Nothing is changed. The commands that follow are printed. It works for 90 days after the stack was destroyed.

    Examples:
        ptmlops adopt -e prod
    """
    from ptmlops import adoption
    from ptmlops.extras import require_extra
    from ptmlops.output_paths import check_output_file

    require_extra("cdk", "ptmlops adopt")
    target = options.target()
    path = out or Path(f"adopt-{target.environment}.json")
    check_output_file(path, overwrite=out is None)
    with no_progress("adopt") if options.as_json else progress("adopt") as report:
        report("synthesizing the storage stack")
        found = adoption.find(target, adoption.synthesize(target.environment))
    path.write_text(json.dumps(found.mapping, indent=1) + "\n", encoding="utf-8")
    context = f"-c environment={target.environment}"
    commands = [
        f"cdk import {found.stack_name} {context} --resource-mapping {path}",
        f"cdk deploy --all {context}",
    ]
    if options.as_json:
        print_json({"file": str(path), "mapping": found.mapping, "missing": found.missing, "left_over": found.left_over,
                    "created_again": found.created_again, "commands": commands})  # fmt: skip
        return
    console().print(f"{path} has {len(found.mapping)} resources that the destroyed stack {found.stack_name} has left.")
    for name in found.missing:
        console().print(f"Not found, so the deployment creates it empty: {name}", markup=False)
    for name in found.left_over:
        console().print(f"Cannot be imported, and stays outside the stack: {name}", markup=False)
    for kind, remark in found.created_again.items():
        console().print(f"Not adopted: {kind}: {remark}", markup=False)
    console().print("Import them, then create the rest:")
    for command in commands:
        print_command(command)


@report_errors(if_interrupted="objects that were restored stay restored; run the command again to continue")
def restore_objects(
    options: CommonOptions,
    bucket: Annotated[Bucket, typer.Option(help="The bucket.")],
    to: Time = None,
    prefix: Annotated[str, typer.Option(help="Only objects whose keys begin so.")] = "",
    dry_run: DryRun = False,
) -> None:
    """Bring deleted and overwritten objects of a bucket back as they were at a time.

    Objects that did not exist at that time stay. Restored files of the raw bucket that were overwritten are processed again.

    Examples:
        ptmlops restore objects -e prod --bucket raw --to 2026-11-28T03Z --dry-run
        ptmlops restore objects -e prod --bucket models --to 2026-11-28
    """
    from ptmlops import restored_objects

    target, time = options.target(), parse_time(to)
    with no_progress("restore") if options.as_json else progress("restore") as report:
        plan = restored_objects.plan(target, bucket.value, time, prefix)
        if not dry_run:
            restored_objects.carry_out(target, plan, report)
    counts = plan.counts()
    if options.as_json:
        print_json({"bucket": plan.bucket, "dry_run": dry_run, **counts})
        return
    verb = "Would restore" if dry_run else "Restored"
    console().print(
        f"{verb} {counts['deleted']:,} deleted and {counts['overwritten']:,} overwritten objects of {plan.bucket}. "
        f"{counts['unchanged']:,} are as they were, and {counts['newer']:,} are newer and stay."
    )


@report_errors(if_interrupted="items that were written stay; run the command again with --from TABLE")
def restore_ledger(
    options: CommonOptions,
    to: Time = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="TABLE", help="A table that an earlier call has restored.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace items that have changed since, too.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Bring ledger items back from point-in-time recovery.

    DynamoDB restores into a new table, which takes minutes to an hour. Items that are missing in the ledger are copied from it. Newer items
    stay, and changed ones too unless --overwrite is given. The new table is deleted at the end, except after --dry-run.

    Examples:
        ptmlops restore ledger -e prod --to 2026-11-28T03:00:00Z --dry-run
        ptmlops restore ledger -e prod --from LEDGER-20261128031500
    """
    from ptmlops import restored_ledger

    target = options.target()
    if (to is None) == (source is None):
        raise OperatorError("name either a time (--to TIME) or a table that is restored already (--from TABLE)")
    with no_progress("restore") if options.as_json else progress("restore") as report:
        table = source or restored_ledger.restore(target, parse_time(to), report)
        difference = restored_ledger.compare(target, table)
        written = 0 if dry_run else restored_ledger.write(target, difference, overwrite=overwrite)
        if not dry_run:
            target.client("dynamodb").delete_table(TableName=table)
    counts = difference.counts()
    if options.as_json:
        print_json({"table": table, "dry_run": dry_run, "written": written, **counts})
        return
    console().print(
        f"{counts['missing']:,} items are missing, {counts['changed']:,} have changed, {counts['same']:,} are as they were, "
        f"{counts['newer']:,} are newer. {written:,} were written."
    )
    if dry_run:
        console().print("Write the missing items, or those that have changed, too (--overwrite), with:")
        print_command(command_for(target, f"restore ledger --from {table}"))

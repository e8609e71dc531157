"""Start and end local AWS with `up` and `down`; check an account with `doctor`; delete an environment's data with `empty`."""

from __future__ import annotations

from typing import Annotated

import typer

from ptmlops.errors import BLOCKED, OperatorError, report_errors
from ptmlops.options import LOCAL_ENVIRONMENT, LOCAL_FOLDER, AsJson, CommonOptions, EnvironmentName, confirm
from ptmlops.terminal import console, no_progress, print_command, print_json, progress


@report_errors()
def up(as_json: AsJson = False, environment: EnvironmentName = None) -> None:
    """Start a local AWS in this folder and deploy the app to it.

    It prints shell commands that point other AWS tools at it.

    Examples:
        ptmlops up
        eval "$(ptmlops up)"
    """
    from ptmlops.extras import require_extra

    require_extra("local", "local AWS")
    from local_aws import LocalAws

    environment = environment or LOCAL_ENVIRONMENT
    aws = LocalAws.start(LOCAL_FOLDER, environment=environment, detached=True)
    try:
        if aws.replaces and not as_json:
            console().print(
                f"The local AWS that ran here before (process {aws.replaces}) died. Its runs and results are gone, because it keeps data in "
                "memory. A new one starts.",
                style="yellow",
            )
        with (no_progress if as_json else progress)("local AWS") as report:
            aws.deploy(environment=environment, on_progress=report)
    except BaseException:
        aws.stop()
        raise
    if as_json:
        print_json({"endpoint_url": aws.endpoint_url, "folder": str(LOCAL_FOLDER), "variables": aws.environment})
        return
    for name, value in aws.environment.items():
        typer.echo(f"export {name}={value}")
    console().print(f"Local AWS runs at {aws.endpoint_url}. Upload a file, or end local AWS, with:")
    print_command(CommonOptions(local=True, environment=environment).command("drop FILE"))
    print_command("ptmlops down")


@report_errors()
def down(as_json: AsJson = False) -> None:
    """End the local AWS of this folder.

    Its runs, models and results end with it.

    Examples:
        ptmlops down
    """
    from local_aws import LocalAws

    LocalAws.attach(LOCAL_FOLDER).stop()
    if as_json:
        print_json({"ended": str(LOCAL_FOLDER)})
    else:
        console().print("Local AWS has ended, and its runs, models and results with it.")


@report_errors()
def notices(
    as_json: AsJson = False,
    local: Annotated[bool, typer.Option("--local", help="Show the notices of the local AWS of this folder.")] = False,
) -> None:
    """Show the notices that local AWS has delivered.

    They include alarms. No mail is sent. On AWS, notices go to the recipients in [alarms].

    Examples:
        ptmlops notices --local
    """
    from local_aws import LocalAws
    from local_aws.paths import NOTICES
    from ptmlops.views.notices import notice_lines, read_notices

    if not local:
        raise OperatorError("only local AWS keeps notices: use --local. On AWS they are with the recipients in [alarms]")
    found = read_notices(LocalAws.attach(LOCAL_FOLDER).folder / NOTICES)
    if as_json:
        print_json(found)
        return
    for notice in found:
        for line in notice_lines(notice):
            typer.echo(line)
    if not found:
        console().print("No notice was delivered yet.")


@report_errors()
def doctor(options: CommonOptions) -> None:
    """Check an account before the first deployment.

    It checks credentials, region, bootstrap, quotas, QuickSight and alarm addresses.
    Each line says what was checked, what was found and what to do next. The exit status is 1 if something blocks a deployment or a run.

    Examples:
        ptmlops doctor -e prod
        ptmlops doctor -e prod --region eu-west-1 --json
    """
    from dataclasses import asdict

    from ptmlops import account
    from ptmlops.views.doctor import show
    from stacks.config import load_settings

    target = options.target()
    findings = account.examine(target, load_settings(target.environment))
    if options.as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        show(findings, environment=target.environment)
    if any(finding.status is account.Status.BLOCKED for finding in findings):
        raise typer.Exit(BLOCKED)


@report_errors(if_interrupted="deleted data stays deleted; run the command again to continue")
def empty(
    options: CommonOptions,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete all data of a disposable environment.

    CloudFormation deletes neither a bucket with objects in it nor a model package group with versions. After this command,
    `cdk destroy` can delete them.

    Examples:
        ptmlops empty -e dev
    """
    from ptmlops import removal

    target = options.target()
    removal.check(target)
    confirm(f"Delete every complaint, result and model of environment '{target.environment}'?", yes=yes)
    with progress("empty") as report:
        counts = removal.empty(target, report)
    if options.as_json:
        print_json(counts)
        return
    console().print(
        f"Deleted: {', '.join(f'{count:,} {name}' for name, count in counts.items())}. To destroy the stacks, run:"
    )
    print_command("ptmlops down" if target.endpoint_url else f"cdk destroy --all -c environment={target.environment}")

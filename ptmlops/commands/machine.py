"""Local AWS: `up` and `down`; and `empty`, before an environment's stacks are destroyed."""

from __future__ import annotations

from typing import Annotated

import typer

from local_aws import LocalAws
from ptmlops import removal
from ptmlops.target import LOCAL_FOLDER
from ptmlops.terminal import (
    LOCAL_ENVIRONMENT,
    AsJson,
    Environment,
    Local,
    Profile,
    Region,
    console,
    friendly,
    print_json,
    progress,
    target_of,
)


def up(environment: Environment = None) -> None:
    """Start a local AWS here, with the app deployed in it."""
    environment = environment or LOCAL_ENVIRONMENT
    with friendly():
        aws = LocalAws.start(LOCAL_FOLDER, environment=environment, detached=True)
        try:
            with progress("local AWS") as tell:
                aws.deploy(environment=environment, on_progress=tell)
        except BaseException:
            aws.stop()
            raise
        for name, value in aws.environment.items():  # for other tools: eval "$(ptmlops up)"
            typer.echo(f"export {name}={value}")
        console.print(f"Local AWS is up at {aws.endpoint_url}. Next: ptmlops drop FILE --local", soft_wrap=True)
        console.print("End it with: ptmlops down")


def down() -> None:
    """End the local AWS of this folder."""
    with friendly():
        LocalAws.attach(LOCAL_FOLDER).stop()
        console.print("Local AWS is down.")


def empty(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    local: Local = False,
    as_json: AsJson = False,
    environment: Environment = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Delete all that a disposable environment has stored.

    CloudFormation deletes no bucket with objects in it and no group with model versions: after this, `cdk destroy` can.
    """
    with friendly(interrupted="what was deleted is gone; call it again to go on"):
        target = target_of(local, environment, profile, region)
        removal.check(target)
        if not yes:
            typer.confirm(f"Delete every complaint, result and model of environment '{target.environment}'?", abort=True)
        with progress("empty") as tell:
            counts = removal.empty(target, tell)
        if as_json:
            print_json(counts)
            return
        console.print(f"Deleted: {', '.join(f'{count:,} {name}' for name, count in counts.items())}.")
        console.print(f"Next: cdk destroy --all -c environment={target.environment}", soft_wrap=True)

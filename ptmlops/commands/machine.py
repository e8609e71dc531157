"""Local AWS: `up` and `down`."""

from __future__ import annotations

import typer

from local_aws import LocalAws
from ptmlops.target import LOCAL_FOLDER
from ptmlops.terminal import LOCAL_ENVIRONMENT, Environment, console, friendly, progress


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

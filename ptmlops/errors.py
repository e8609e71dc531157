"""Turn the errors of a command into a one-line message and an exit code, without a traceback."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from ptmlops.terminal import console

if TYPE_CHECKING:
    from botocore.exceptions import ProfileNotFound

# Exit codes other than 0 (success).
RUN_FAILED, REFUSED, INTERRUPTED, TERMINATED = 1, 2, 130, 143
BLOCKED = RUN_FAILED  # `ptmlops doctor` found something that blocks

NOTHING_IS_RUNNING = "everything that the command started has ended"


class OperatorError(Exception):
    """An error that a person can repair. The message states what happened, to what, and what to do next."""


@contextlib.contextmanager
def report_errors(*, if_interrupted: str = NOTHING_IS_RUNNING) -> Generator[None]:
    """Turn errors that a person can act on into a message and an exit code. Decorates a command.

    Args:
        if_interrupted: the message after Ctrl-C or a request to end: what has ended and what continues.
    """
    try:
        yield
    except Exception as error:
        if (message := explain(error)) is None:
            raise
        console().print(f"ptmlops: {message}", style="red", markup=False, soft_wrap=True)  # a command in it can be copied
        raise typer.Exit(REFUSED) from None
    except KeyboardInterrupt as interrupted:  # `confirm` says what it means there
        meaning = str(interrupted) or if_interrupted
        console().print(f"ptmlops: interrupted; {meaning}", style="yellow", markup=False, soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    except SystemExit as ended:
        if ended.code == TERMINATED:  # ptmlops/__main__.py raises it for SIGTERM and SIGHUP
            console().print(f"ptmlops: it was asked to end; {if_interrupted}", style="yellow", markup=False, soft_wrap=True)
        raise


def explain(error: Exception) -> str | None:
    """Return the message for a person, or None if the error is a defect that needs its traceback.

    The imports below cost nothing: an error's module is loaded before the error can exist.
    """
    if isinstance(error, OperatorError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        from ptmlops.extras import extra_of, missing_message

        module = error.name or ""
        extra = extra_of(module)
        return missing_message(extra, "this command", module) if extra else None
    packages = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    if packages & {"local_aws", "stacks"}:
        from local_aws import LocalAwsError
        from stacks.config import SettingsError

        return str(error) if isinstance(error, LocalAwsError | SettingsError) else None
    return _explain_aws(error) if packages & {"boto3", "botocore"} else None


def profile_message(error: ProfileNotFound) -> str:
    """Return the message for a profile that does not exist, from --profile or a variable."""
    name = error.kwargs.get("profile")
    variable = next((one for one in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE") if os.environ.get(one) == name), None)
    source = f" (from --profile or {variable})" if variable else ""
    return f"AWS profile '{name}'{source} does not exist: see `aws configure list-profiles`"


def _unreachable(url: str) -> str:
    if urlsplit(url).hostname in ("localhost", "127.0.0.1"):
        return f"the local AWS at {url} has ended, and its runs and results with it: start one with `ptmlops up`"
    return f"AWS cannot be reached at {url}: check the network, or use --local"


def _explain_aws(error: Exception) -> str | None:
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        EndpointConnectionError,
        NoCredentialsError,
        NoRegionError,
        ProfileNotFound,
    )

    if isinstance(error, NoCredentialsError):
        return "no AWS credentials were found: run `aws sso login`, set AWS_PROFILE, or use --local"
    if isinstance(error, ProfileNotFound):
        return profile_message(error)
    if isinstance(error, NoRegionError):
        return "no AWS region is set: pass --region, or set AWS_REGION"
    if isinstance(error, EndpointConnectionError):
        return _unreachable(str(error.kwargs.get("endpoint_url")))
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        if "Expired" in code:
            return "the AWS credentials have expired: log in again"
        if "AccessDenied" in code or "Unauthorized" in code:
            return f"AWS refused {error.operation_name}: ask for this permission, or use another --profile"
        return f"AWS refused {error.operation_name}: {error.response['Error'].get('Message', code)}"
    return f"the AWS call failed: {error}" if isinstance(error, BotoCoreError) else None

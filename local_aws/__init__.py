"""Local AWS: the synthesized template on one machine. moto's APIs, the unmodified CDK CLI, and real compute behind the calls.

with LocalAws.start(folder) as aws:
    aws.deploy()
    aws.session().client("s3").upload_file(…)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from local_aws.paths import ROOT, STATE, clean_environment

if TYPE_CHECKING:
    from local_aws.launcher import LocalAws
    from local_aws.server_process import LocalAwsError

__all__ = ["ROOT", "STATE", "LocalAws", "LocalAwsError", "clean_environment"]


def __getattr__(name: str) -> Any:
    """Import the launcher when it is used: the processes of jobs import this package, and do not need it."""
    if name in ("LocalAws", "LocalAwsError"):
        return getattr(importlib.import_module("local_aws.launcher"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

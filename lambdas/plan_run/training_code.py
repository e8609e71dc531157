"""Compare the code of training and evaluation with what was deployed, before jobs run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.pinned_artifact import describe_change, read_pin

from ptmlops_contracts.keys import parse_s3_uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client


class CodeReplacedError(Exception):
    """The archive at the address that jobs read is not the deployed one. The state machine waits for a deployment under way."""


def check_training_code(client: S3Client, code: Mapping[str, str]) -> None:
    """Read the archive, wheels included, and compare its SHA-256.

    Args:
        client: S3.
        code: `uri`, the address that jobs read; `sha256`, what synthesis packed; `source`, the asset that the deployment copied.

    Raises:
        CodeReplacedError: the archive is gone or another one.
    """
    bucket, key = parse_s3_uri(code["uri"])
    found = read_pin(client, bucket, key)
    if found is not None and found.sha256 == code["sha256"]:
        return
    raise CodeReplacedError(
        f"the code of training and evaluation, {code['uri']}, {describe_change(found)} since it was deployed with SHA-256 "
        f"{code['sha256']}, and does not run. If a deployment is under way, wait until it has ended. Otherwise restore the code with "
        f"`aws s3 cp {code['source']} {code['uri']}`, and find out who changed it. Then `ptmlops replay` continues the run"
    )

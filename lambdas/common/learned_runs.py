"""Which runs' labelled rows a version of the model has learned from, by the manifests in the prepared bucket."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from common.documents import find_json
from ptmlops_contracts.keys import PreparedKeys, learned_runs
from ptmlops_contracts.report import LEARNED_SPLITS
from ptmlops_contracts.state import NONE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def find_learned_runs(client: S3Client, bucket: str, trained_by: str, candidates: Iterable[str]) -> list[str]:
    """Return those of the candidates that a version has learned from, sorted.

    Args:
        client: of S3.
        bucket: the prepared bucket.
        trained_by: the run that trained the version; a version of NONE has learned from no run.
        candidates: run ids.
    """
    if trained_by == NONE:
        return []
    keys = (PreparedKeys(trained_by).split_manifest(split) for split in LEARNED_SPLITS)
    return sorted(learned_runs(trained_by, (find_json(client, bucket, key) for key in keys), candidates))

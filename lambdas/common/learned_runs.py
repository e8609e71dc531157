"""Which runs' labelled rows a version of the model has learned from.

A run's id tells when it opened, not when it was learned from: of two runs at the same time, the later one may train first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from common.documents import find_json
from ptmlops_contracts.keys import PreparedKeys, runs_of_manifest
from ptmlops_contracts.report import LEARNED_SPLITS
from ptmlops_contracts.state import NONE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def learned_runs(client: S3Client, bucket: str, trained_by: str, candidates: Iterable[str]) -> list[str]:
    """Return those of the candidates whose rows were among the training files of a run, sorted.

    Args:
        client: of S3.
        bucket: the prepared bucket.
        trained_by: the run that trained the version; NONE has learned from no run.
        candidates: run ids.

    If the run's manifests have expired, it may have learned from every run that opened before it.
    """
    if trained_by == NONE:
        return []
    found: set[str] = set()
    for split in LEARNED_SPLITS:
        manifest = find_json(client, bucket, PreparedKeys(trained_by).split_manifest(split))
        if manifest is None:
            return sorted(run for run in candidates if run <= trained_by)
        found |= runs_of_manifest(manifest)
    return sorted(found.intersection(candidates))

"""Decides what a run does after Prepare: train, score, both or neither, and with which champion.

Event: `{"state": <the state document>}`. Answer: the new `$.plan` (docs/contracts.md).

Calls, for the role that this function needs:

| action | resource |
|---|---|
| s3:GetObject | `<prepared>/runs/*`, `<prepared>/labelled/complete/*` |
| s3:ListBucket | the prepared bucket (also so that a missing object is "not found" and not "access denied") |
| s3:PutObject | `<prepared>/runs/*`, `<prepared>/labelled/complete/*` |
| kms:Decrypt, kms:GenerateDataKey | the key of the prepared bucket |
| sagemaker:ListModelPackages | `*` (the action takes no resource) |
| sagemaker:DescribeModelPackage | `arn:…:model-package/<group>/*` |
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

LOGGER = logging.getLogger("plan_run")
LOGGER.setLevel(logging.INFO)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the template tells this function."""

    prepared_bucket: str
    raw_bucket: str
    models_bucket: str
    model_package_group: str
    min_labelled_rows: int
    min_new_rows: int
    target_precision: float
    seed: int

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Every variable is needed: a KeyError names the missing one, a ValueError the one that is not a number."""
        return cls(
            prepared_bucket=environ["PREPARED_BUCKET"],
            raw_bucket=environ["RAW_BUCKET"],
            models_bucket=environ["MODELS_BUCKET"],
            model_package_group=environ["MODEL_PACKAGE_GROUP"],
            min_labelled_rows=int(environ["MIN_LABELLED_ROWS"]),
            min_new_rows=int(environ["MIN_NEW_ROWS"]),
            target_precision=float(environ["TARGET_PRECISION"]),
            seed=int(environ["SEED"]),
        )

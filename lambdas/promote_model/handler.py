"""The gate: judges the evaluated candidate, registers it as a model package, and says which model serves from here on.

Event: `{"state": <the state document>}`. Answer: `$.plan` as it now stands (docs/contracts.md). Where the champion is no
longer the one that the candidate was compared with, nothing is registered: the answer's `promotion.decision` is
`ChampionChanged` and its `champion` the present one, and the state machine goes back to Evaluate.

Calls, for the role that this function needs:

| action | resource |
|---|---|
| s3:GetObject | `<models>/evaluations/*`, `<prepared>/runs/*` |
| s3:PutObject | `<models>/evaluations/*` (promotion.json: the decision and every number behind it), `<prepared>/runs/*` (request.json) |
| s3:ListBucket | the models and prepared buckets (so that a missing object is "not found" and not "access denied") |
| kms:Decrypt, kms:GenerateDataKey, kms:DescribeKey | the key of models, prepared and topic |
| kms:CreateGrant if kms:GrantIsForAWSResource | the same key (CreateModelPackage with our key) |
| sagemaker:ListModelPackages | `*` (the action takes no resource) |
| sagemaker:DescribeModelPackage, sagemaker:CreateModelPackage | `arn:…:model-package/<group>/*` |
| sagemaker:CreateModelPackage | `arn:…:model-package-group/<group>` |
| sagemaker:DescribeTrainingJob | `arn:…:training-job/*` |
| sagemaker:CreateModel, sagemaker:DescribeModel | `arn:…:model/<group>-v*` |
| iam:PassRole to sagemaker.amazonaws.com | MODEL_ROLE_ARN |
| sns:Publish | the notification topic |
| s3:GetObject, s3:ListBucket | `<models>/training/*`, the models bucket: CreateModel and CreateModelPackage look at the artifact as the caller |
| ecr:BatchGetImage, ecr:GetDownloadUrlForLayer, ecr:BatchCheckLayerAvailability, ecr:DescribeImages | the image's repository: CreateModelPackage resolves the image's digest as the caller |
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

LOGGER = logging.getLogger("promote_model")
LOGGER.setLevel(logging.INFO)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the template tells this function."""

    model_package_group: str
    models_bucket: str
    prepared_bucket: str
    inference_image: str
    model_role_arn: str
    models_key_arn: str
    scoring_instance: str
    promotion_policy: Mapping[str, object]
    code_version: str
    notification_topic_arn: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Every variable is needed: a KeyError names the missing one."""
        return cls(
            model_package_group=environ["MODEL_PACKAGE_GROUP"],
            models_bucket=environ["MODELS_BUCKET"],
            prepared_bucket=environ["PREPARED_BUCKET"],
            inference_image=environ["INFERENCE_IMAGE"],
            model_role_arn=environ["MODEL_ROLE_ARN"],
            models_key_arn=environ["MODELS_KEY_ARN"],
            scoring_instance=environ["SCORING_INSTANCE"],
            promotion_policy=json.loads(environ["PROMOTION_POLICY"]),
            code_version=environ["CODE_VERSION"],
            notification_topic_arn=environ["NOTIFICATION_TOPIC_ARN"],
        )

"""What training, evaluation and scoring jobs need: roles, code, image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from ptmlops_contracts.code_version import code_version
from ptmlops_contracts.keys import ANY_RUN, CHECKPOINTS, EVALUATIONS, TRAINING, TRAINING_CODE, PreparedKeys, labelled_folder
from ptmlops_contracts.report import HELD_OUT, SPLITS
from stacks.components.code_assets import ROOT, numba_wheels, source_archive, unit_members
from stacks.components.common import EnvironmentStack
from stacks.components.job_roles import create_job_role, sklearn_image
from stacks.components.published_code import PublishedCode
from stacks.config import Settings
from stacks.storage_stack import Storage


@dataclass(frozen=True, kw_only=True)
class Modeling:
    """Handles for the state machine and the registry's Lambdas."""

    image_uri: str
    code_uri: str
    code_sha256: str
    code_source: str
    code_version: str
    training_role: iam.IRole
    evaluation_role: iam.IRole
    repository_arn: str


class ModelingStack(EnvironmentStack):
    """SageMaker's side. The jobs themselves are started by the state machine, so nothing here costs while idle."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, env: cdk.Environment, storage: Storage
    ) -> None:
        super().__init__(scope, construct_id, settings=settings, env=env)
        image = sklearn_image(settings)
        # The image has no numba, and a job without a network cannot install it (docs/decisions/0012-numba-travels-with-the-code.md).
        wheels = numba_wheels() if settings.compute.numba != "off" else []
        members = unit_members(ROOT / "training")
        archive, digest = source_archive(self, "TrainingCode", members=members, wheels=wheels)
        code = PublishedCode(
            self, "PublishedTrainingCode", asset=archive, bucket=storage.models, object_key=TRAINING_CODE, key=storage.key
        )
        role = partial(create_job_role, self, key=storage.key)
        prepared, models, run = storage.prepared, storage.models, PreparedKeys(ANY_RUN)
        learned = [(prepared, f"{labelled_folder(split)}*") for split in SPLITS if split != HELD_OUT]
        training = role(
            "TrainingRole",
            log_group="TrainingJobs",
            # Never the held-out rows: what a model has seen says nothing about how good it is.
            reads=[*learned, (prepared, f"{run.plan}*"), (models, f"{CHECKPOINTS}*"), (models, TRAINING_CODE)],
            writes=[(models, f"{TRAINING}*"), (models, f"{CHECKPOINTS}*")],
        )
        evaluation = role(
            "EvaluationRole",
            log_group="ProcessingJobs",
            reads=[
                *learned,
                (prepared, f"{labelled_folder(HELD_OUT)}*"),
                (prepared, f"{run.plan}*"),
                (models, f"{TRAINING}*"),
                (models, TRAINING_CODE),
            ],
            writes=[(models, f"{EVALUATIONS}*"), (prepared, f"{run.labels_folder}*")],
        )
        self.outputs = Modeling(
            image_uri=image.uri,
            code_uri=code.uri,
            code_sha256=digest,
            code_source=code.source,
            code_version=code_version(members),
            training_role=training,
            evaluation_role=evaluation,
            repository_arn=image.repository_arn(self.partition),
        )

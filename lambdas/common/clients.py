"""AWS clients, each created when it is first used and kept as long as the function's process lives."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient


class Clients:
    """Create one per process, at import: creating a client takes a function longer than most of its calls."""

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """The ledger."""
        return boto3.client("dynamodb")

    @cached_property
    def glue(self) -> GlueClient:
        """The Glue jobs' runs."""
        return boto3.client("glue")

    @cached_property
    def s3(self) -> S3Client:
        """The buckets."""
        return boto3.client("s3")

    @cached_property
    def sagemaker(self) -> SageMakerClient:
        """Jobs, models and the model registry. Its calls are throttled at a low rate, so the client waits as the service asks."""
        return boto3.client("sagemaker", config=Config(retries={"mode": "adaptive", "max_attempts": 10}))

    @cached_property
    def sns(self) -> SNSClient:
        """The notification topic."""
        return boto3.client("sns")

    @cached_property
    def states(self) -> SFNClient:
        """The state machine."""
        return boto3.client("stepfunctions")

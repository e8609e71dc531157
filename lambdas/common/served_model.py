"""The SageMaker Model of a model version: Batch Transform scores with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ptmlops_contracts.state import model_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_sagemaker import SageMakerClient


class ModelMismatchError(Exception):
    """There is a SageMaker Model of the expected name, with another role or artifact."""


def ensure_model(
    client: SageMakerClient, *, package: Mapping[str, Any], role_arn: str, network: Mapping[str, Sequence[str]]
) -> str:
    """Create the SageMaker Model of a package unless it exists, and return its name.

    The name identifies version, artifact, role and network. The Model refers to the package's container, not to the package: SageMaker deploys
    only approved packages, and the Model of a pending package must exist before a person approves it. `network` is its VpcConfig, or
    empty.

    Raises:
        ModelMismatchError: a Model with this name has another role or artifact, so somebody else made it.
    """
    name, container = model_name(package, role_arn, network), package["InferenceSpecification"]["Containers"][0]
    found = _describe(client, name)
    if found is None:
        try:
            client.create_model(
                ModelName=name,
                PrimaryContainer={
                    "Image": container["Image"],
                    "ModelDataUrl": container["ModelDataUrl"],
                    "Environment": container["Environment"],
                },
                ExecutionRoleArn=role_arn,
                EnableNetworkIsolation=True,
                **({"VpcConfig": network} if network else {}),  # type: ignore[arg-type] # the caller's JSON has the type's two keys
            )
        except ClientError:
            found = _describe(client, name)  # another run may have created it in the meantime
            if found is None:
                raise
        else:
            return name
    primary = found.get("PrimaryContainer", {})
    if found.get("ExecutionRoleArn") != role_arn or primary.get("ModelDataUrl") != container["ModelDataUrl"]:
        raise ModelMismatchError(
            f"SageMaker Model {name} has role {found.get('ExecutionRoleArn')} and artifact {primary.get('ModelDataUrl')}, not {role_arn} "
            f"and {container['ModelDataUrl']}: delete it with `aws sagemaker delete-model --model-name {name}`, then redrive this run"
        )
    return name


def _describe(client: SageMakerClient, name: str) -> Mapping[str, Any] | None:
    try:
        return client.describe_model(ModelName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        return None

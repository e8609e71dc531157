"""Models and model packages: what moto's store of them lacks."""

from __future__ import annotations

from typing import Any

from local_aws import patching
from local_aws.services.sagemaker.job import JobFailedError


def model_container(store: Any, model: Any) -> dict[str, Any]:
    """Return the container of a model: its own, or that of the model package that it names.

    Args:
        store: moto's SageMaker backend.
        model: A model of it.

    Raises:
        JobFailedError: The model package does not exist.
    """
    primary: Any = model.primary_container or (model.containers or [{}])[0]
    if hasattr(primary, "__dict__") and not isinstance(primary, dict):
        primary = vars(primary)
    arn = primary.get("ModelPackageName")
    if not arn:
        return dict(primary)
    for package in store.model_packages.values():
        if package.arn == arn:
            specification = package.inference_specification
            containers: list[dict[str, Any]] = (
                specification["Containers"] if isinstance(specification, dict) else specification.containers
            )
            return {**containers[0], "Environment": {**containers[0].get("Environment", {}), **primary.get("Environment", {})}}
    raise JobFailedError(f"ClientError: model package {arn} does not exist")


def add_deletion() -> None:
    """Let the API delete model packages and their groups, which moto keeps for ever."""
    from moto.core.responses import ActionResult
    from moto.sagemaker.exceptions import AWSValidationException, ConflictException
    from moto.sagemaker.responses import SageMakerResponse

    @patching.add(SageMakerResponse, "delete_model_package")
    def delete_model_package(self: Any) -> Any:
        name = self._get_param("ModelPackageName")
        if self.sagemaker_backend.model_packages.pop(name, None) is None:
            raise AWSValidationException(f"Model package {name} does not exist")
        return ActionResult({})

    @patching.add(SageMakerResponse, "delete_model_package_group")
    def delete_model_package_group(self: Any) -> Any:
        name, backend = self._get_param("ModelPackageGroupName"), self.sagemaker_backend
        if any(package.model_package_group_name == name for package in backend.model_packages.values()):
            raise ConflictException(f"Model Package Group {name} cannot be deleted: it has versions")
        if backend.model_package_groups.pop(name, None) is None:
            raise AWSValidationException(f"Model Package Group {name} does not exist")
        return ActionResult({})

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


def keep_metadata() -> None:
    """Let UpdateModelPackage change only what a call names. moto forgets the rest.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateModelPackage.html
    """
    from moto.sagemaker.models import SageMakerModelBackend

    @patching.extend(SageMakerModelBackend, "update_model_package")
    def update_model_package(
        moto_update: Any,
        self: Any,
        model_package_arn: str,
        model_approval_status: str | None,
        approval_description: str | None,
        customer_metadata_properties: dict[str, str] | None,
        customer_metadata_properties_to_remove: list[str],
        additional_inference_specifications_to_add: list[Any] | None,
    ) -> str:
        name = self.model_package_name_mapping.get(model_package_arn, model_package_arn)
        package = self.model_packages.get(name)
        if package is not None:
            model_approval_status = model_approval_status or package.model_approval_status
            approval_description = approval_description or package.approval_description
            kept = package.customer_metadata_properties or {}
            customer_metadata_properties = {**kept, **(customer_metadata_properties or {})}
        arn: str = moto_update(
            self,
            model_package_arn,
            model_approval_status,
            approval_description,
            customer_metadata_properties,
            customer_metadata_properties_to_remove,
            additional_inference_specifications_to_add,
        )
        return arn

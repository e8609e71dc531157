"""Models and model packages: what moto's store of them lacks."""

from __future__ import annotations

import functools
import json
from pathlib import Path
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


def keep_model_cards() -> None:
    """Let packages have model cards, which moto drops, and refuse those that do not follow the documented schema."""
    from moto.sagemaker.responses import SageMakerResponse

    @patching.extend(SageMakerResponse, "create_model_package")
    def create_model_package(moto_create: Any, self: Any) -> Any:
        card = _checked_card(self._get_param("ModelCard"))
        answer = moto_create(self)
        _package(self, answer.result["ModelPackageArn"]).model_card = card
        return answer

    @patching.extend(SageMakerResponse, "update_model_package")
    def update_model_package(moto_update: Any, self: Any) -> Any:
        card = _checked_card(self._get_param("ModelCard"))
        answer = moto_update(self)
        package = _package(self, answer.result["ModelPackageArn"])
        package.model_card = {**(getattr(package, "model_card", None) or {}), **(card or {})} or None
        return answer

    @patching.extend(SageMakerResponse, "describe_model_package")
    def describe_model_package(moto_describe: Any, self: Any) -> Any:
        answer = moto_describe(self)
        card = getattr(_package(self, answer.result["ModelPackageArn"]), "model_card", None)
        answer.result.update({"ModelCard": card} if card else {})
        return answer


def register_once() -> None:
    """Let a CreateModelPackage with the ClientToken of an earlier one return that package. moto would make a second version.

    Clients send a token with each call, and the same one when they repeat a call whose answer was lost.
    """
    from moto.core.responses import ActionResult
    from moto.sagemaker.responses import SageMakerResponse

    @patching.extend(SageMakerResponse, "create_model_package")
    def create_model_package(moto_create: Any, self: Any) -> Any:
        made, token = self.sagemaker_backend.__dict__.setdefault("made_packages", {}), self._get_param("ClientToken")
        if token in made:
            return ActionResult({"ModelPackageArn": made[token]})
        answer = moto_create(self)
        made[token] = answer.result["ModelPackageArn"]
        return answer


def _package(response: Any, arn: str) -> Any:
    """Return moto's package of an ARN."""
    return next(package for package in response.sagemaker_backend.model_packages.values() if package.arn == arn)


def _checked_card(card: dict[str, str] | None) -> dict[str, str] | None:
    """Return a model card of a request if its content follows the schema."""
    from moto.sagemaker.exceptions import AWSValidationException

    if card and "ModelCardContent" in card:
        try:
            content = json.loads(card["ModelCardContent"])
        except ValueError:
            raise AWSValidationException("The content of the model card is not JSON") from None
        problem = next(_card_schema().iter_errors(content), None)
        if problem:
            raise AWSValidationException(
                f"The content of the model card is not valid: {problem.json_path}: {problem.message[:300]}"
            )
    return card


@functools.cache
def _card_schema() -> Any:
    from jsonschema import Draft7Validator

    return Draft7Validator(json.loads(Path(__file__).with_name("model_card.schema.json").read_text(encoding="utf-8")))


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

"""The classes that moto's CloudFormation calls for resource types that local AWS adds.

CloudFormation calls class methods, so what a type needs is bound to its class (`define`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from botocore.exceptions import ClientError
from moto.core.common_models import CloudFormationModel

Properties = dict[str, Any]
# Creates a resource. Returns what Fn::GetAtt may ask for, or its physical id if that is not its name.
Create = Callable[[str, Properties], Mapping[str, str] | str | None]
Delete = Callable[[str], object]


class Resource(CloudFormationModel):
    """A created resource: its physical id, and what Fn::GetAtt may ask for."""

    def __init__(self, physical_id: str, attributes: Mapping[str, str] | None = None) -> None:
        self.physical_resource_id = physical_id
        self.attributes = dict(attributes or {})

    @classmethod
    def has_cfn_attr(cls, _attr: str) -> bool:
        return True

    def get_cfn_attribute(self, name: str) -> str:
        return self.attributes[name]


class Accepted(Resource):
    """A resource that is not created, because its absence changes nothing."""

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "PTMLops::Local::Accepted"

    @classmethod
    def create_from_cloudformation_json(cls, resource_name: str, *_: Any, **__: Any) -> Accepted:
        return cls(resource_name)

    @classmethod
    def update_from_cloudformation_json(cls, original_resource: Any, *_: Any, **__: Any) -> Any:
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(cls, *_: Any, **__: Any) -> None:
        return None


class ApiResource(Resource):
    """A resource that one call of its service's API creates, checked there as any caller's request is."""

    create: ClassVar[Create]
    delete: ClassVar[Delete]

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], *_: Any, **__: Any
    ) -> Resource:
        created = cls.create(resource_name, dict(cloudformation_json.get("Properties", {})))
        return cls(created) if isinstance(created, str) else cls(resource_name, created)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Any, new_resource_name: str, cloudformation_json: dict[str, Any], *_: Any, **__: Any
    ) -> Resource:
        # These hold no data, so a changed one is deleted and created again under its name.
        cls.delete(original_resource.physical_resource_id)
        return cls.create_from_cloudformation_json(original_resource.physical_resource_id, cloudformation_json)

    @classmethod
    def delete_from_cloudformation_json(cls, resource_name: str, *_: Any, **__: Any) -> None:
        try:
            cls.delete(resource_name)
        except ClientError as error:
            # moto deletes in any order, and a table of the catalog is gone with its database.
            if error.response["Error"]["Code"] != "EntityNotFoundException":
                raise


def define(kind: str, name_property: str, create: Create, delete: Delete) -> type[ApiResource]:
    """Return the class of a resource type.

    Args:
        kind: The type, for instance `AWS::Glue::Job`.
        name_property: The property that holds the name, or "" if there is none.
        create: Creates a resource of its name and properties.
        delete: Deletes the resource of a physical id.
    """
    # The class names of moto's models are keys of its instance tracker, so each type gets a class of its own.
    return type(
        kind.replace("::", ""),
        (ApiResource,),
        {
            "create": staticmethod(create),
            "delete": staticmethod(delete),
            "cloudformation_type": staticmethod(lambda: kind),
            "cloudformation_name_type": staticmethod(lambda: name_property),
        },
    )

"""Which class creates a resource type, and repairs of types that moto creates incompletely."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from local_aws import patching
from local_aws.context import LocalContext
from local_aws.services.base import Service
from local_aws.services.cloudformation import imports, stacks
from local_aws.services.cloudformation.custom import PREFIX, custom_resource_class
from local_aws.services.cloudformation.definitions import ACCEPTED, resource_classes
from local_aws.services.cloudformation.resources import Accepted, Properties


class CloudFormationService(Service):
    """The resource types of one local AWS."""

    def __init__(self, context: LocalContext) -> None:
        super().__init__(context)
        self._classes = resource_classes(context)
        self._custom = custom_resource_class(context)

    def install(self) -> None:
        """Take over the look-up of every resource type, repair some of moto's types, and extend its stacks."""
        from moto.cloudformation import parsing
        from moto.cloudformation.exceptions import ValidationError

        class UnknownTypeError(ValidationError):
            """A resource type that nothing creates."""

        @patching.extend(parsing, "resource_class_from_type")
        def resource_class_from_type(moto_class: Any, resource_type: str) -> Any:
            if resource_type in ACCEPTED:
                return Accepted
            if resource_type in self._classes:
                return self._classes[resource_type]
            if resource_type.startswith(PREFIX):
                return self._custom
            if resource_type in parsing.get_model_map() or resource_type in parsing.NULL_MODELS:
                return moto_class(resource_type)
            raise UnknownTypeError(
                message=f"local AWS cannot create {resource_type}: add it to local_aws/services/cloudformation/definitions.py, "
                "or remove it from the template"
            )

        @patching.extend(parsing, "resource_name_property_from_type")
        def resource_name_property_from_type(moto_property: Any, resource_type: str) -> Any:
            if resource_type in ACCEPTED or resource_type.startswith(PREFIX):
                return None
            if resource_type in self._classes:
                return self._classes[resource_type].cloudformation_name_type() or None
            return moto_property(resource_type)

        self._keep_defaults_of_parameters()
        self._delete_what_is_gone()
        self._repair_moto_types()
        stacks.install(UnknownTypeError)
        imports.install(self.context)

    def _keep_defaults_of_parameters(self) -> None:
        """Let an update name the previous value of a parameter that has had its default. moto knows only values that were given."""
        from moto.cloudformation.models import CloudFormationBackend

        @patching.extend(CloudFormationBackend, "_resolve_update_parameters")
        def resolve(moto_resolve: Any, self: Any, instance: Any, incoming_params: list[dict[str, Any]]) -> dict[str, str]:
            declared = getattr(instance, "template_dict", {}).get("Parameters") or {}
            defaults = {name: str(body["Default"]) for name, body in declared.items() if "Default" in body}
            instance.parameters = {**defaults, **instance.parameters}
            answer: dict[str, str] = moto_resolve(self, instance, incoming_params)
            return answer

    def _delete_what_is_gone(self) -> None:
        """Count a resource that does not exist any more as deleted. moto deletes in any order, and a function before its settings."""
        from moto.cloudformation.parsing import ResourceMap

        @patching.extend(ResourceMap, "_delete_resource")
        def delete_resource(moto_delete: Any, self: Any, parsed_resource: Any, resource_json: Any) -> None:
            try:
                moto_delete(self, parsed_resource, resource_json)
            except Exception as error:
                if not re.search(r"not ?found|does not exist", f"{type(error).__name__} {error}", re.IGNORECASE):
                    raise

    def _repair_moto_types(self) -> None:
        from moto.awslambda.models import LambdaFunction
        from moto.dynamodb.models.table import Table
        from moto.iam.models import Role
        from moto.kms.models import Key
        from moto.logs.models import LogGroup
        from moto.s3.models import FakeBucket

        def configure(bucket: Any, properties: Properties) -> None:
            # moto forgets that a bucket keeps versions and sends events to EventBridge.
            client = self.context.client_of_operator("s3")
            if "VersioningConfiguration" in properties:
                client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration=properties["VersioningConfiguration"])
            notifications = properties.get("NotificationConfiguration", {})
            if notifications.get("EventBridgeConfiguration", {}).get("EventBridgeEnabled"):
                client.put_bucket_notification_configuration(
                    Bucket=bucket.name, NotificationConfiguration={"EventBridgeConfiguration": {}}
                )

        def rename_tag_fields(properties: Properties) -> None:
            # CloudFormation calls them Key and Value, the KMS API TagKey and TagValue. moto passes on the former as the latter.
            properties["Tags"] = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties.get("Tags", [])]

        def attach(role: Any, properties: Properties) -> None:
            # moto forgets ManagedPolicyArns, which give the deploy role of `cdk bootstrap` its permissions.
            for arn in properties.get("ManagedPolicyArns", []):
                self.context.backend("iam").attach_role_policy(arn, role.name)

        def keep_logging(function: Any, properties: Properties) -> None:
            # moto passes on the properties that it knows, and LoggingConfig is not one of them.
            function.logging_configuration = properties.get("LoggingConfig")

        def keep_recovery(table: Any, properties: Properties) -> None:
            # moto forgets that a table has point-in-time recovery.
            if recovery := properties.get("PointInTimeRecoverySpecification"):
                self.context.backend("dynamodb").update_continuous_backups(table.name, recovery)

        @patching.extend(LogGroup, "get_cfn_attribute")
        def get_cfn_attribute(moto_attribute: Any, self: Any, attribute_name: str) -> Any:
            # On AWS it ends so, and policies that are made of it reach the group's streams.
            return moto_attribute(self, attribute_name) + (":*" if attribute_name == "Arn" else "")

        _wrap_create(LambdaFunction, after=keep_logging)
        _wrap_create(Key, before=rename_tag_fields)
        _wrap_create(Role, after=attach)
        _wrap_create(FakeBucket, after=configure)
        _wrap_create(Table, after=keep_recovery)


def _wrap_create(
    model: Any,
    *,
    before: Callable[[Properties], None] = lambda _: None,
    after: Callable[[Any, Properties], None] = lambda *_: None,
) -> None:
    """Call `before` with the properties of each new resource of a moto type, and `after` with the resource and its properties."""

    @patching.extend(model, "create_from_cloudformation_json")
    def create(
        moto_create: Any,
        cls: Any,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> Any:
        properties = cloudformation_json.setdefault("Properties", {})
        before(properties)
        resource = moto_create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
        after(resource, properties)
        return resource

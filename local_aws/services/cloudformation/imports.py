"""Retained resources: a deleted stack leaves them, and an IMPORT change set takes them into a stack again.

moto deletes resources with the policy RetainExceptOnCreate, does not report what a deleted stack has left, and does not import.
CloudFormation checks some of an import when it is executed. Here everything is checked when its change set is created.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws import patching
from local_aws.context import LocalContext

RETAINED = ("Retain", "RetainExceptOnCreate")
TEMPLATE_PARTS = ("Outputs", "Parameters", "Conditions", "Mappings")


@dataclass(frozen=True)
class Importable:
    """A resource type that can be imported: its identifying property, where moto keeps the resources, and their attribute of it."""

    identifier: str
    service: str
    resources: Callable[[Any], Iterable[Any]]
    attribute: str = "physical_resource_id"


# The identifiers are the primary identifiers of CloudFormation's schemas; a test compares them.
IMPORTABLE = {
    "AWS::DynamoDB::Table": Importable("TableName", "dynamodb", lambda backend: backend.tables.values()),
    "AWS::KMS::Key": Importable("KeyId", "kms", lambda backend: backend.keys.values()),
    "AWS::Logs::LogGroup": Importable("LogGroupName", "logs", lambda backend: backend.groups.values()),
    "AWS::S3::Bucket": Importable("BucketName", "s3", lambda backend: backend.buckets.values()),
    "AWS::SNS::Topic": Importable("TopicArn", "sns", lambda backend: backend.topics.values()),
    "AWS::SQS::Queue": Importable("QueueUrl", "sqs", lambda backend: backend.queues.values()),
    "AWS::SageMaker::ModelPackageGroup": Importable(
        "ModelPackageGroupArn", "sagemaker", lambda backend: backend.model_package_groups.values(), "arn"
    ),
}


def install(context: LocalContext) -> None:
    """Extend moto's stacks and change sets."""
    _retain()
    _list_what_is_left()
    _summarize_identifiers()
    _import(context)


def _retain() -> None:
    from moto.cloudformation.models import Stack

    @patching.extend(Stack, "delete")
    def delete(moto_delete: Any, self: Any) -> None:
        created = {resource.logical_resource_id: resource for resource in _created(self)}
        for name, body in self.resource_map._resource_json_map.items():
            if body.get("DeletionPolicy") == "RetainExceptOnCreate" and name in created:
                body["DeletionPolicy"] = "Retain"
        moto_delete(self)
        self.left = [
            {
                "LogicalResourceId": name,
                # Permissions of functions have none in moto.
                "PhysicalResourceId": getattr(resource, "physical_resource_id", name),
                "ResourceType": resource.cf_resource_type,
                "ResourceStatus": _status(self.resource_map._resource_json_map[name]),
                "LastUpdatedTimestamp": self.creation_time,
            }
            for name, resource in created.items()
        ]


def _status(resource: Mapping[str, Any]) -> str:
    return "DELETE_SKIPPED" if resource.get("DeletionPolicy") in RETAINED else "DELETE_COMPLETE"


def _created(stack: Any) -> list[Any]:
    """Return a stack's resources. The stack's own mapping would create those that do not exist."""
    parsed = stack.resource_map._parsed_resources
    found = [parsed.get(name) for name in stack.resource_map._resource_json_map]
    return [resource for resource in found if hasattr(resource, "logical_resource_id")]


def _list_what_is_left() -> None:
    from moto.cloudformation.responses import CloudFormationResponse
    from moto.core.responses import ActionResult

    @patching.extend(CloudFormationResponse, "list_stack_resources")
    def list_stack_resources(moto_list: Any, self: Any) -> Any:
        deleted = self.cloudformation_backend.deleted_stacks.get(self._get_param("StackName"))
        return ActionResult({"StackResourceSummaries": deleted.left}) if deleted else moto_list(self)


def _summarize_identifiers() -> None:
    from moto.cloudformation import responses

    @patching.extend(responses, "get_template_summary_response_from_template")
    def get_template_summary_response_from_template(moto_summary: Any, template_body: str) -> Any:
        summary = moto_summary(template_body)
        resources: dict[str, Any] = summary.get("Resources", {})
        summary["ResourceIdentifierSummaries"] = [
            {
                "ResourceType": kind,
                "LogicalResourceIds": [name for name, body in resources.items() if body["Type"] == kind],
                "ResourceIdentifiers": [IMPORTABLE[kind].identifier],
            }
            for kind in sorted({body["Type"] for body in resources.values()} & IMPORTABLE.keys())
        ]
        return summary


def _import(context: LocalContext) -> None:
    from moto.cloudformation import parsing
    from moto.cloudformation.exceptions import ValidationError
    from moto.cloudformation.models import CloudFormationBackend, Stack
    from moto.cloudformation.responses import CloudFormationResponse
    from moto.core.responses import ActionResult

    @patching.extend(CloudFormationResponse, "create_change_set")
    def create_change_set(moto_create: Any, self: Any) -> Any:
        wanted = self._get_param("ResourcesToImport", [])
        if self._get_param("ChangeSetType") != "IMPORT":
            if wanted:
                raise ValidationError(message="ResourcesToImport is allowed only for change sets of type IMPORT")
            return moto_create(self)
        body = self._get_param("TemplateBody") or self._get_stack_from_s3_url(self._get_param("TemplateURL"))
        backend, name = self.cloudformation_backend, self._get_param("StackName")
        stack = next((stack for stack in backend.stacks.values() if name in (stack.name, stack.stack_id)), None)
        try:
            found = _check(context, backend, stack, Stack.parse_template(body), wanted)
        except ValueError as error:
            raise ValidationError(message=str(error)) from None
        identifier, stack_id = backend.create_change_set(
            stack_name=name,
            change_set_name=self._get_param("ChangeSetName"),
            template=body,
            parameters={},
            description=self._get_param("Description"),
            change_set_type="UPDATE" if stack else "IMPORT",
            tags={tag["Key"]: tag["Value"] for tag in self._get_param("Tags", [])},
            role_arn=self._get_param("RoleARN"),
        )
        change_set = backend.change_sets[identifier]
        change_set.change_set_type, change_set.imported = "IMPORT", found
        for change in change_set.changes:
            change.action = "Import"
        return ActionResult({"Id": identifier, "StackId": stack_id})

    @patching.extend(CloudFormationBackend, "execute_change_set")
    def execute_change_set(moto_execute: Any, self: Any, change_set_name: str, stack_name: str | None = None) -> None:
        change_set = self.describe_change_set(change_set_name)
        resources = self.stacks[change_set.stack_id].resource_map
        resources.imported = getattr(change_set, "imported", {})
        try:
            moto_execute(self, change_set_name, stack_name)
        finally:
            resources.imported = {}

    @patching.extend(parsing, "parse_and_create_resource")
    def parse_and_create_resource(
        moto_create: Any, logical_id: str, resource_json: Any, resources_map: Any, account_id: str, region_name: str
    ) -> Any:
        resource = getattr(resources_map, "imported", {}).get(logical_id)
        if resource is None:
            return moto_create(logical_id, resource_json, resources_map, account_id, region_name)
        resource.logical_resource_id, resource.cf_resource_type = logical_id, resource_json["Type"]
        return resource


def _check(
    context: LocalContext, backend: Any, stack: Any | None, template: dict[str, Any], wanted: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the resources to import, by logical id.

    Raises:
        ValueError: CloudFormation would refuse the import.
    """
    from moto.cloudformation.models import Stack

    before = Stack.parse_template(stack.template) if stack and stack.template else {}
    old, new = before.get("Resources", {}), template.get("Resources", {})
    names = [resource["LogicalResourceId"] for resource in wanted]
    if not names:
        raise ValueError("ResourcesToImport must be specified for an IMPORT operation")
    changed = sorted(name for name in {*old, *new} - set(names) if _text(old.get(name)) != _text(new.get(name)))
    if changed:
        raise ValueError(
            f"You have modified resources [{', '.join(changed)}] in your template that are not being imported. Update, create or "
            "delete operations cannot be executed during import operations."
        )
    parts = [part for part in TEMPLATE_PARTS if _text(before.get(part) or {}) != _text(template.get(part) or {})]
    if parts:
        raise ValueError(f"As part of the import operation, you cannot modify or add [{', '.join(parts)}]")
    return {
        resource["LogicalResourceId"]: _find(context, backend, new.get(resource["LogicalResourceId"]), resource)
        for resource in wanted
    }


def _find(context: LocalContext, backend: Any, body: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> Any:
    name, kind, identifier = wanted["LogicalResourceId"], wanted["ResourceType"], dict(wanted["ResourceIdentifier"])
    if body is None or body["Type"] != kind:
        raise ValueError(f"The template has no resource {name} of type {kind}")
    if "DeletionPolicy" not in body:
        raise ValueError(f"Resources [{name}] must have a DeletionPolicy attribute to be imported")
    importable = IMPORTABLE.get(kind)
    if importable is None:
        raise ValueError(f"ResourceType [{kind}] is not supported for import")
    if identifier.keys() != {importable.identifier}:
        raise ValueError(f"Resource identifiers of {name} must be [{importable.identifier}], not [{', '.join(identifier)}]")
    value = identifier[importable.identifier]
    for stack in backend.stacks.values():
        for resource in _created(stack):
            if (resource.cf_resource_type, resource.physical_resource_id) == (kind, value):
                raise ValueError(f"Resource {value} of type {kind} already exists in stack {stack.stack_id}")
    for resource in importable.resources(context.backend(importable.service)):
        if value == getattr(resource, importable.attribute):
            return _of_stack(kind, value, resource)
    raise ValueError(f"Resource of type '{kind}' with identifier '{value}' was not found")


def _of_stack(kind: str, value: str, resource: Any) -> Any:
    """Return what a stack keeps of a resource: moto's object, or that of local AWS for a type that moto does not create."""
    from moto.cloudformation import parsing

    model = parsing.resource_class_from_type(kind)
    return resource if isinstance(resource, model) else model(value)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)

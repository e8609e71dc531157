"""The resource types of our template that moto's CloudFormation skips in silence: created for real, or refused out loud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.core.common_models import CloudFormationModel

from local_aws.context import LocalContext

# Types whose absence changes nothing on one machine, each with the reason.
ACCEPTED = {
    "AWS::S3::BucketPolicy": "holds TLS-only, which a plain-HTTP localhost cannot meet",
    "AWS::SQS::QueuePolicy": "holds TLS-only and EventBridge's right to send; moto delivers without asking",
    "AWS::SNS::TopicPolicy": "holds TLS-only and CloudWatch's right to publish",
    "AWS::Logs::QueryDefinition": "a saved text for the console",
    "AWS::CDK::Metadata": "says which library versions made the template",
    "AWS::QuickSight::DataSource": "a console",
    "AWS::QuickSight::DataSet": "a console",
    "AWS::QuickSight::RefreshSchedule": "a console",
    "AWS::QuickSight::Analysis": "a console",
    "AWS::QuickSight::Dashboard": "a console",
}

_moto_class = parsing.resource_class_from_type
_moto_name_property = parsing.resource_name_property_from_type
_context: LocalContext | None = None


def install(context: LocalContext) -> None:
    """Every look-up of a resource type goes through here from now on."""
    global _context  # noqa: PLW0603 - CloudFormation calls classmethods, which have nowhere else to take it from
    _context = context
    parsing.resource_class_from_type = _class_from_type
    parsing.resource_name_property_from_type = _name_property_from_type
    _repair_moto_types(context)


def _repair_moto_types(context: LocalContext) -> None:
    """Types that moto creates, but not as the template says."""
    from moto.iam.models import Role
    from moto.kms.models import Key
    from moto.s3.models import FakeBucket

    def configure(bucket: Any, properties: dict[str, Any]) -> None:
        # moto forgets what makes a bucket keep versions and speak to EventBridge.
        client = _client("s3")
        if "VersioningConfiguration" in properties:
            client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration=properties["VersioningConfiguration"])
        notifications = properties.get("NotificationConfiguration", {})
        if notifications.get("EventBridgeConfiguration", {}).get("EventBridgeEnabled"):
            client.put_bucket_notification_configuration(
                Bucket=bucket.name, NotificationConfiguration={"EventBridgeConfiguration": {}}
            )

    def tag_names(properties: dict[str, Any]) -> None:
        # CloudFormation says Key and Value, the KMS API TagKey and TagValue, and moto hands over one as the other.
        properties["Tags"] = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties.get("Tags", [])]

    def attach(role: Any, properties: dict[str, Any]) -> None:
        # moto forgets ManagedPolicyArns; the deploy role of `cdk bootstrap` lives by one.
        for arn in properties.get("ManagedPolicyArns", []):
            context.backend("iam").attach_role_policy(arn, role.name)

    _wrap_create(Key, before=tag_names)
    _wrap_create(Role, after=attach)
    _wrap_create(FakeBucket, after=configure)


def _wrap_create(
    model: Any,
    *,
    before: Callable[[dict[str, Any]], None] = lambda _: None,
    after: Callable[[Any, dict[str, Any]], None] = lambda *_: None,
) -> None:
    moto_create = model.create_from_cloudformation_json.__func__

    def create(cls: Any, resource_name: str, cloudformation_json: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        properties = cloudformation_json.setdefault("Properties", {})
        before(properties)
        resource = moto_create(cls, resource_name, cloudformation_json, *args, **kwargs)
        after(resource, properties)
        return resource

    model.create_from_cloudformation_json = classmethod(create)


def _class_from_type(resource_type: str) -> type[CloudFormationModel]:
    if resource_type in ACCEPTED:
        return Accepted
    if resource_type in _DEFINED:
        return _DEFINED[resource_type]
    if resource_type in parsing.get_model_map() or resource_type in parsing.NULL_MODELS:
        return _moto_class(resource_type)  # type: ignore[no-any-return]
    raise ValidationError(
        message=f"local AWS cannot create {resource_type}: add it to local_aws/cloudformation.py, or take it out of the template"
    )


def _name_property_from_type(resource_type: str) -> str | None:
    if resource_type in ACCEPTED:
        return None
    if resource_type in _DEFINED:
        return _DEFINED[resource_type].cloudformation_name_type() or None
    return _moto_name_property(resource_type)  # type: ignore[no-any-return]


class _Resource(CloudFormationModel):
    """A created thing: its physical id, and what Fn::GetAtt may ask of it."""

    def __init__(self, physical_id: str, attributes: Mapping[str, str] | None = None) -> None:
        self.physical_resource_id = physical_id
        self.attributes = dict(attributes or {})

    @classmethod
    def has_cfn_attr(cls, _attr: str) -> bool:
        return True

    def get_cfn_attribute(self, name: str) -> str:
        return self.attributes[name]


class Accepted(_Resource):
    """A resource of the ACCEPTED types."""

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


class ApiResource(_Resource):
    """A resource that is created by one call of its service's API, checked there as any caller's would be."""

    kind: ClassVar[str] = "PTMLops::Local::ApiResource"
    name_property: ClassVar[str] = ""

    @staticmethod
    def create(name: str, properties: dict[str, Any]) -> _Resource:
        raise NotImplementedError

    @staticmethod
    def delete(name: str) -> None:
        raise NotImplementedError

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], *_: Any, **__: Any
    ) -> _Resource:
        return cls.create(resource_name, dict(cloudformation_json.get("Properties", {})))

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Any, new_resource_name: str, cloudformation_json: dict[str, Any], *_: Any, **__: Any
    ) -> _Resource:
        # These hold no data, so a changed one is made anew under its old name.
        cls.delete(original_resource.physical_resource_id)
        return cls.create(original_resource.physical_resource_id, dict(cloudformation_json.get("Properties", {})))

    @classmethod
    def delete_from_cloudformation_json(cls, resource_name: str, *_: Any, **__: Any) -> None:
        cls.delete(resource_name)


def _client(service: str) -> Any:
    assert _context is not None  # noqa: S101 - install() ran before any template came
    return _context.client_of_operator(service)


def _define(
    kind: str,
    name_property: str,
    create: Callable[[str, dict[str, Any]], Mapping[str, str] | str | None],
    delete: Callable[[str], object],
) -> None:
    """Register a type: `create(name, properties)` gives its attributes, or its physical id where that is not its name."""

    def _create(name: str, properties: dict[str, Any]) -> _Resource:
        made = create(name, properties)
        resource: _Resource = model(made) if isinstance(made, str) else model(name, made)
        return resource

    # The class names of moto's models are keys of its instance tracker, so each type gets a class of its own.
    model = type(
        kind.replace("::", ""),
        (ApiResource,),
        {
            "create": staticmethod(_create),
            "delete": staticmethod(delete),
            "cloudformation_type": staticmethod(lambda: kind),
            "cloudformation_name_type": staticmethod(lambda: name_property),
        },
    )
    _DEFINED[kind] = model


_DEFINED: dict[str, type[ApiResource]] = {}


def _create_job(name: str, properties: dict[str, Any]) -> None:
    tags = properties.pop("Tags", {})
    properties.pop("Name", None)
    _client("glue").create_job(Name=name, Tags=tags, **properties)


def _create_security_configuration(name: str, properties: dict[str, Any]) -> None:
    encryption = dict(properties["EncryptionConfiguration"])
    encryption["S3Encryption"] = encryption.pop("S3Encryptions", [])
    _client("glue").create_security_configuration(Name=name, EncryptionConfiguration=encryption)


def _create_database(name: str, properties: dict[str, Any]) -> str:
    name = properties["DatabaseInput"].get("Name", name)
    _client("glue").create_database(DatabaseInput={**properties["DatabaseInput"], "Name": name})
    return name


def _create_table(_: str, properties: dict[str, Any]) -> str:
    _client("glue").create_table(DatabaseName=properties["DatabaseName"], TableInput=properties["TableInput"])
    return f"{properties['DatabaseName']}|{properties['TableInput']['Name']}"


def _delete_table(identifier: str) -> None:
    database, _, table = identifier.partition("|")
    _client("glue").delete_table(DatabaseName=database, Name=table)


def _create_alarm(name: str, properties: dict[str, Any]) -> dict[str, str]:
    properties.pop("AlarmName", None)
    properties["Tags"] = properties.pop("Tags", [])
    _client("cloudwatch").put_metric_alarm(AlarmName=name, **properties)
    assert _context is not None  # noqa: S101 - as above
    return {"Arn": f"arn:aws:cloudwatch:{_context.region}:{_context.account_id}:alarm:{name}"}


def _create_group(name: str, properties: dict[str, Any]) -> str:
    properties.setdefault("ModelPackageGroupName", name)
    properties.pop("ModelPackageGroupPolicy", None)
    created = _client("sagemaker").create_model_package_group(**properties)
    return str(created["ModelPackageGroupArn"])


def _create_workgroup(name: str, properties: dict[str, Any]) -> None:
    _client("athena").create_work_group(
        Name=name,
        Configuration=properties.get("WorkGroupConfiguration", {}),
        Description=properties.get("Description", ""),
        Tags=properties.get("Tags", []),
    )


def _create_named_query(_: str, properties: dict[str, Any]) -> str:
    created = _client("athena").create_named_query(**properties)
    return str(created["NamedQueryId"])


def _create_invoke_configuration(_: str, properties: dict[str, Any]) -> str:
    qualifier = properties.pop("Qualifier", "$LATEST")
    _client("lambda").put_function_event_invoke_config(**properties)
    return f"{properties['FunctionName']}|{qualifier}"


_define("AWS::Glue::Job", "Name", _create_job, lambda name: _client("glue").delete_job(JobName=name))
_define(
    "AWS::Glue::SecurityConfiguration",
    "Name",
    _create_security_configuration,
    lambda name: _client("glue").delete_security_configuration(Name=name),
)
_define("AWS::Glue::Database", "", _create_database, lambda name: _client("glue").delete_database(Name=name))
_define("AWS::Glue::Table", "", _create_table, _delete_table)
_define(
    "AWS::CloudWatch::Alarm", "AlarmName", _create_alarm, lambda name: _client("cloudwatch").delete_alarms(AlarmNames=[name])
)
_define(
    "AWS::SageMaker::ModelPackageGroup",
    "ModelPackageGroupName",
    _create_group,
    lambda arn: _client("sagemaker").delete_model_package_group(ModelPackageGroupName=arn.rpartition("/")[2]),
)
_define(
    "AWS::Lambda::EventInvokeConfig",
    "",
    _create_invoke_configuration,
    lambda key: _client("lambda").delete_function_event_invoke_config(FunctionName=key.partition("|")[0]),
)
_define("AWS::Athena::WorkGroup", "Name", _create_workgroup, lambda name: _client("athena").delete_work_group(WorkGroup=name))
_define("AWS::Athena::NamedQuery", "", _create_named_query, lambda key: _client("athena").delete_named_query(NamedQueryId=key))


def defined_types() -> list[str]:
    """The types that this module adds to moto."""
    return sorted(_DEFINED)

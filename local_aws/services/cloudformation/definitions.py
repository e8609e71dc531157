"""The resource types that local AWS adds to moto's CloudFormation.

Each is a function that creates a resource by the API of its service, and one that deletes it. `api(SERVICE)` is a client of the operator.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from local_aws.context import LocalContext
from local_aws.services.cloudformation.resources import ApiResource, Create, Delete, Properties, define

Api = Callable[[str], Any]

# Types that are accepted and not created, because they have no effect on one machine. Each with the reason.
ACCEPTED = {
    "AWS::Logs::QueryDefinition": "a saved text for the console",
    "AWS::CDK::Metadata": "lists the library versions that made the template",
    "AWS::QuickSight::DataSource": "a console",
    "AWS::QuickSight::DataSet": "a console",
    "AWS::QuickSight::RefreshSchedule": "a console",
    "AWS::QuickSight::Analysis": "a console",
    "AWS::QuickSight::Dashboard": "a console",
}


def resource_classes(context: LocalContext) -> dict[str, type[ApiResource]]:
    """Return the class of each type that is created by the API of its service."""
    classes: dict[str, type[ApiResource]] = {}
    for add in (_glue, _athena, _policies, _others):
        for kind, name_property, create, delete in add(context, context.client_of_operator):
            classes[kind] = define(kind, name_property, create, delete)
    return classes


# A resource type, the property that holds its name, and how it is created and deleted.
_Definition = tuple[str, str, Create, Delete]


def _glue(context: LocalContext, api: Api) -> list[_Definition]:
    def create_job(name: str, properties: Properties) -> None:
        tags = properties.pop("Tags", {})
        properties.pop("Name", None)
        api("glue").create_job(Name=name, Tags=tags, **properties)

    def create_security_configuration(name: str, properties: Properties) -> None:
        encryption = dict(properties["EncryptionConfiguration"])
        encryption["S3Encryption"] = encryption.pop("S3Encryptions", [])
        api("glue").create_security_configuration(Name=name, EncryptionConfiguration=encryption)

    def create_database(name: str, properties: Properties) -> str:
        name = str(properties["DatabaseInput"].get("Name", name))
        api("glue").create_database(DatabaseInput={**properties["DatabaseInput"], "Name": name})
        return name

    def create_table(_: str, properties: Properties) -> str:
        api("glue").create_table(DatabaseName=properties["DatabaseName"], TableInput=properties["TableInput"])
        return f"{properties['DatabaseName']}|{properties['TableInput']['Name']}"

    def delete_table(physical_id: str) -> None:
        database, _, table = physical_id.partition("|")
        api("glue").delete_table(DatabaseName=database, Name=table)

    return [
        ("AWS::Glue::Job", "Name", create_job, lambda name: api("glue").delete_job(JobName=name)),
        (
            "AWS::Glue::SecurityConfiguration",
            "Name",
            create_security_configuration,
            lambda name: api("glue").delete_security_configuration(Name=name),
        ),
        ("AWS::Glue::Database", "", create_database, lambda name: api("glue").delete_database(Name=name)),
        ("AWS::Glue::Table", "", create_table, delete_table),
    ]


def _athena(context: LocalContext, api: Api) -> list[_Definition]:
    def create_workgroup(name: str, properties: Properties) -> None:
        api("athena").create_work_group(
            Name=name,
            Configuration=properties.get("WorkGroupConfiguration", {}),
            Description=properties.get("Description", ""),
            Tags=properties.get("Tags", []),
        )

    def create_named_query(_: str, properties: Properties) -> str:
        return str(api("athena").create_named_query(**properties)["NamedQueryId"])

    return [
        ("AWS::Athena::WorkGroup", "Name", create_workgroup, lambda name: api("athena").delete_work_group(WorkGroup=name)),
        (
            "AWS::Athena::NamedQuery",
            "",
            create_named_query,
            lambda query_id: api("athena").delete_named_query(NamedQueryId=query_id),
        ),
    ]


def _policies(context: LocalContext, api: Api) -> list[_Definition]:
    def create_bucket_policy(_: str, properties: Properties) -> str:
        api("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=json.dumps(properties["PolicyDocument"]))
        return str(properties["Bucket"])

    def set_queue_policy(urls: str, policy: str) -> None:
        for url in urls.split("|"):
            api("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def create_queue_policy(_: str, properties: Properties) -> str:
        urls = "|".join(properties["Queues"])
        set_queue_policy(urls, json.dumps(properties["PolicyDocument"]))
        return urls

    def create_topic_policy(_: str, properties: Properties) -> str:
        for arn in properties["Topics"]:
            policy = json.dumps(properties["PolicyDocument"])
            api("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
        return "|".join(properties["Topics"])

    return [
        ("AWS::S3::BucketPolicy", "", create_bucket_policy, lambda bucket: api("s3").delete_bucket_policy(Bucket=bucket)),
        ("AWS::SQS::QueuePolicy", "", create_queue_policy, lambda urls: set_queue_policy(urls, "")),
        # A topic always has a policy, so it keeps this one until it is deleted itself.
        ("AWS::SNS::TopicPolicy", "", create_topic_policy, lambda _: None),
    ]


def _others(context: LocalContext, api: Api) -> list[_Definition]:
    def create_alarm(name: str, properties: Properties) -> dict[str, str]:
        properties.pop("AlarmName", None)
        properties["Tags"] = properties.pop("Tags", [])
        api("cloudwatch").put_metric_alarm(AlarmName=name, **properties)
        return {"Arn": f"arn:aws:cloudwatch:{context.region}:{context.account_id}:alarm:{name}"}

    def create_model_package_group(name: str, properties: Properties) -> str:
        properties.setdefault("ModelPackageGroupName", name)
        properties.pop("ModelPackageGroupPolicy", None)
        return str(api("sagemaker").create_model_package_group(**properties)["ModelPackageGroupArn"])

    def delete_model_package_group(arn: str) -> None:
        api("sagemaker").delete_model_package_group(ModelPackageGroupName=arn.rpartition("/")[2])

    def create_subscription(_: str, properties: Properties) -> str:
        return str(api("sns").subscribe(**properties, ReturnSubscriptionArn=True)["SubscriptionArn"])

    def create_invoke_configuration(_: str, properties: Properties) -> str:
        qualifier = properties.pop("Qualifier", "$LATEST")
        api("lambda").put_function_event_invoke_config(**properties)
        return f"{properties['FunctionName']}|{qualifier}"

    def delete_invoke_configuration(physical_id: str) -> None:
        api("lambda").delete_function_event_invoke_config(FunctionName=physical_id.partition("|")[0])

    return [
        (
            "AWS::CloudWatch::Alarm",
            "AlarmName",
            create_alarm,
            lambda name: api("cloudwatch").delete_alarms(AlarmNames=[name]),
        ),
        (
            "AWS::SageMaker::ModelPackageGroup",
            "ModelPackageGroupName",
            create_model_package_group,
            delete_model_package_group,
        ),
        ("AWS::SNS::Subscription", "", create_subscription, lambda arn: api("sns").unsubscribe(SubscriptionArn=arn)),
        ("AWS::Lambda::EventInvokeConfig", "", create_invoke_configuration, delete_invoke_configuration),
    ]

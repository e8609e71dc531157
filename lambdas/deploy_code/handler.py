"""Copy the code of a unit from the assets bucket to the address that its jobs read, whenever it is deployed.

The address does not change, so a job that an earlier deployment's state machine starts, and a redrive, run the deployed code
(docs/decisions/0017-jobs-read-the-deployed-code.md). If a deployment fails, CloudFormation calls with the earlier properties, and the
earlier code is copied back.

Event: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html, with the properties SourceBucket,
SourceKey, TargetBucket and TargetKey. The answer goes to the event's ResponseURL.

Calls, for the role that this function needs:

| action | resource |
|---|---|
| s3:GetObject | this environment's objects in the assets bucket |
| s3:PutObject | the models bucket's code |
| kms:Decrypt, kms:GenerateDataKey | the key of the models bucket |
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError
from common.clients import Clients

from deploy_code.response import respond
from ptmlops_contracts.keys import s3_uri

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_s3 import S3Client

LOGGER, CLIENTS = Logger(), Clients()
# The policy of a new role takes some seconds until every service knows it.
ATTEMPTS, PAUSE_SECONDS = 12, 5.0


@LOGGER.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Copy, and report the result to CloudFormation. A failure is reported, too: CloudFormation would wait for an answer."""
    properties = event["ResourceProperties"]
    target = s3_uri(properties["TargetBucket"], properties["TargetKey"])
    try:
        if event["RequestType"] != "Delete":  # runs may still read what a deleted stack has left
            copy_code(CLIENTS.s3, properties)
            LOGGER.info("deployed", target=target, source=properties["SourceKey"])
    except Exception as error:
        LOGGER.exception("not deployed")
        reason = f"{target} was not written: {error}. See log stream {context.log_stream_name} in {context.log_group_name}"
        respond(event, status="FAILED", resource_id=target, reason=reason)
    else:
        respond(event, status="SUCCESS", resource_id=target)


def copy_code(client: S3Client, properties: Mapping[str, str], *, pause_seconds: float = PAUSE_SECONDS) -> None:
    """Copy the object. Wait for the permission if the role is new.

    Raises:
        ClientError: the object cannot be read or written.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            client.copy_object(
                Bucket=properties["TargetBucket"],
                Key=properties["TargetKey"],
                CopySource={"Bucket": properties["SourceBucket"], "Key": properties["SourceKey"]},
                TaggingDirective="REPLACE",  # to copy tags would take another permission
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied" or attempt == ATTEMPTS:
                raise
            time.sleep(pause_seconds)
        else:
            return

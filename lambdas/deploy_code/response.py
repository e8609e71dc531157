"""Answer CloudFormation's request for a custom resource."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any, Literal

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html: a response has at most 4,096 bytes.
# JSON writes a character outside of ASCII in six.
REASON_CHARACTERS = 500
SECONDS = 20


def respond(event: Mapping[str, Any], *, status: Literal["SUCCESS", "FAILED"], resource_id: str, reason: str = "") -> None:
    """Send the answer to the request's ResponseURL, a presigned URL of S3.

    Args:
        event: CloudFormation's request.
        status: whether the resource is as its properties say.
        resource_id: the physical id. CloudFormation deletes the resource of the id before if it changes.
        reason: why it failed.
    """
    answer = {
        "Status": status,
        "Reason": reason[:REASON_CHARACTERS],
        "PhysicalResourceId": resource_id,
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    # The URL is signed for an empty content type; urllib would add one.
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own URL
        event["ResponseURL"], data=json.dumps(answer).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310 - as above
        pass

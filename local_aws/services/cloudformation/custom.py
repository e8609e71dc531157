"""Custom resources: the function that the template names is called with CloudFormation's request, and its answer is awaited.

moto calls the function for the creation only, and does not fail the stack if the function reports a failure. Unlike AWS, which waits up to
ServiceTimeout for an answer, local AWS fails at once if the function ends without one.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-custom-resources.html
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local_aws.context import LocalContext
from local_aws.services.cloudformation.resources import Resource

PREFIX = "Custom::"
MAX_ANSWER_BYTES = 4096


def custom_resource_class(context: LocalContext) -> type[Resource]:
    """Return the class of all custom resources of a local AWS."""

    class CustomResource(Resource):
        """A resource that a function of the template creates, updates and deletes."""

        def __init__(self, identity: Mapping[str, str], properties: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
            super().__init__(str(answer["PhysicalResourceId"]), answer.get("Data"))
            self._identity, self._properties = identity, properties

        @staticmethod
        def cloudformation_name_type() -> str:
            return ""

        @staticmethod
        def cloudformation_type() -> str:
            return "PTMLops::Local::Custom"

        @classmethod
        def create_from_cloudformation_json(
            cls, _name: str, cloudformation_json: dict[str, Any], *_: Any, **kwargs: Any
        ) -> CustomResource:
            identity = {
                "StackId": kwargs["StackId"],
                "LogicalResourceId": kwargs["LogicalId"],
                "ResourceType": kwargs["ResourceType"],
            }
            properties = cloudformation_json["Properties"]
            return cls(identity, properties, call_function(context, "Create", identity, properties))

        @classmethod
        def update_from_cloudformation_json(
            cls,
            original_resource: CustomResource,
            new_resource_name: str,
            cloudformation_json: dict[str, Any],
            *_: Any,
            **__: Any,
        ) -> CustomResource:
            original, properties = original_resource, cloudformation_json["Properties"]
            answer = call_function(
                context,
                "Update",
                original._identity,
                properties,
                PhysicalResourceId=original.physical_resource_id,
                OldResourceProperties=original._properties,
            )
            if answer["PhysicalResourceId"] != original.physical_resource_id:
                original.delete("", "")
            return cls(original._identity, properties, answer)

        def delete(self, _account_id: str, _region: str) -> None:
            """Call the function to delete the resource."""
            physical_id = self.physical_resource_id
            call_function(context, "Delete", self._identity, self._properties, PhysicalResourceId=physical_id)

    return CustomResource


def call_function(
    context: LocalContext, request: str, identity: Mapping[str, str], properties: Mapping[str, Any], **more: object
) -> dict[str, Any]:
    """Call the function of a custom resource, and return what it sends to the ResponseURL.

    Raises:
        ValidationError: It reports a failure, or ends without an answer.
    """
    from moto.cloudformation.exceptions import ValidationError

    token = properties["ServiceToken"]
    answers: list[dict[str, Any]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answers))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        event = {
            "RequestType": request,
            "ServiceToken": token,
            "ResponseURL": f"http://127.0.0.1:{server.server_address[1]}/{uuid.uuid4()}",
            "RequestId": str(uuid.uuid4()),
            "ResourceProperties": properties,
            **identity,
            **more,
        }
        ended = context.backend("lambda").get_function(token).invoke(json.dumps(event), {}, {})
    finally:
        server.shutdown()
        server.server_close()
    name = identity["LogicalResourceId"]
    if not answers:
        raise ValidationError(message=f"{name}: the function {token} ended without an answer: {ended!r}")
    if answers[-1]["Status"] != "SUCCESS":
        raise ValidationError(message=f"{name}: {answers[-1].get('Reason')}")
    return answers[-1]


def _handler(answers: list[dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            accepted = len(body) <= MAX_ANSWER_BYTES and not self.headers.get("Content-Type")
            if accepted:
                answers.append(json.loads(body))
            self.send_response(200 if accepted else 403)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """No line per request."""

    return Handler

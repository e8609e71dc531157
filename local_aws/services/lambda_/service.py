"""Lambda API calls that run a function or deliver events to it. moto stores the functions."""

from __future__ import annotations

import base64
import json
import sys
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

from local_aws import patching
from local_aws.context import LocalContext
from local_aws.services.base import Service
from local_aws.services.lambda_.queues import QueuePollers
from local_aws.services.lambda_.runner import FunctionRunner, logging_of

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
SYNC_PAYLOAD_BYTES = 6 * 1024 * 1024
ASYNC_PAYLOAD_BYTES = 1024 * 1024
# Pauses before the two retries of a failed asynchronous invocation. AWS waits one and two minutes, too long for a local run.
ASYNC_RETRY_SECONDS = (2, 4)


class LambdaService(Service):
    """Lambda: functions run, and the queues that are mapped to them are polled."""

    def __init__(self, context: LocalContext) -> None:
        super().__init__(context)
        self._runner = FunctionRunner(context)
        self._pollers = QueuePollers(context, self._runner, self.function_by_arn)
        self._stopping = threading.Event()

    def function_by_arn(self, arn: str) -> Any:
        """Return moto's object of a function."""
        return self.context.backend("lambda").get_function(arn)

    def run_later(self, function: Any, event: object) -> None:
        """Invoke asynchronously, with two retries. If all attempts fail, send the event to the on-failure destination."""

        def work() -> None:
            payload = ""
            for pause in (0, *ASYNC_RETRY_SECONDS):
                if self._stopping.wait(pause):
                    return
                result = self._runner.run(function, event)
                if result.error is None:
                    return
                payload = result.payload
            self._report_failure(function, event, payload)

        threading.Thread(target=work, name=f"async-{function.function_name}", daemon=True).start()

    def shutdown(self) -> None:
        """Stop polling, and end running invocations."""
        self._stopping.set()
        self._pollers.stop()
        self._runner.close()

    def install(self) -> None:
        """Put real compute behind invocations and event source mappings, and keep each function's LoggingConfig."""
        self._run_invocations()
        self._keep_logging_configuration()
        self._poll_mapped_queues()
        self._pollers.start()

    def _run_invocations(self) -> None:
        """Run the deployed package. moto would start Docker or return a canned text."""
        from moto.awslambda.models import LambdaFunction

        @patching.replace(LambdaFunction, "invoke")
        def invoke(self_: Any, body: Any, request_headers: Any, response_headers: Any) -> str | bytes:
            event = json.loads(body) if body else {}
            if request_headers.get("x-amz-invocation-type", "RequestResponse") == "Event":
                _refuse_larger_than(body, ASYNC_PAYLOAD_BYTES)
                self.run_later(self_, event)
                return ""
            _refuse_larger_than(body, SYNC_PAYLOAD_BYTES)
            result = self._runner.run(self_, event)
            if result.error:
                response_headers["x-amz-function-error"] = result.error
            response_headers["x-amz-log-result"] = base64.b64encode(result.log.encode()[-4096:]).decode()
            return result.payload.encode()

    def _keep_logging_configuration(self) -> None:
        """Keep LoggingConfig, which moto drops."""
        from moto.awslambda.models import LambdaFunction

        @patching.extend(LambdaFunction, "__init__")
        def init(moto_init: Any, self: Any, account_id: str, spec: dict[str, Any], region: str, version: Any = 1) -> None:
            moto_init(self, account_id, spec, region, version)
            self.logging_configuration = spec.get("LoggingConfig")

        @patching.extend(LambdaFunction, "get_configuration")
        def get_configuration(moto_configuration: Any, self: Any, on_create: bool = False) -> dict[str, Any]:
            return {**moto_configuration(self, on_create), "LoggingConfig": {"LogFormat": "Text", **logging_of(self)}}

    def _poll_mapped_queues(self) -> None:
        """Deliver messages in batches by our pollers. moto would deliver each one at once, and ignore the batch window."""
        from moto.awslambda.models import LambdaBackend
        from moto.core.exceptions import JsonRESTError

        @patching.extend(LambdaBackend, "create_event_source_mapping")
        def create_event_source_mapping(moto_create: Any, self_: Any, spec: dict[str, Any]) -> Any:
            mapping = moto_create(self_, spec)
            function = self.function_by_arn(mapping.function_arn)
            for queue in self.context.backend("sqs").queues.values():
                if queue.queue_arn != mapping.event_source_arn:
                    continue
                # moto's queue delivers to the mappings in this dict. Without one, messages stay until our poller fetches them.
                queue.lambda_event_source_mappings.pop(mapping.function_arn, None)
                if queue.visibility_timeout < function.timeout:
                    del self_._event_source_mappings[mapping.uuid]
                    raise JsonRESTError(
                        "InvalidParameterValueException",
                        f"Queue visibility timeout: {queue.visibility_timeout} seconds is less than "
                        f"Function timeout: {function.timeout} seconds",
                    )
            return mapping

    def _report_failure(self, function: Any, event: object, payload: str) -> None:
        """Send the failure record to the function's on-failure queue, if it has one.

        https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
        """
        configurations = [each.config for each in function.event_invoke_config][-1:] or [{}]
        destination = configurations[0].get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
        if ":sqs:" not in destination:
            return
        record = {
            "version": "1.0",
            "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}",
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": function.function_arn,
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 1 + len(ASYNC_RETRY_SECONDS),
            },
            "requestPayload": event,
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "responsePayload": json.loads(payload),
        }
        url = f"{self.context.endpoint_url}/{self.context.account_id}/{destination.rpartition(':')[2]}"
        try:
            client = self.context.client("sqs", function.role, "lambda.amazonaws.com")  # with the function's role
            client.send_message(QueueUrl=url, MessageBody=json.dumps(record))
        except Exception as error:  # noqa: BLE001 - Lambda drops a record that it may not send, too
            print(f"on-failure destination of {function.function_name}: {error}", file=sys.stderr)  # noqa: T201 - the server's log


def _refuse_larger_than(body: Any, limit: int) -> None:
    from moto.core.exceptions import JsonRESTError

    size = len(body.encode() if isinstance(body, str) else body or b"")
    if size > limit:
        raise JsonRESTError("RequestTooLargeException", f"{size} byte payload is too large for the invocation (limit {limit})")

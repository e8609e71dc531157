"""Authorize each request as AWS does. moto checks only the resource `*` and few conditions."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

from local_aws import patching
from local_aws.authorization.authorizer import DeniedError, KeyUnusableError
from local_aws.authorization.principals import Principal
from local_aws.authorization.requests import ApiRequest
from local_aws.services.base import Service

# Services that sign requests with another name than that of their actions.
_ACTION_PREFIXES = {"monitoring": "cloudwatch"}
# How far the time of a signature may be off: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html,
# and RequestTimeTooSkewed in https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_MOST_SKEW, _MOST_SKEW_S3 = timedelta(minutes=5), timedelta(minutes=15)


class IamService(Service):
    """Checks every request against the policies of its sender and of what it concerns."""

    def install(self) -> None:
        """Replace moto's decisions about a request."""
        from moto.iam.access_control import IAMRequestBase, PermissionResult
        from moto.s3.models import FakeBucket

        @patching.replace(IAMRequestBase, "check_signature")
        def check_signature(self: Any) -> None:
            """Accept any of now: on localhost the session token identifies the caller. moto's canonical form fails on keys with accents."""
            _refuse_other_times(self)

        @patching.replace(IAMRequestBase, "check_action_permitted")
        def check_action_permitted(self_: Any, resource: str) -> None:
            self._check(self_, resource)

        @patching.replace(FakeBucket, "get_permission")
        def get_permission(self: Any, action: str, resource: str) -> Any:
            """Leave bucket policies to the check above. moto ignores principals and conditions."""
            return PermissionResult.NEUTRAL

    def _check(self, moto_request: Any, resource: str) -> None:
        if moto_request._action == "sts:GetCallerIdentity":
            return  # AWS allows it even if a policy denies it
        request = _api_request(moto_request, resource, self.context.account_id, self.context.region)
        try:
            self.context.authorizer.check_request(Principal.of(moto_request._access_key.arn), request)
        except DeniedError as denied:
            _refuse(moto_request, denied)
        except Exception:
            traceback.print_exc()  # the HTTP server would answer 500 and write nothing
            raise


def _refuse_other_times(moto_request: Any) -> None:
    """Refuse a request that was signed by a clock that is wrong."""
    from moto.core.exceptions import JsonRESTError
    from moto.s3.exceptions import S3ClientError

    text = moto_request._headers.get("X-Amz-Date")
    if not text:  # an address that was signed in advance has its own time of expiry
        return
    ahead = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) - datetime.now(UTC)
    if moto_request._service == "s3" and abs(ahead) > _MOST_SKEW_S3:
        raise S3ClientError(
            "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."
        )
    if moto_request._service != "s3" and abs(ahead) > _MOST_SKEW:
        found = "Signature not yet current" if ahead > timedelta() else "Signature expired"
        raise JsonRESTError("InvalidSignatureException", f"{found}: {text} is more than 5 min. from the current time")


def _refuse(moto_request: Any, denied: DeniedError) -> None:
    """Raise AccessDenied in the form that the service's clients read, with the permission that is missing."""
    from moto.core.exceptions import JsonRESTError
    from moto.s3.exceptions import S3ClientError

    if isinstance(denied, KeyUnusableError):
        # https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html: services pass KMS's error on.
        error = S3ClientError if moto_request._service == "s3" else JsonRESTError
        raise error("KMS.DisabledException", str(denied))
    if "X-Amz-Target" in moto_request._headers or moto_request._service in ("lambda", "kms"):
        raise JsonRESTError("AccessDeniedException", str(denied))
    moto_request._action = denied.action
    moto_request._raise_access_denied()


def _api_request(moto_request: Any, resource: str, account: str, region: str) -> ApiRequest:
    service, _, operation = moto_request._action.partition(":")
    service = _ACTION_PREFIXES.get(service, service)
    url = urlparse(moto_request._path)
    parameters: dict[str, Any] = {key: values[0] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
    headers = {"method": moto_request._method}
    if service == "s3":
        headers |= {key.lower(): value for key, value in moto_request._headers.items() if key.lower().startswith("x-amz-")}
    else:
        parameters |= _body(moto_request._body)
        for key, value in (moto_request._data or {}).items():
            parameters.setdefault(key, value[0] if isinstance(value, list) and value else value)
    return ApiRequest(
        service=service,
        operation=operation,
        parameters=parameters,
        path=tuple(unquote(part) for part in url.path.split("/") if part),
        headers=headers,
        resource=resource,
        body=moto_request._body or b"",
        account=account,
        region=region,
    )


def _body(body: Any) -> dict[str, Any]:
    """Return the parameters in a JSON body, and none for a body of another form."""
    try:
        parsed = json.loads(body or "{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}

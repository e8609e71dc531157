"""The kinds of faults that a call of a function can meet, each as a rule of the proxy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from faults.proxy import AFTER, BEFORE, Rule

# Codes and statuses with which each service reports a kind. microburst renders them in the service's protocol.
_CODES: dict[str, dict[str, tuple[str, int]]] = {
    "throttled": {
        "s3": ("SlowDown", 503),
        "dynamodb": ("ThrottlingException", 400),
        "stepfunctions": ("ThrottlingException", 400),
        "sagemaker": ("ThrottlingException", 400),
        "glue": ("ThrottlingException", 400),
        "sns": ("ThrottledException", 429),
        "lambda": ("TooManyRequestsException", 429),
    },
    "internal error": {
        "s3": ("InternalError", 500),
        "dynamodb": ("InternalServerError", 500),
        "stepfunctions": ("InternalFailure", 500),
        "sagemaker": ("InternalFailure", 500),
        "glue": ("InternalServiceException", 500),
        "sns": ("InternalErrorException", 500),
        "lambda": ("ServiceException", 500),
    },
    "limit reached": {
        "s3": ("ServiceUnavailable", 503),
        "dynamodb": ("RequestLimitExceeded", 400),
        "stepfunctions": ("ExecutionLimitExceeded", 400),
        "sagemaker": ("ResourceLimitExceeded", 400),
        "glue": ("ResourceNumberLimitExceededException", 400),
        "sns": ("FilterPolicyLimitExceeded", 403),
    },
    "access denied": {
        "s3": ("AccessDenied", 403),
        "dynamodb": ("AccessDeniedException", 400),
        "stepfunctions": ("AccessDeniedException", 400),
        "sagemaker": ("AccessDeniedException", 400),
        "glue": ("AccessDeniedException", 400),
        "sns": ("AuthorizationError", 403),
        "lambda": ("AccessDeniedException", 403),
    },
}
TIMEOUT, RESET = "no answer in time", "connection reset"
LOST, CUT, UPLOAD_CUT = "answer lost after the effect", "answer cut in the middle", "upload cut in the middle"
KILLED = {BEFORE: "function killed before the effect", AFTER: "function killed after the effect"}
CLOCKS = {"clock an hour ahead": 3600, "clock an hour behind": -3600}
ONCE, ALWAYS = "once", "always"
KINDS = (*_CODES, TIMEOUT, RESET, LOST, CUT, UPLOAD_CUT, *KILLED.values(), *CLOCKS)


@dataclass(frozen=True)
class Fault:
    """One fault of one call.

    Attributes:
        kind: one of KINDS.
        times: `once`, or `always`: each later call of the operation meets it, too.
        operation: `service:Operation`, or "all" for a clock.
        rule: how the proxy injects it.
    """

    kind: str
    times: str
    operation: str
    rule: Rule

    def request(self) -> dict[str, Any]:
        """Return the rule as a frozen function takes it."""
        return asdict(self.rule)


def faults_of(requests: Sequence[str]) -> Iterator[Fault]:
    """Yield each fault of each call, and those of the function as a whole.

    Args:
        requests: `service:Operation` of the calls that a function makes undisturbed, in their order.
    """
    for call, operation in enumerate(requests):
        for kind, rule in refusals(operation.split(":")[0]):
            yield Fault(kind, ONCE, operation, Rule(rule=rule, call=call))
            if operation not in requests[:call]:
                yield Fault(kind, ALWAYS, operation, Rule(rule=rule, call=call, always=True))
        yield Fault(LOST, ONCE, operation, Rule(call=call, lose=True))
        if operation == "s3:PutObject":  # its answer has no body
            yield Fault(UPLOAD_CUT, ONCE, operation, Rule(rule={"request": {"cut_upload": {"after_frac": 0.5}}}, call=call))
        else:
            yield Fault(CUT, ONCE, operation, Rule(rule={"response": {"abort_frac": 0.5}}, call=call))
        for moment, kind in KILLED.items():
            yield Fault(kind, ONCE, operation, Rule(call=call, kill=moment))
    for kind, seconds in CLOCKS.items():
        yield Fault(kind, ONCE, "all", Rule(clock=seconds))


def error_rules(service: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each kind of error that a service reports, as a rule of the proxy. Lambda reports a limit as throttling."""
    for kind, by_service in _CODES.items():
        if service in by_service:
            code, status = by_service[service]
            yield kind, {"error": {"code": code, "status": status, "message": f"injected: {kind}"}}


def refusals(service: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the faults without an effect, which may also last, each as a rule of the proxy."""
    yield from error_rules(service)
    yield TIMEOUT, {"timeout_ms": 200}
    yield RESET, {"reset": True}

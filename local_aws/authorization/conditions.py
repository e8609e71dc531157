"""Condition operators of IAM policies.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from local_aws.authorization import condition_keys
from local_aws.authorization.patterns import Context, arn_matches, matches

# Compares one value of the policy with one of the request.
Compare = Callable[[str, str, Context], bool]


class NotUnderstoodError(Exception):
    """A condition that local AWS cannot evaluate. The call is denied, and the message says why."""


def hold(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Return whether all conditions of a statement hold.

    Args:
        conditions: The element `Condition`.
        context: The condition keys of the call that have a value.

    Raises:
        NotUnderstoodError: An operator or a key is unknown, even if another condition does not hold.
    """
    results = [
        _holds(operator, key, [_text(value) for value in (values if isinstance(values, list) else [values])], context)
        for operator, keys in conditions.items()
        for key, values in keys.items()
    ]
    return all(results)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _holds(operator: str, key: str, expected: Sequence[str], context: Context) -> bool:
    if not condition_keys.is_known(key, context):
        raise NotUnderstoodError(f"condition key {key} is unknown to local AWS")
    quantifier, _, name = operator.rpartition(":")
    quantifier, name = quantifier.lower(), name.lower()
    if_exists = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    actual = context.get(key.lower())
    if name == "null" and not quantifier and not if_exists:
        return any(value.lower() == ("true" if actual is None else "false") for value in expected)
    if name not in _OPERATORS or quantifier not in ("", "forallvalues", "foranyvalue"):
        raise NotUnderstoodError(f"condition operator {operator} is unknown to local AWS")
    compare, negated = _OPERATORS[name]

    def one(value: str) -> bool:
        return any(compare(wanted, value, context) for wanted in expected) != negated

    if actual is None:
        if if_exists and quantifier == "foranyvalue":
            raise NotUnderstoodError(f"condition operator {operator} is undocumented for a missing key, here {key}")
        # A key without a value fulfils a negated operator. `ForAnyValue` needs a value that matches.
        return if_exists or quantifier == "forallvalues" or (negated and not quantifier)
    values = (actual,) if isinstance(actual, str) else actual
    if quantifier == "forallvalues":
        return all(map(one, values))
    if quantifier == "foranyvalue":
        return any(map(one, values))
    if not isinstance(actual, str):
        raise NotUnderstoodError(f"condition key {key} has several values, so {operator} needs ForAllValues or ForAnyValue")
    return one(actual)


def _equals(expected: str, value: str, context: Context) -> bool:
    return matches(expected, value, context, wildcards=False)


def _equals_ignoring_case(expected: str, value: str, context: Context) -> bool:
    folded = {key: item.lower() if isinstance(item, str) else item for key, item in context.items()}
    return matches(expected.lower(), value.lower(), folded, wildcards=False)


def _bool(expected: str, value: str, _: Context) -> bool:
    return expected.lower() == value.lower() and value.lower() in ("true", "false")


def _number(compare: Callable[[float, float], bool]) -> Compare:
    def comparison(expected: str, value: str, _: Context) -> bool:
        try:
            return compare(float(value), float(expected))
        except ValueError:
            return False

    return comparison


def _date(compare: Callable[[float, float], bool]) -> Compare:
    def comparison(expected: str, value: str, _: Context) -> bool:
        actual, limit = _seconds(value), _seconds(expected)
        return actual is not None and limit is not None and compare(actual, limit)

    return comparison


def _seconds(text: str) -> float | None:
    """Return a date of ISO 8601, or of seconds since 1970, as seconds since 1970."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _address(expected: str, value: str, _: Context) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(expected, strict=False)
    except ValueError:
        return False


def _equal(left: float, right: float) -> bool:
    return left == right


# Each operator: how it compares, and whether it is the negation of that.
_OPERATORS: dict[str, tuple[Compare, bool]] = {
    "stringequals": (_equals, False),
    "stringnotequals": (_equals, True),
    "stringequalsignorecase": (_equals_ignoring_case, False),
    "stringnotequalsignorecase": (_equals_ignoring_case, True),
    "stringlike": (matches, False),
    "stringnotlike": (matches, True),
    "arnequals": (arn_matches, False),
    "arnlike": (arn_matches, False),
    "arnnotequals": (arn_matches, True),
    "arnnotlike": (arn_matches, True),
    "bool": (_bool, False),
    "binaryequals": (lambda expected, value, _: expected == value, False),
    "ipaddress": (_address, False),
    "notipaddress": (_address, True),
}
for _kind, _compare in (("numeric", _number), ("date", _date)):
    _OPERATORS |= {
        f"{_kind}equals": (_compare(_equal), False),
        f"{_kind}notequals": (_compare(_equal), True),
        f"{_kind}lessthan": (_compare(lambda value, limit: value < limit), False),
        f"{_kind}lessthanequals": (_compare(lambda value, limit: value <= limit), False),
        f"{_kind}greaterthan": (_compare(lambda value, limit: value > limit), False),
        f"{_kind}greaterthanequals": (_compare(lambda value, limit: value >= limit), False),
    }

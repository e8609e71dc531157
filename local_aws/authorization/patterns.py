"""Wildcards and policy variables of IAM policies.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

# The values of one call's condition keys, with keys in lower case. Keys with several values hold a tuple.
Context = Mapping[str, str | tuple[str, ...]]

# `*`, `?`, or a variable such as `${aws:username}` or `${aws:username, 'nobody'}`. `${*}`, `${?}` and `${$}` are the characters.
_TOKEN = re.compile(r"\*|\?|\$\{([^}]*)\}")
_DEFAULT = re.compile(r"(.*), '(.*)'", re.DOTALL)


def matches(pattern: str, value: str, context: Context, *, variables: bool = True, wildcards: bool = True) -> bool:
    """Return whether a text of a policy matches a value of the request.

    Args:
        pattern: The text, with wildcards and variables.
        value: The value.
        context: The values of variables.
        variables: Whether the policy's version has variables. The version 2008-10-17 takes them literally.
        wildcards: Whether `*` and `?` are wildcards, or characters.
    """
    if "${" in pattern and variables:
        resolved = resolve(pattern, context, wildcards=wildcards)
        return resolved is not None and _regular_expression(resolved).fullmatch(value) is not None
    if not wildcards or ("*" not in pattern and "?" not in pattern):
        return pattern == value
    return _compiled(pattern).fullmatch(value) is not None


def arn_matches(pattern: str, value: str, context: Context, *, variables: bool = True) -> bool:
    """Return whether an ARN matches a pattern. Wildcards do not reach across the first five colons."""
    # A variable may contain a colon in its name, but only in the last part.
    expected, actual = _split_arn(pattern), value.split(":", 5)
    if len(expected) != 6 or len(actual) != 6:
        return False
    return all(matches(part, other, context, variables=variables) for part, other in zip(expected, actual, strict=True))


@functools.lru_cache(4096)
def _split_arn(pattern: str) -> tuple[str, ...]:
    """Split at the first five colons outside of variables."""
    parts: list[str] = []
    start = depth = 0
    for index, character in enumerate(pattern):
        if pattern.startswith("${", index):
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        elif character == ":" and not depth and len(parts) < 5:
            parts.append(pattern[start:index])
            start = index + 1
    return (*parts, pattern[start:])


def lacks_value(pattern: str, context: Context) -> bool:
    """Return whether a pattern has a variable without a value."""
    return "${" in pattern and resolve(pattern, context) is None


def resolve(pattern: str, context: Context, *, wildcards: bool = True) -> str | None:
    """Return a pattern as a regular expression with the values of its variables, or None if a variable has no single value."""
    parts, end = [], 0
    for token in _TOKEN.finditer(pattern):
        parts.append(re.escape(pattern[end : token.start()]))
        end = token.end()
        variable = token[1]
        if variable is None:
            parts.append({"*": ".*", "?": "."}[token[0]] if wildcards else re.escape(token[0]))
        elif variable in ("*", "?", "$"):
            parts.append(re.escape(variable))
        else:
            value = _value(variable, context)
            if value is None:
                return None
            parts.append(re.escape(value))
    return "".join([*parts, re.escape(pattern[end:])])


def _value(variable: str, context: Context) -> str | None:
    default = _DEFAULT.fullmatch(variable)
    value = context.get((default[1] if default else variable).strip().lower())
    if isinstance(value, str):
        return value
    return default[2] if default and value is None else None


@functools.lru_cache(4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern without variables as a regular expression."""
    wildcards = {"*": ".*", "?": "."}
    pieces = re.split(r"([*?])", pattern)
    return _regular_expression("".join(wildcards.get(piece) or re.escape(piece) for piece in pieces))


@functools.lru_cache(4096)
def _regular_expression(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)

"""Replace functions of moto and PySpark, if they still have the signature that the replacement was written for.

Local AWS replaces internals of both libraries, which a new version may change. Every replacement goes through this module. It
compares signatures when the server starts, and raises an error that names the function, both signatures and the version to install.

    @patching.extend(Execution, "start")
    def start(moto_start, self):     # Execution.start must be a function of (self)
        moto_start(self)
        announce(self)
"""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

# The versions that the replacements were written for and tested with.
WRITTEN_FOR = {"moto": "5.2.5", "pyspark": "3.5.6"}
_WRAPPERS = (classmethod, staticmethod)

_Function = TypeVar("_Function", bound=Callable[..., Any])


class PatchError(Exception):
    """A part of a library differs from the one that local AWS replaces."""


def replace(owner: Any, name: str) -> Callable[[_Function], _Function]:
    """Return a decorator that replaces `owner.name` with the decorated function.

    Args:
        owner: A class or a module.
        name: A function, method, class method or static method of `owner`. The replacement has the same parameters.

    Raises:
        PatchError: `owner` has no such function, or its parameters differ.
    """

    def decorate(function: _Function) -> _Function:
        _install(owner, name, function, inspect.signature(function))
        return function

    return decorate


def extend(owner: Any, name: str) -> Callable[[_Function], _Function]:
    """Return a decorator like that of `replace`. The decorated function gets the original as an additional first argument."""

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function)
        without_original = signature.replace(parameters=list(signature.parameters.values())[1:])
        _install(owner, name, functools.partial(function, _callable(owner, name)), without_original)
        return function

    return decorate


def add(owner: Any, name: str) -> Callable[[_Function], _Function]:
    """Return a decorator that adds the decorated function to `owner`.

    Raises:
        PatchError: `owner.name` exists.
    """

    def decorate(function: _Function) -> _Function:
        if hasattr(owner, name):
            raise PatchError(f"{_title(owner, name)} exists. {_advice(owner)} Use it, and remove the addition from local AWS.")
        setattr(owner, name, function)
        return function

    return decorate


def set_value(owner: Any, name: str, value: Any) -> None:
    """Set `owner.name`, which must exist and have the type of `value`.

    Raises:
        PatchError: `owner.name` is missing, or has another type.
    """
    current = getattr(owner, name, None)
    if type(current) is not type(value):
        types = f"{type(value).__name__}, and it is {type(current).__name__}"
        raise PatchError(f"{_title(owner, name)} should be of type {types}. {_advice(owner)}")
    setattr(owner, name, value)


def _install(owner: Any, name: str, function: Callable[..., Any], signature: inspect.Signature) -> None:
    original = _callable(owner, name)
    actual = inspect.signature(original)
    if _shape(actual) != _shape(signature):
        raise PatchError(
            f"{_title(owner, name)} takes {_names(actual)}, and local AWS replaces a function that takes {_names(signature)}. "
            + _advice(owner)
        )

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    # A class stores static and class methods in wrappers. Without the wrapper, a call would pass the instance.
    stored = inspect.getattr_static(owner, name)
    wrapper: type[Any] | None = type(stored) if isinstance(stored, _WRAPPERS) else None
    setattr(owner, name, wrapper(call) if wrapper else call)


def _callable(owner: Any, name: str) -> Callable[..., Any]:
    """Return the plain function behind `owner.name`."""
    stored = inspect.getattr_static(owner, name, None)
    function = stored.__func__ if isinstance(stored, _WRAPPERS) else stored
    if not callable(function):
        raise PatchError(f"{_title(owner, name)} does not exist. {_advice(owner)}")
    return function


def _shape(signature: inspect.Signature) -> list[tuple[str, Any, bool]]:
    """Return what callers depend on: each parameter's name, its kind, and whether it has a default.

    A trailing underscore does not count: it distinguishes a replacement's `self_` from the `self` around it.
    """
    return [
        (parameter.name.rstrip("_"), parameter.kind, parameter.default is not inspect.Parameter.empty)
        for parameter in signature.parameters.values()
    ]


def _names(signature: inspect.Signature) -> str:
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(inspect.Signature(plain))


def _title(owner: Any, name: str) -> str:
    return f"{owner.__module__}.{owner.__qualname__}.{name}" if inspect.isclass(owner) else f"{owner.__name__}.{name}"


def _advice(owner: Any) -> str:
    library = (owner.__module__ if inspect.isclass(owner) else owner.__name__).partition(".")[0]
    tested = WRITTEN_FOR[library]
    installed = importlib.metadata.version(library)
    return (
        f"{library} {installed} is installed, and local AWS was written for {library} {tested}: "
        f"install that version, or adapt the replacement in local_aws/ and WRITTEN_FOR in local_aws/patching.py."
    )

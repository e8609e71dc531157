"""Read a function's settings from its environment variables."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

Settings = TypeVar("Settings")
_PARSERS: dict[object, Callable[[str], Any]] = {str: str, int: int, float: float}


def read_settings(model: Callable[..., Settings], environ: Mapping[str, str] = os.environ) -> Settings:
    """Fill a dataclass from the environment: the field `raw_bucket` is the variable RAW_BUCKET.

    Args:
        model: a dataclass. Fields of types other than str, int and float are parsed as JSON.
        environ: the variables.

    Raises:
        KeyError: a variable is missing; the error names the first.
        ValueError: a variable is not of its field's type.
    """
    types = get_type_hints(model)
    values = {field.name: environ[field.name.upper()] for field in fields(model)}  # type: ignore[arg-type]
    return model(**{name: _PARSERS.get(types[name], json.loads)(value) for name, value in values.items()})

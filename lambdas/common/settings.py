"""Read a function's settings from its environment variables."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

Settings = TypeVar("Settings")
_READ: dict[object, Callable[[str], Any]] = {str: str, int: int, float: float}


def read_settings(model: Callable[..., Settings], environ: Mapping[str, str] = os.environ) -> Settings:
    """Fill a dataclass from the environment: the field `raw_bucket` is the variable RAW_BUCKET.

    Args:
        model: a dataclass. Fields of other types than str, int and float are read as JSON.
        environ: the variables.

    Raises:
        KeyError: names the first variable that is missing.
        ValueError: a variable is not of its field's type.
    """
    types = get_type_hints(model)
    values = {field.name: environ[field.name.upper()] for field in fields(model)}  # type: ignore[arg-type]
    return model(**{name: _READ.get(types[name], json.loads)(value) for name, value in values.items()})

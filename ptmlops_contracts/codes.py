"""Enumerations of codes, each member with the sentence that the reference prints."""

from __future__ import annotations

from enum import Enum


class Code(str, Enum):  # enum.StrEnum needs Python 3.11
    """A string constant with a description.

    Example:
        >>> class Signal(Code):
        ...     RED = "red", "stop"
        >>> Signal.RED == "red", Signal.RED.description
        (True, 'stop')
    """

    description: str

    def __new__(cls, value: str, description: str) -> Code:
        """Create the member `value`, described by `description`."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member

    def __str__(self) -> str:
        """Return the value, as a plain string has it."""
        return self.value

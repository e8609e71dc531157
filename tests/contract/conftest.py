"""The definition of the state machine, as the stack tests read it."""

from tests.stacks.conftest import definition, templates

__all__ = ["definition", "templates"]

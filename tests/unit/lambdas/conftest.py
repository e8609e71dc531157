"""Functions under moto, each imported as Lambda imports it: its own folder alone on the path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from local_aws import ROOT


@pytest.fixture
def unit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], ModuleType]]:
    """`unit("plan_run", "decision")`: a module of a function; what it brought with it is forgotten afterwards."""
    known = set(sys.modules)
    folders: list[Path] = []

    def load(function: str, module: str) -> ModuleType:
        folder = ROOT / "lambdas" / function
        if folder not in folders:
            folders.append(folder)
            monkeypatch.syspath_prepend(str(folder))
        return importlib.import_module(module)

    yield load
    for name in set(sys.modules) - known:
        source = getattr(sys.modules[name], "__file__", None)
        if source and Path(source).parent in folders:
            del sys.modules[name]


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)

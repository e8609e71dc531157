"""Run pytest on the functions in Python 3.14, compiled to WebAssembly. node/run.mjs runs this text, and its value is the exit status.

WebAssembly loads no compiled package and has no threads.
"""

import concurrent.futures
import importlib
import importlib.abc
import importlib.machinery
import os
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock


class Uncompiled(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes `import cryptography...` succeed: moto uses it for certificates and key pairs, which no function has."""

    def find_spec(self, name, path=None, target=None):  # noqa: ARG002 - importlib's signature
        own = name.partition(".")[0] == "cryptography"
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if own else None

    def create_module(self, spec):
        module = ModuleType(spec.name)
        module.__getattr__ = self.anything
        return module

    @staticmethod
    def anything(name):
        made = MagicMock(name=name)
        made.generate_private_key.return_value.sign.return_value = b""  # of a notification of SNS
        return made

    def exec_module(self, module):
        pass


class OneAfterTheOther(concurrent.futures.Executor):
    """Calls a function when it is submitted."""

    def __init__(self, max_workers=None):
        pass

    def submit(self, function, /, *args, **kwargs):
        future = concurrent.futures.Future()
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - the caller gets it, as from a thread
            future.set_exception(error)
        return future


sys.meta_path.insert(0, Uncompiled())
concurrent.futures.ThreadPoolExecutor = OneAfterTheOther
os.chdir("/repository")
sys.path[:0] = ["/repository", "/repository/lambdas", "/packages"]
os.environ |= {"POWERTOOLS_METRICS_NAMESPACE": "ptmlops-test", "AWS_DEFAULT_REGION": "us-east-1"}
import pytest  # noqa: E402 - from /packages

units = sorted(handler.parent.name for handler in Path("lambdas").glob("*/handler.py"))
print("Python", sys.version.split()[0])  # noqa: T201
print("Imported:", *(importlib.import_module(f"{unit}.handler").__name__ for unit in units))  # noqa: T201
int(pytest.main(options))  # noqa: F821 - run.mjs sets it

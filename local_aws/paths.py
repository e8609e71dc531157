"""Places in the checkout and in the folder of a local AWS, and the environment of its processes."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NODE = Path(__file__).resolve().parent / "node"
# In PYTHONPATH of all that runs for an account: it hides the packages of this project (job_site/sitecustomize.py).
JOB_SITE = Path(__file__).resolve().parent / "job_site"
# In the folder of a local AWS.
STATE, LOG, NOTICES, LOCK = "state.json", "server.log", "notices.jsonl", "lock"


def clean_environment(region: str) -> dict[str, str]:
    """Return the caller's environment without its AWS settings, so that no real account can be reached by accident."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MOTO_", "SPARK_"))}
    node = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
    path = os.pathsep.join(filter(None, (str(Path(sys.executable).parent), node and str(Path(node).parent), kept.get("PATH"))))
    return {
        **kept,
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # The CLI would look for a newer version of itself, and wait for an answer that cannot come.
        "CDK_DISABLE_VERSION_CHECK": "1",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }

"""A second, independent judge of permissions: the npm package @cloud-copilot/iam-simulate, in one process for many calls."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "unit" / "local_aws" / "node"
ACCOUNT = "123456789012"


def judge(policies: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Return whether each call is allowed.

    Args:
        policies: Documents by digest.
        calls: `principal`, `action`, `resource`, `context`, and the digests `identity` and `resource_policy`, as decisions are
            recorded (`local_aws.authorization.record`).
    """
    assert (FOLDER / "node_modules").is_dir(), "the judge is not installed: run `make install`"
    node = shutil.which("node", path=str(Path(sys.executable).parent)) or "node"
    question = {"account": ACCOUNT, "policies": policies, "calls": list(calls)}
    done = subprocess.run(
        [node, "judge.mjs"], cwd=FOLDER, input=json.dumps(question), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers: list[bool] = json.loads(done.stdout)
    assert len(answers) == len(calls)
    return answers


def read_decisions(file: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the policies and the decisions that a local AWS recorded."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    policies = {line["policy"]: line["document"] for line in lines if "policy" in line}
    contexts = {line["keys"]: line["values"] for line in lines if "keys" in line}
    return policies, [{**line, "context": contexts[line["context"]]} for line in lines if "principal" in line]


def disagreements(policies: Mapping[str, Any], decisions: Sequence[dict[str, Any]]) -> list[str]:
    """Return the decisions that the judge would not have made, as text. It knows no grants on keys."""
    judged = [decision for decision in decisions if decision["reason"] != "allowed by a grant"]
    return [
        f"{decision['principal']} {decision['action']} {decision['resource']}: local AWS {decision['allowed']} "
        f"({decision['reason']}), iam-simulate {answer}"
        for decision, answer in zip(judged, judge(policies, judged), strict=True)
        if answer != decision["allowed"]
    ]

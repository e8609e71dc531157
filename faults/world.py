"""What a function did to the world: objects, ledger items, model packages, Models and executions that are new or changed.

Times, durations and ids that a repetition may choose anew are replaced, so that equal effects compare as equal.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from local_aws.context import LocalContext

_RUN = re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{8}\b")
_TIMES = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?|\b1[6-9]\d{8}(\d{3})?(\.\d+)?\b"  # ISO 8601, and epochs
    r"|/(year=)?\d{4}/(month=)?\d\d/(day=)?\d\d\b"
)
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_WRITES = re.compile(r'"version": ?\{"N": ?"\d+"\}')  # how often an item was written
_ELAPSED = re.compile(r'("(?:\w+_)?(?:seconds|duration\w*)": ?)-?[\d.]+')  # of a run that has not ended


class World:
    """The world of a snapshot. It remembers how it was."""

    def __init__(self, context: LocalContext) -> None:
        self._context = context
        items = self._items()
        self._known_runs = set(_RUN.findall(json.dumps(items))) | set(_RUN.findall(" ".join(self._executions())))
        self._before = {name: version for name, (version, _) in self._everything().items()}

    def effects(self) -> dict[str, str]:
        """Return a digest of each thing that is new or changed, and None's digest for what is gone, by name."""
        now = self._everything()
        changed = {
            self.normalized_text(name): _digest(self.normalized_text(_text(content)))
            for name, (version, content) in now.items()
            if self._before.get(name) != version
        }
        return {**changed, **{self.normalized_text(name): "gone" for name in self._before.keys() - now.keys()}}

    def normalized(self, value: Any) -> Any:
        """Return a JSON value without what a repetition may choose anew."""
        return json.loads(self.normalized_text(json.dumps(value)))

    def normalized_text(self, text: str) -> str:
        """Return a text without what a repetition may choose anew: times, elapsed seconds, ids of new runs."""
        text = _RUN.sub(lambda found: found[0] if found[0] in self._known_runs else "RUN", text)
        return _WRITES.sub("", _ELAPSED.sub(r"\1 0", _UUID.sub("UUID", _TIMES.sub("0", text))))

    def _everything(self) -> dict[str, tuple[str, Any]]:
        """Return version and content by name. The content, a text or moto's object, is read only if the version is new."""
        found: dict[str, tuple[str, Any]] = {}
        for bucket in self._context.backend("s3").buckets.values():
            if not bucket.name.startswith("ptmlops-"):
                continue
            for key, item in bucket.keys.items():
                found[f"object {bucket.name}/{key}"] = (str(item.version_id), item)
        for key, item in self._items().items():
            found[f"item {key}"] = (item, item)
        for arn, package in self._context.backend("sagemaker").model_packages.items():
            text = json.dumps(package.gen_response_object(), default=str, sort_keys=True)
            found[f"package {arn}"] = (text, text)
        for name, model in self._context.backend("sagemaker")._models.items():
            text = json.dumps(model.response_object, default=str, sort_keys=True)
            found[f"model {name}"] = (text, text)
        for name in self._executions():
            found[f"execution {name}"] = (name, name)
        return found

    def _items(self) -> dict[str, str]:
        tables = self._context.backend("dynamodb").tables.values()
        return {
            f"{table.name} {item.hash_key.value}": json.dumps(item.to_json(), sort_keys=True, default=str)
            for table in tables
            for item in table.all_items()
        }

    def _executions(self) -> list[str]:
        machines = self._context.backend("stepfunctions").state_machines
        return [execution.name for machine in machines for execution in machine.executions]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    body: bytes = content.value
    return body.decode("utf-8", "surrogateescape") if len(body) < 4_000_000 else hashlib.sha256(body).hexdigest()

"""Send what no run has taken: `ptmlops reconcile` compares the object versions of the raw bucket with the ledger.

Only one page of the bucket is in memory at a time. A message that was sent once too often does no harm: a version joins one run.
"""

from __future__ import annotations

import json
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ptmlops import runs
from ptmlops.errors import OperatorError
from ptmlops.ledger import MAX_KEYS, Ledger, ObjectVersion
from ptmlops.raw_files import pages
from ptmlops.target import Target
from ptmlops_contracts.ledger import COLLECTING, rewrite_key

# SendMessageBatch takes ten messages.
MAX_MESSAGES = 10
# Runs whose status is remembered. Neighbouring keys are often in the same run.
REMEMBERED_RUNS = 1000


@dataclass
class Comparison:
    """What the bucket and the ledger hold. Each version is in one of the counts.

    Attributes:
        taken: versions that a run has taken.
        cancelled: versions that a person cancelled.
        deleted: versions under a delete marker that no run needs.
        folders: zero-byte objects that a console makes for folders, and files that a system left in them.
        rewritten: versions of uploads from which rows are being erased: `ptmlops forget` registers them.
        lost: versions that no run has taken.
        stranded_runs: runs that collect although their execution has ended or was never started.
        sent: messages to the arrivals queue; 0 in a dry run.
    """

    versions: int = 0
    taken: int = 0
    cancelled: int = 0
    deleted: int = 0
    folders: int = 0
    rewritten: int = 0
    lost: int = 0
    stranded_runs: list[str] = field(default_factory=list)
    sent: int = 0


def reconcile(
    target: Target, *, prefix: str = "", since: datetime | None = None, until: datetime | None = None, dry_run: bool = False
) -> Comparison:
    """Compare the raw bucket with the ledger, and send what no run has taken to the arrivals queue.

    Old versions of a key count like new ones: each version is processed exactly once. Versions that a person deleted or cancelled are
    left alone. Of a run that collects but does not execute, one file is sent, which lets another run take all of them.

    Args:
        target: the deployment.
        prefix: compare keys that begin so.
        since, until: compare versions that were uploaded from then, and before then.
        dry_run: count, and send nothing.
    """
    found = Comparison()
    search = _Search(target, found)
    for page in pages(target, prefix):
        chosen = [
            version
            for version in page.versions
            if (since is None or version.uploaded_at >= since) and (until is None or version.uploaded_at < until)
        ]
        found.folders += page.folders
        found.deleted += page.deleted
        found.versions += len(chosen)
        for start in range(0, len(chosen), MAX_KEYS):
            to_send = list(search.not_taken(chosen[start : start + MAX_KEYS]))
            if not dry_run:
                send(target, to_send)
                found.sent += len(to_send)
    return found


class _Search:
    """Decides which versions to send, and remembers the runs that it has looked up."""

    def __init__(self, target: Target, found: Comparison) -> None:
        self._target = target
        self._ledger = Ledger.of(target)
        self._found = found
        self._stranded: OrderedDict[str, str | None] = OrderedDict()

    def not_taken(self, versions: Sequence[ObjectVersion]) -> Iterator[ObjectVersion]:
        """Yield the versions to send, and count all."""
        # Looked up first: what is not being rewritten any more has its item by then.
        rewritten = {item["pk"] for item in self._ledger.items(rewrite_key(one.bucket, one.key) for one in versions)}
        items = {item["pk"]: item for item in self._ledger.items(version.ledger_key for version in versions)}
        for version in versions:
            item = items.get(version.ledger_key)
            if item is None and rewrite_key(version.bucket, version.key) in rewritten:
                self._found.rewritten += 1
                continue
            if item is None:
                self._found.lost += 1
                yield version
                continue
            if "cancelled_at" in item:
                self._found.cancelled += 1
                continue
            self._found.taken += 1
            run_id = self._stranded_run(item["run_id"])
            if run_id and run_id not in self._found.stranded_runs:
                self._found.stranded_runs.append(run_id)
                yield version

    def _stranded_run(self, run_id: str) -> str | None:
        """Return the run that has the files of a run now, if it collects and does not execute."""
        if run_id not in self._stranded:
            chain = self._ledger.successors(run_id)
            last, run = chain[-1] if chain else (run_id, None)
            collects = run is not None and run["status"] == COLLECTING
            stranded = collects and runs.execution_status(self._target, last) != "RUNNING"
            self._stranded[run_id] = last if stranded else None
            if len(self._stranded) > REMEMBERED_RUNS:
                self._stranded.popitem(last=False)
        return self._stranded[run_id]


def send(target: Target, versions: Sequence[ObjectVersion]) -> None:
    """Send versions to the arrivals queue, as EventBridge does.

    Raises:
        OperatorError: the queue did not accept all.
    """
    queue = target.outputs["ArrivalsQueueUrl"]
    for start in range(0, len(versions), MAX_MESSAGES):
        entries = [
            {"Id": str(number), "MessageBody": arrival(version)}
            for number, version in enumerate(versions[start : start + MAX_MESSAGES])
        ]
        failed = target.client("sqs").send_message_batch(QueueUrl=queue, Entries=entries).get("Failed", [])
        if failed:
            raise OperatorError(
                f"{len(failed)} of {len(entries)} messages were not accepted ({failed[0]['Code']}): run the command again; what "
                "was sent is not processed twice"
            )


def arrival(version: ObjectVersion) -> str:
    """Return the event of a version in the form of S3's "Object Created".

    Source: "Amazon S3 event message structure for EventBridge" in the S3 user guide.
    """
    detail = {
        "version": "0",
        "bucket": {"name": version.bucket},
        "object": {"key": version.key, "size": version.size, "etag": version.etag, "version-id": version.version_id},
        "reason": "ptmlops reconcile",
    }
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Object Created",
        "source": "ptmlops",
        "time": f"{version.uploaded_at:%Y-%m-%dT%H:%M:%SZ}",
        "detail": detail,
    }
    return json.dumps(event)

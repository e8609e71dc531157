"""From arrivals to started runs: each step may be repeated, and repeating it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from arrivals import Arrival, run_id_of
from ledger import MAX_FILES, STARTED, Ledger, Run

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

ATTEMPTS = 5


class ContentionError(Exception):
    """Others kept claiming the same files; the batch comes back and is tried again."""


def runs_for(arrivals: Sequence[Arrival], *, ledger: Ledger, now: datetime) -> list[str]:
    """The ids of the runs that these files belong to: those that claimed them before, and new ones for the rest.

    Raises:
        ContentionError: a claim was lost again and again.
    """
    waiting = {arrival.file: arrival for arrival in arrivals}
    run_ids: list[str] = []
    attempts = 0
    while waiting:
        claimed = ledger.claims(waiting)
        run_ids.extend(claimed.values())
        for file in claimed:
            del waiting[file]
        chosen = sorted(waiting.values(), key=lambda arrival: arrival.file)[:MAX_FILES]
        if not chosen:
            break
        run_id = run_id_of(chosen)
        if ledger.claim(run_id=run_id, files=[arrival.file for arrival in chosen], started_at=now):
            run_ids.append(run_id)
            for arrival in chosen:
                del waiting[arrival.file]
        else:
            attempts += 1
            if attempts == ATTEMPTS:
                raise ContentionError(f"{len(chosen)} files could not be claimed in {ATTEMPTS} attempts")
    return sorted(set(run_ids))


def manifest(run: Run) -> bytes:
    """The run's manifest.json (docs/contracts.md); made from the ledger alone, so that it is the same every time."""
    document = {"run_id": run.run_id, "created_at": run.started_at, "files": [asdict(file) for file in run.files]}
    return json.dumps(document, ensure_ascii=False).encode()


def ensure_started(run: Run, *, s3: S3Client, prepared_bucket: str, states: SFNClient, state_machine_arn: str) -> bool:
    """Write the manifest and start the execution, also when both were done before. False: the run has ended already.

    StartExecution with a name and input that run already answers with the same execution; once that execution has
    ended, it answers ExecutionAlreadyExists.
    """
    if run.status != STARTED:
        return False
    key = f"runs/{run.run_id}/manifest.json"
    s3.put_object(Bucket=prepared_bucket, Key=key, Body=manifest(run), ContentType="application/json")
    try:
        states.start_execution(stateMachineArn=state_machine_arn, name=run.run_id, input=json.dumps({"run_id": run.run_id}))
    except states.exceptions.ExecutionAlreadyExists:
        return False
    return True

"""From arrivals to started runs. Every step may be repeated without a second effect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from common.documents import write_json

from ptmlops_contracts.keys import PreparedKeys
from ptmlops_contracts.ledger import STARTED, Manifest
from ptmlops_contracts.state import STATE_VERSION, StateInput
from start_run.arrivals import Arrival, run_id_of
from start_run.ledger import MAX_FILES, Ledger, Run, manifest_file

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

ATTEMPTS = 5


class ContentionError(Exception):
    """Other batches kept claiming the same files. This batch returns to the queue and is tried again."""


def claim_runs(arrivals: Sequence[Arrival], *, ledger: Ledger, now: datetime) -> list[str]:
    """Claim every file that no run has claimed yet.

    Returns:
        The ids of the runs that these files belong to, earlier and new ones.

    Raises:
        ContentionError: five claims in a row were lost to other batches.
    """
    waiting = {arrival.file: arrival for arrival in arrivals}
    run_ids: list[str] = []
    attempts = 0
    while waiting:
        claimed = ledger.claims(waiting)
        run_ids.extend(claimed.values())
        for file in claimed:
            del waiting[file]
        batch = sorted(waiting.values(), key=lambda arrival: arrival.file)[:MAX_FILES]
        if not batch:
            break
        run_id = run_id_of(batch)
        if ledger.claim(run_id=run_id, files=[arrival.file for arrival in batch], started_at=now):
            run_ids.append(run_id)
            for arrival in batch:
                del waiting[arrival.file]
        else:
            attempts += 1
            if attempts == ATTEMPTS:
                raise ContentionError(f"{len(batch)} files could not be claimed in {ATTEMPTS} attempts")
    return sorted(set(run_ids))


def ensure_started(run: Run, *, s3: S3Client, prepared_bucket: str, states: SFNClient, state_machine_arn: str) -> bool:
    """Write the manifest and start the execution, even if both were done before.

    StartExecution with the name and input of a running execution returns that execution. Once it has ended, the call fails
    with ExecutionAlreadyExists.

    Returns:
        False if the run has ended already.
    """
    if run.status != STARTED:
        return False
    # From the ledger alone, so it is the same every time.
    manifest = Manifest(run_id=run.run_id, created_at=run.started_at, files=[manifest_file(file) for file in run.files])
    write_json(s3, prepared_bucket, PreparedKeys(run.run_id).manifest, manifest)
    document = StateInput(run_id=run.run_id, schema_version=STATE_VERSION)
    try:
        states.start_execution(stateMachineArn=state_machine_arn, name=run.run_id, input=json.dumps(document))
    except states.exceptions.ExecutionAlreadyExists:
        return False
    return True

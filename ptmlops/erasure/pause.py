"""Let runs wait while rows are erased: a run that works would write them again.

The item `SLOTS` of the ledger has `paused_until`. Until then collect_run gives no slot, so that runs go on collecting files. The pause is
renewed while the command works, and ends by itself if the command is killed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from ptmlops import runs
from ptmlops.errors import OperatorError
from ptmlops.options import command_for
from ptmlops.target import Target
from ptmlops_contracts.ledger import SLOTS_KEY, ledger_time, run_of_holder

PAUSE_MINUTES, RENEW_SECONDS = 15, 60
WAIT_SECONDS = 5


@contextmanager
def paused(target: Target, *, wait: bool, report: Callable[[str], None]) -> Generator[Callable[[], None]]:
    """Let runs wait. Yields a function that renews the pause, to be called often.

    Args:
        target: the deployment.
        wait: wait for the end of runs that work, and do not refuse.
        report: says what is waited for.

    Raises:
        OperatorError: a run works.
    """
    renewed, until = 0.0, ""

    def renew() -> None:
        nonlocal renewed, until
        if time.monotonic() - renewed > RENEW_SECONDS or not renewed:
            until = ledger_time(datetime.now(UTC) + timedelta(minutes=PAUSE_MINUTES))
            _write(target, "SET paused_until = :until", until)
            renewed = time.monotonic()

    renew()
    try:
        while working := working_runs(target):
            if not wait:
                raise OperatorError(
                    f"run {working[0]} works, and would write the rows again: follow it with "
                    f"`{command_for(target, f'watch {working[0]}')}` until it has ended, or use --wait. Nothing was erased"
                )
            report(f"waiting for the end of run {working[0]}")
            time.sleep(WAIT_SECONDS if target.endpoint_url is None else 1)
            renew()
        yield renew
    finally:
        # Another call may have renewed the pause, and goes on.
        with contextlib.suppress(target.client("dynamodb").exceptions.ConditionalCheckFailedException):
            _write(target, "REMOVE paused_until", until, ConditionExpression="paused_until = :until")


def working_runs(target: Target) -> list[str]:
    """Return the runs that do more than collect files: those with a slot, and those that were redriven."""
    states = target.client("stepfunctions")
    pages = states.get_paginator("list_executions").paginate(
        stateMachineArn=target.outputs["StateMachineArn"], statusFilter="RUNNING"
    )
    executing = {str(run["name"]) for page in pages for run in page["executions"]}
    answer = target.client("dynamodb").get_item(
        TableName=target.outputs["LedgerTableName"], Key={"pk": {"S": SLOTS_KEY}}, ConsistentRead=True
    )
    holders = answer.get("Item", {}).get("holders", {}).get("SS", [])
    with_slot = {run_of_holder(holder)[0] for holder in holders}
    return sorted(run for run in executing if run in with_slot or runs.current_state(target, run) != runs.COLLECT)


def _write(target: Target, expression: str, until: str, **condition: str) -> None:
    target.client("dynamodb").update_item(
        TableName=target.outputs["LedgerTableName"],
        Key={"pk": {"S": SLOTS_KEY}},
        UpdateExpression=expression,
        ExpressionAttributeValues={":until": {"S": until}},
        **condition,
    )

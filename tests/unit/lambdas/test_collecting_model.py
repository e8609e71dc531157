"""Exactly once, whatever happens in which order: a Hypothesis state machine on the functions' own code.

Functions run as threads that stop before and after each of their AWS calls. Hypothesis decides which goes on, which is killed, what is
delivered twice or late, when executions end, and what a person cancels. At the end everything pending is delivered, and each file must
have been processed by one run, and a cancelled file by none. 25 sequences in `make test`, 1,000 in `make nightly`.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from collect_run.collecting import (
    CancelledError,
    ExecutionEndedError,
    SupersededError,
    Window,
    collect,
    manifest,
)
from common.ledger import Ledger
from common.slots import Slots
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from moto import mock_aws
from record_run.ledger import record_end
from start_run import ledger as start_ledger
from start_run import runs
from start_run.arrivals import FileVersion
from start_run.ledger import Arrivals
from start_run.runs import ensure_executes, join_runs

from ptmlops.ledger import Ledger as OperatorsLedger
from ptmlops.ledger import NotCollectingError, ObjectVersion
from ptmlops_contracts.ledger import CANCELLED, slot_holder
from ptmlops_contracts.state import STATE_VERSION

SEQUENCES = 1000 if os.environ.get("PTMLOPS_NIGHTLY") else 25
MAX_RUNNING = 2
WINDOW = Window(quiet_seconds=60, longest_seconds=300)
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:runs"


class Killed(BaseException):
    """The function's process ended here. It derives from BaseException so that no handler of the code under test catches it."""


class Actor:
    """A function that runs in a thread and stops at each of its AWS calls."""

    def __init__(self, work: Callable[[Actor], object], then: Callable[[object], None] = lambda _: None) -> None:
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._kill = False
        self.done = False
        self.error: BaseException | None = None

        def run() -> None:
            try:
                self.checkpoint(first=True)
                then(work(self))
            except Killed:
                pass
            except BaseException as error:  # noqa: BLE001 - raised again in `step`
                self.error = error
            self.done = True
            self._stopped.release()

        threading.Thread(target=run, daemon=True).start()

    def checkpoint(self, *, first: bool = False) -> None:
        """Wait for `step`, in the actor's thread."""
        if not first:
            self._stopped.release()
        self._go.acquire()
        if self._kill:
            raise Killed

    def step(self) -> None:
        """Let the function go on to its next call, or to its end."""
        if self.done:
            return
        self._go.release()
        self._stopped.acquire()
        if self.error:
            raise self.error

    def kill(self) -> None:
        """End the function where it stands."""
        self._kill = True
        self.step()

    def finish(self) -> None:
        """Let the function run to its end."""
        while not self.done:
            self.step()

    def tap(self, client: Any) -> Any:
        """Return a client that stops before and after each call."""
        return _Tap(self, client)


class _Tap:
    def __init__(self, actor: Actor, client: Any) -> None:
        self._actor, self._client = actor, client

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        if name == "exceptions":
            return value

        def call(**arguments: Any) -> Any:
            self._actor.checkpoint()
            answer = value(**arguments)
            self._actor.checkpoint()
            return answer

        return call


@dataclass
class Execution:
    """An execution, as far as the protocol sees it.

    Attributes:
        status: as Step Functions names it.
        redrives: how often it was redriven.
        working: it has left its first state.
        slot: `redrives` when it left it.
    """

    status: str = "RUNNING"
    redrives: int = 0
    working: bool = False
    slot: int | None = None


class Executions:
    """StartExecution and DescribeExecution, as their documentation describes them."""

    class exceptions:  # noqa: N801 - boto3's name
        class ExecutionAlreadyExists(Exception): ...  # noqa: N818 - boto3's name

        class ExecutionDoesNotExist(Exception): ...  # noqa: N818 - boto3's name

    def __init__(self) -> None:
        self.by_run: dict[str, Execution] = {}

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> None:  # noqa: N803 - boto3's names
        assert stateMachineArn == MACHINE
        assert json.loads(input)["run_id"] == name
        found = self.by_run.setdefault(name, Execution())
        if found.status != "RUNNING":
            raise self.exceptions.ExecutionAlreadyExists

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        found = self.by_run.get(executionArn.rpartition(":")[2])
        if found is None:
            raise self.exceptions.ExecutionDoesNotExist
        return {"status": found.status, "redriveCount": found.redrives}

    def is_executing(self, run_id: str, redrives: int) -> bool:
        found = self.by_run.get(run_id)
        return found is not None and (found.status, found.redrives) == ("RUNNING", redrives)


@dataclass
class World:
    """All that outlives a function."""

    states: Executions = field(default_factory=Executions)
    now: datetime = datetime(2026, 11, 24, 10, tzinfo=UTC)
    files: list[FileVersion] = field(default_factory=list)
    messages: list[FileVersion] = field(default_factory=list)  # in the queue
    ended: list[tuple[str, str, int]] = field(default_factory=list)  # events of executions that ended
    worked: dict[str, list[str]] = field(default_factory=dict)  # run to the files of its manifest
    replays: int = 0


class Collecting(RuleBasedStateMachine):
    """Uploads, deliveries, functions step by step, kills, and executions that end at any moment."""

    @initialize()
    def begin(self) -> None:
        self.aws = mock_aws()
        self.aws.start()
        self.dynamodb = boto3.client("dynamodb")
        self.dynamodb.create_table(
            TableName="ledger",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.world = World()
        self.actors: list[Actor] = []
        self.collectors: dict[str, Actor] = {}

    # What the outside does.

    @rule(copies=st.integers(1, 3), version=st.integers(0, 1))
    def upload(self, copies: int, version: int) -> None:
        key = f"{len(self.world.files) // 2}.csv"
        file = FileVersion(bucket="raw", key=key, version_id=f"{len(self.world.files)}-{version}", size=10, etag="e")
        self.world.files.append(file)
        self.world.messages.extend([file] * copies)

    @rule(seconds=st.sampled_from([1, 61, 400]))
    def pass_time(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.world.messages)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Lambda starts start_run with some of the messages; the same message may be delivered to two."""
        chosen = data.draw(st.lists(st.sampled_from(self.world.messages), min_size=1, max_size=3))
        self.actors.append(self._start_run(chosen))

    @precondition(lambda self: self._collecting())
    @rule(data=st.data())
    def poll(self, data: st.DataObject) -> None:
        """The first state of an execution calls collect_run."""
        run_id = data.draw(st.sampled_from(self._collecting()))
        if run_id not in self.collectors or self.collectors[run_id].done:
            self.collectors[run_id] = self._collector(run_id)
            self.actors.append(self.collectors[run_id])

    @precondition(lambda self: self.actors)
    @rule(data=st.data(), steps=st.integers(1, 8))
    def go_on(self, data: st.DataObject, steps: int) -> None:
        actor = data.draw(st.sampled_from(self.actors))
        for _ in range(steps):
            actor.step()
        self._forget_ended()

    @precondition(lambda self: self.actors)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.actors)).kill()
        self._forget_ended()

    @precondition(lambda self: self._running())
    @rule(data=st.data(), status=st.sampled_from(["FAILED", "ABORTED"]))
    def end_badly(self, data: st.DataObject, status: str) -> None:
        """A state fails for good, or a person stops the execution; its function goes on."""
        self._end(data.draw(st.sampled_from(self._running())), status)

    @precondition(lambda self: self._working())
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        self._end(data.draw(st.sampled_from(self._working())), "SUCCEEDED")

    @precondition(lambda self: self.world.ended)
    @rule(data=st.data(), again=st.booleans())
    def record(self, data: st.DataObject, again: bool) -> None:
        """An event of an ended execution reaches record_run, late, twice or out of order."""
        event = data.draw(st.sampled_from(self.world.ended))
        if not again:
            self.world.ended.remove(event)
        self.actors.append(self._recorder(event))

    @precondition(lambda self: self._ended_badly())
    @rule(data=st.data())
    def redrive(self, data: st.DataObject) -> None:
        execution = self.world.states.by_run[data.draw(st.sampled_from(self._ended_badly()))]
        execution.status, execution.redrives = "RUNNING", execution.redrives + 1

    # What a person does.

    @precondition(lambda self: self.world.files)
    @rule(data=st.data())
    def cancel_file(self, data: st.DataObject) -> None:
        """`ptmlops cancel FILE`: it may be in no run, in one that collects, or in one that works."""
        self.actors.append(self._file_canceller(data.draw(st.sampled_from(self.world.files))))

    @precondition(lambda self: self.world.states.by_run)
    @rule(data=st.data())
    def cancel_run(self, data: st.DataObject) -> None:
        """`ptmlops cancel RUN`, which stops the execution after the ledger has the cancellation."""
        self.actors.append(self._run_canceller(data.draw(st.sampled_from(sorted(self.world.states.by_run)))))

    @precondition(lambda self: self.world.states.by_run)
    @rule(data=st.data())
    def replay_cancelled(self, data: st.DataObject) -> None:
        """`ptmlops replay RUN` for a cancelled run: a new run takes its files."""
        self.actors.append(self._replayer(data.draw(st.sampled_from(sorted(self.world.states.by_run)))))

    # What must always hold.

    @invariant()
    def no_file_is_in_two_runs(self) -> None:
        if hasattr(self, "world"):
            names = [name for files in self.world.worked.values() for name in files]
            assert len(names) == len(set(names))

    @invariant()
    def no_more_runs_work_than_there_are_slots(self) -> None:
        if hasattr(self, "world"):
            runs_at_work = [one for one in self.world.states.by_run.values() if one.working and one.status == "RUNNING"]
            # A person may redrive as many failed runs as they like: only collecting takes a slot.
            assert sum(one.slot == one.redrives for one in runs_at_work) <= MAX_RUNNING

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self._drain()
            succeeded = [run for run, one in self.world.states.by_run.items() if one.status == "SUCCEEDED"]
            processed = sorted(name for run in succeeded for name in self.world.worked.get(run, []))
            taken_out, of_cancelled_runs = self._cancelled()
            ledger = Ledger(self.dynamodb, "ledger")
            assert CANCELLED not in {run.status for run in map(ledger.run, self.world.worked) if run}
            assert not taken_out & {name for files in self.world.worked.values() for name in files}
            assert processed == sorted({file.name for file in self.world.files} - taken_out - of_cancelled_runs)
        finally:
            for actor in self.actors:
                actor.kill()
            self.aws.stop()

    def _drain(self) -> None:
        """Let everything end: functions, deliveries, windows, and then what `ptmlops reconcile` and `replay` do."""
        for actor in self.actors:
            actor.finish()
        for _ in range(12):
            missing = self._missing()
            if not missing:
                return
            # Cancelled files are delivered again, too: that must not bring them back.
            self._start_run([*self.world.messages, *self.world.files]).finish()
            self.world.now += timedelta(seconds=400)
            for run_id in self._collecting():
                self._collector(run_id).finish()
            for run_id in self._working():
                self._end(run_id, "SUCCEEDED")
            while self.world.ended:
                self._recorder(self.world.ended.pop()).finish()
            for run_id in self._ended_badly():
                run = Ledger(self.dynamodb, "ledger").run(run_id)
                if run and run.status in ("FAILED", "ABORTED"):  # it had started; one that collects is taken over instead
                    execution = self.world.states.by_run[run_id]
                    execution.status, execution.redrives = "RUNNING", execution.redrives + 1
                    execution.working = run_id in self.world.worked  # else it failed in Collect, which is repeated

    def _missing(self) -> list[FileVersion]:
        states = self.world.states.by_run
        done = {name for run, files in self.world.worked.items() if states[run].status == "SUCCEEDED" for name in files}
        done |= set().union(*self._cancelled())
        return [file for file in self.world.files if file.name not in done]

    def _cancelled(self) -> tuple[set[str], set[str]]:
        """Return the files that were cancelled, and those of cancelled runs, as the ledger has them."""
        ledger = OperatorsLedger(self.dynamodb, "ledger")
        taken_out, of_runs = set(), set()
        for file in self.world.files:
            item = ledger.file(_version(file))
            if item and "cancelled_at" in item:
                taken_out.add(file.name)
            elif item and ledger.successors(item["run_id"])[-1][1]["status"] == CANCELLED:
                of_runs.add(file.name)
        return taken_out, of_runs

    # The functions.

    def _start_run(self, messages: list[FileVersion]) -> Actor:
        def work(actor: Actor) -> None:
            ledger = Arrivals(actor.tap(self.dynamodb), "ledger")
            states = actor.tap(self.world.states)
            for run_id in set(join_runs(messages, ledger=ledger, clock=lambda: self.world.now).values()):
                ensure_executes(run_id, ledger=ledger, states=states, state_machine_arn=MACHINE, clock=lambda: self.world.now)

        def delete_messages(_: object) -> None:
            for file in messages:
                if file in self.world.messages:
                    self.world.messages.remove(file)

        return Actor(work, delete_messages)

    def _collector(self, run_id: str) -> Actor:
        redrives = self.world.states.by_run[run_id].redrives

        def work(actor: Actor) -> list[str] | None:
            ledger = Ledger(actor.tap(self.dynamodb), "ledger")
            try:
                answer = collect(
                    run_id,
                    redrives=redrives,
                    ledger=ledger,
                    slots=Slots(ledger=ledger, most=MAX_RUNNING),
                    is_executing=self.world.states.is_executing,
                    window=WINDOW,
                    large_bytes=1000,
                    now=self.world.now,
                )
                files = manifest(ledger, run_id)["files"] if answer["ready"] else None
            except (SupersededError, CancelledError, ExecutionEndedError):
                self._end(run_id, "FAILED", redrives=redrives)
                return None
            return [f"{file['bucket']}/{file['key']}#{file['version_id']}" for file in files] if files is not None else None

        def leave_state(files: object) -> None:
            execution = self.world.states.by_run[run_id]
            if files is None or not self.world.states.is_executing(run_id, redrives):
                return  # nobody waits for the answer any more
            assert isinstance(files, list)
            assert self.world.worked.setdefault(run_id, files) == files, "the manifest of a run changed"
            execution.working, execution.slot = True, redrives

        return Actor(work, leave_state)

    def _recorder(self, event: tuple[str, str, int]) -> Actor:
        run_id, status, redrives = event

        def work(actor: Actor) -> None:
            if actor.tap(self.world.states).describe_execution(executionArn=f"a:{run_id}")["redriveCount"] > redrives:
                return  # as the handler
            ledger = Ledger(actor.tap(self.dynamodb), "ledger")
            record_end(ledger, run_id, status=status, redrives=redrives, finished_at=self.world.now.isoformat())
            Slots(ledger=ledger).release({slot_holder(run_id, count) for count in range(redrives + 1)})

        return Actor(work)

    def _file_canceller(self, file: FileVersion) -> Actor:
        def work(actor: Actor) -> None:
            ledger = OperatorsLedger(actor.tap(self.dynamodb), "ledger")
            try:
                run_id, was_last = ledger.remove_file(_version(file), now=self.world.now)
            except NotCollectingError:
                return
            if was_last and run_id in self.world.states.by_run:
                self._end(run_id, "ABORTED")

        return Actor(work)

    def _run_canceller(self, run_id: str) -> Actor:
        def work(actor: Actor) -> None:
            if OperatorsLedger(actor.tap(self.dynamodb), "ledger").cancel_run(run_id, now=self.world.now):
                self._end(run_id, "ABORTED")

        return Actor(work)

    def _replayer(self, run_id: str) -> Actor:
        self.world.replays += 1
        number = self.world.replays  # as on AWS, where two replays have two run ids

        def work(actor: Actor) -> None:
            ledger = OperatorsLedger(actor.tap(self.dynamodb), "ledger")
            run = ledger.run(run_id)
            if not run or run["status"] != CANCELLED or not ledger.file_count(run):
                return
            by = f"{run_id}-again-{number}"
            if ledger.reopen(run_id, run, by=by, now=self.world.now):
                document = json.dumps({"run_id": by, "schema_version": STATE_VERSION})
                actor.tap(self.world.states).start_execution(stateMachineArn=MACHINE, name=by, input=document)

        return Actor(work)

    def _end(self, run_id: str, status: str, *, redrives: int | None = None) -> None:
        execution = self.world.states.by_run[run_id]
        if execution.status == "RUNNING" and redrives in (None, execution.redrives):
            execution.status = status
            self.world.ended.append((run_id, status, execution.redrives))

    def _forget_ended(self) -> None:
        self.actors = [actor for actor in self.actors if not actor.done]

    def _running(self) -> list[str]:
        return sorted(run for run, one in self.world.states.by_run.items() if one.status == "RUNNING")

    def _collecting(self) -> list[str]:
        return [run for run in self._running() if not self.world.states.by_run[run].working]

    def _working(self) -> list[str]:
        return [run for run in self._running() if self.world.states.by_run[run].working]

    def _ended_badly(self) -> list[str]:
        return sorted(run for run, one in self.world.states.by_run.items() if one.status in ("FAILED", "ABORTED"))


def _version(file: FileVersion) -> ObjectVersion:
    return ObjectVersion(
        bucket=file.bucket,
        key=file.key,
        version_id=file.version_id,
        size=file.size,
        etag=file.etag,
        uploaded_at=datetime(2026, 11, 24, tzinfo=UTC),
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)  # at night
def test_each_file_is_processed_once_in_every_interleaving(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (start_ledger, runs):
        monkeypatch.setattr(module, "MAX_CHUNKS", 3)  # so that full runs occur
    run_state_machine_as_test(
        Collecting,
        settings=settings(
            max_examples=SEQUENCES, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )

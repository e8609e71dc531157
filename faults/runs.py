"""Full runs under faults: jobs that are killed, calls of the state machine that fail, people who stop, data that misleads.

All checks use one deployment. Each starts a run, injects one fault into it, and redrives it if it failed. Then the published rows must be
those of a run without a fault, or the check's own condition must hold (`Check.promise`).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import starmap
from pathlib import Path
from typing import Any

import psutil
import pyarrow.dataset as ds

from faults import situations
from faults.kinds import CUT, LOST, UPLOAD_CUT, error_rules, refusals
from faults.outcome import DIFFERS, REPAIRED, SURVIVED, Outcome
from faults.states import GLUE_JOBS, RULES, STATE_MACHINE
from local_aws import LocalAws
from local_aws.paths import NOTICES
from ptmlops import generator, ledger, registry, runs, uploads
from ptmlops.errors import OperatorError
from ptmlops.target import Target
from ptmlops_contracts.keys import OutputKeys

Harm = Callable[[psutil.Process], None]
WAIT_SECONDS = 600
FIRST_ROWS, SCORED_ROWS, LABELLED_ROWS = 600, 60, 150
# Fields of a prediction that name a time, a run or a file part.
_OF_THE_RUN = {"run_id", "run_date", "source_file", "predicted_at"}
# The call with which each state begins.
_CALLS = {
    "Collect": "lambda:Invoke",
    "Prepare": "glue:StartJobRun",
    "Plan": "lambda:Invoke",
    "Train": "sagemaker:CreateHyperParameterTuningJob",
    "Evaluate": "sagemaker:CreateProcessingJob",
    "Promote": "lambda:Invoke",
    "Score": "sagemaker:CreateTransformJob",
    "Publish": "glue:StartJobRun",
    "Record": "lambda:Invoke",
}
# Several states call the same operation, and a rule of the proxy names operations. So the rule is set when the run is in the state before.
_BEFORE = {"Plan": "Prepare", "Promote": "Evaluate", "Publish": "Score", "Record": "Publish"}
MOMENTS = ("at its start", "in the middle", "at its end")
ATTEMPTS_OF_CLIENT = 3  # of the state machine's clients on local AWS: a fault reaches the state when all of them met it


class NotHeldError(Exception):
    """A promise did not hold; the text says what was observed instead."""


@dataclass
class Bench:
    """One deployment in which a model serves, and the rows that an undisturbed run gives.

    Attributes:
        rows: answers to the file `scored`, sorted, without what names the run.
        labelled_rows: how many rows with labels were uploaded.
    """

    aws: LocalAws
    folder: Path
    target: Target
    scored: Path
    rows: list[str] = field(default_factory=list)
    labelled_rows: int = 0
    _labelled: int = 0

    @classmethod
    def deploy(cls, aws: LocalAws, folder: Path) -> Bench:
        """Train a model that serves, and score a file undisturbed."""
        bench = cls(aws, folder, Target.local(aws, "local"), folder / "scored.csv")
        generator.write_csv(bench.scored, SCORED_ROWS, labelled=False, seed=21)
        first = folder / "first.csv"
        generator.write_csv(first, FIRST_ROWS, seed=22)
        bench.labelled_rows = FIRST_ROWS
        bench.finish(bench.start(first))
        bench.rows = bench.answers(bench.finish(bench.start(bench.scored)))
        return bench

    def labelled(self, rows: int = LABELLED_ROWS, *, change: Callable[[str], str] = str) -> Path:
        """Return a new file with labels, its text changed."""
        self._labelled += 1
        self.labelled_rows += rows
        path = self.folder / f"labelled-{self._labelled}.csv"
        generator.write_csv(path, rows, seed=100 + self._labelled)
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
        return path

    def start(self, path: Path) -> str:
        """Upload a file, and return the run that takes it."""
        return uploads.wait_for_run(self.target, uploads.upload(self.target, path))

    def end(self, run_id: str) -> dict[str, Any]:
        """Wait for the end of a run, and return run.json."""
        for _ in runs.follow(self.target, run_id):
            pass
        return dict(runs.run_document(self.target, run_id))

    def finish(self, run_id: str) -> str:
        """Wait for a run that must succeed."""
        document = self.end(run_id)
        if document["status"] != "SUCCEEDED":
            raise NotHeldError(f"the run ended {document['status']}: {document.get('error')}")
        return run_id

    def answers(self, run_id: str) -> list[str]:
        """Return the published predictions of a run, in the form of `rows`."""
        with tempfile.TemporaryDirectory() as folder:
            copied = runs.copy_output(self.target, Path(folder), run_id=run_id)
            parts = [str(path) for path in copied if path.suffix == ".parquet"]
            found = ds.dataset(parts).to_table().to_pylist() if parts else []
        kept = ({key: value for key, value in row.items() if key not in _OF_THE_RUN} for row in found)
        return sorted(json.dumps(row, default=str, sort_keys=True) for row in kept)

    def require_same_rows(self, run_id: str) -> None:
        """Raise unless a run that scored `scored` gave the rows of the undisturbed one."""
        found = self.answers(run_id)
        if found != self.rows:
            differing = len(set(found) ^ set(self.rows))
            raise NotHeldError(f"{len(found)} rows instead of {len(self.rows)}, {differing} differ")

    def require_reported(self, run_id: str, document: Mapping[str, Any]) -> str:
        """Raise unless run.json, the ledger and a notice report a failure, and readers see no results. Return its message."""
        message = str(document.get("error", {}).get("message", ""))
        if not message or "Traceback" in message:
            raise NotHeldError(f"run.json has no sentence about the failure: {message!r}")
        book, notices = ledger.Ledger.of(self.target), self.aws.folder / NOTICES
        # Record writes run.json first.
        self.wait("the status in the ledger", lambda: (book.run(run_id) or {}).get("status") == document["status"], 30)
        self.wait("a notice that names the run", lambda: run_id in notices.read_text(encoding="utf-8"), 30)
        if document["error"]["state"] != "Record" and (document["published"] or self._marker(run_id)):
            raise NotHeldError("readers see results of a run that failed")
        return message

    @staticmethod
    def wait(what: str, condition: Callable[[], Any], seconds: float = WAIT_SECONDS, *, every: float = 0.25) -> Any:
        """Return what a condition gives, once it gives something. It is asked `every` so many seconds."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise NotHeldError(f"waited {seconds} s for {what}")
            time.sleep(every)
        return found

    @staticmethod
    def require(holds: bool, otherwise: str) -> None:
        """Raise with what was observed unless something holds."""
        if not holds:
            raise NotHeldError(otherwise)

    def _marker(self, run_id: str) -> bool:
        s3 = self.target.client("s3")
        found = s3.list_objects_v2(Bucket=self.target.outputs["OutputBucketName"], Prefix=OutputKeys(run_id).marker)
        return bool(found.get("Contents"))

    def require_no_paid_job(self) -> None:
        """Raise if a job still works."""
        sagemaker, glue, outputs = self.target.client("sagemaker"), self.target.client("glue"), self.target.outputs
        working = [
            job["TrainingJobName"]
            for job in sagemaker.list_training_jobs()["TrainingJobSummaries"]
            if job["TrainingJobStatus"] == "InProgress"
        ]
        working += [
            job["ProcessingJobName"]
            for job in sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
            if job["ProcessingJobStatus"] == "InProgress"
        ]
        working += [
            job["TransformJobName"]
            for job in sagemaker.list_transform_jobs()["TransformJobSummaries"]
            if job["TransformJobStatus"] == "InProgress"
        ]
        for name in (outputs["PrepareJobName"], outputs["PublishJobName"]):
            working += [
                run["Id"]
                for run in glue.get_job_runs(JobName=name)["JobRuns"]
                if run["JobRunState"] in ("RUNNING", "STARTING")
            ]
        if working:
            raise NotHeldError(f"jobs still work: {working}")

    @contextmanager
    def faulty(self, caller: str, rule: Mapping[str, Any]) -> Generator[None]:
        """Let calls of the state machine or of the Glue jobs meet a fault meanwhile (`RULES`, `proxy.Rule`)."""
        path = self.aws.folder / RULES[caller]
        path.with_suffix(".new").write_text(json.dumps(rule), encoding="utf-8")
        path.with_suffix(".new").rename(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    def end_faults(self) -> None:
        """Let no later call meet a fault."""
        for name in RULES.values():
            (self.aws.folder / name).unlink(missing_ok=True)

    def wait_for_state(self, run_id: str, state: str) -> None:
        """Wait until a run has entered a state."""
        # start_run writes the run to the ledger, and then starts its execution.
        missing = self.target.client("stepfunctions").exceptions.ExecutionDoesNotExist

        def entered() -> bool:
            with contextlib.suppress(missing):
                return runs.current_state(self.target, run_id) in (state, f"{state} warm")
            return False

        self.wait(f"state {state}", entered)

    def redrive(self, run_id: str) -> str:
        """Continue a failed run, and wait for its success."""
        self.wait("a redrive", lambda: runs.redrive(self.target, run_id))
        return self.finish(run_id)


@dataclass(frozen=True)
class Check:
    """One fault in a full run. `work` returns the message of the failure, or "" if the run succeeded in spite of the fault."""

    unit: str
    kind: str
    moment: str
    promise: str
    work: Callable[[Bench], str]

    @property
    def name(self) -> str:
        """What identifies it in the results of another run of this program."""
        return f"runs {self.unit} {self.kind} {self.moment}"


SAME_ROWS = "the same rows, at once or after a redrive"
ONE_VERSION = "one version is registered, at once or after a redrive"
STOPPED = "its jobs stop, nothing is published, and a redrive gives the same rows"
SCORING = {"Prepare": "glue", "Score": "sagemaker/transform-job", "Publish": "glue"}
TRAINING = {"Train": "sagemaker/training-job", "Evaluate": "sagemaker/processing-job"}


def scoring_checks() -> list[Check]:
    """Return the checks of runs that score. The model that serves must not change meanwhile, because their rows are compared."""
    return [
        *_harmed_jobs(SCORING, SAME_ROWS, _harm_while_scoring),
        *_failing_calls(("Collect", "Prepare", "Plan", "Score", "Publish", "Record"), SAME_ROWS),
        *_failing_calls_of_jobs(),
        *(Check(state, "stopped by a person", "while it works", STOPPED, partial(_stop, state=state)) for state in SCORING),
        *starmap(Check, situations.around_runs()),
    ]


def training_checks() -> list[Check]:
    """Return the checks of runs that train. Misleading labels come first, because their share depends on what was uploaded before."""
    return [
        *starmap(Check, situations.of_data()),
        *_harmed_jobs(TRAINING, ONE_VERSION, _harm_while_training),
        *_failing_calls((*TRAINING, "Promote"), ONE_VERSION),
    ]


def _harmed_jobs(places: Mapping[str, str], promise: str, work: Callable[..., str]) -> Iterator[Check]:
    harms = [("job killed", moment, _kill) for moment in MOMENTS] + [("disk full", "from its start", _fill_disk)]
    for (state, place), (kind, moment, harm) in itertools.product(places.items(), harms):
        yield Check(state, kind, moment, promise, partial(work, state=state, place=place, moment=moment, harm=harm))


def _failing_calls(states: Sequence[str], promise: str) -> Iterator[Check]:
    for state in states:
        operation = _CALLS[state]
        for kind, rule in error_rules(operation.split(":")[0]):
            if (state, kind) == ("Collect", "access denied"):
                continue  # it is retried for hours, so that files wait and do not fail
            count = 10**6 if kind == "access denied" else ATTEMPTS_OF_CLIENT
            fault = {"rule": rule, "operation": operation, "count": count}
            yield Check(state, kind, operation, promise, partial(_fail_call, state=state, fault=fault))
        lost = {"lose": True, "operation": operation}
        yield Check(state, LOST, operation, promise, partial(_fail_call, state=state, fault=lost))


def _failing_calls_of_jobs() -> Iterator[Check]:
    """Yield the faults of what the Glue jobs read and write. Training and scoring jobs have no network, and call nothing."""
    for state, operation in itertools.product(("Prepare", "Publish"), ("s3:GetObject", "s3:PutObject")):
        faults: dict[str, dict[str, Any]] = {kind: {"rule": rule} for kind, rule in refusals("s3")}
        if operation == "s3:GetObject":
            faults[CUT] = {"rule": {"response": {"abort_frac": 0.5}}}
        else:
            faults[UPLOAD_CUT] = {"rule": {"request": {"cut_upload": {"after_frac": 0.5}}}}
            faults[LOST] = {"lose": True}
        for kind, fault in faults.items():
            count = 10**6 if kind == "access denied" else 1
            rule = {"operation": operation, "count": count, **fault}
            yield Check(state, kind, operation, SAME_ROWS, partial(_fail_call_of_job, state=state, fault=rule))


def try_check(bench: Bench, check: Check) -> Outcome:
    """Make one thing go wrong, and return what became of it."""
    result, error, why = SURVIVED, "", ""
    try:
        error = check.work(bench)
        result = REPAIRED if error else SURVIVED
    except (NotHeldError, OperatorError) as observed:
        result, why = DIFFERS, str(observed)
    finally:
        bench.end_faults()
    return Outcome(
        name=check.name, part="runs", unit=check.unit, situation=check.promise, operation=check.moment, kind=check.kind, times="once",
        result=result, error=error, why=why,
    )  # fmt: skip


def _harm_while_scoring(bench: Bench, *, state: str, place: str, moment: str, harm: Harm) -> str:
    run_id = bench.start(bench.scored)
    bench.wait_for_state(run_id, state)
    _harm_job(bench, state, place, moment, harm)
    return _end_with_same_rows(bench, run_id)


def _harm_while_training(bench: Bench, *, state: str, place: str, moment: str, harm: Harm) -> str:
    run_id = bench.start(bench.labelled())
    bench.wait_for_state(run_id, state)
    _harm_job(bench, state, place, moment, harm)
    return _end_with_one_version(bench, run_id)


def _end_with_same_rows(bench: Bench, run_id: str) -> str:
    error = _end_or_redrive(bench, run_id)
    bench.require_same_rows(run_id)
    return error


def _end_with_one_version(bench: Bench, run_id: str) -> str:
    error = _end_or_redrive(bench, run_id)
    made = [version for version in registry.versions(bench.target) if version["run_id"] == run_id]
    if len(made) != 1:
        raise NotHeldError(f"{len(made)} versions were registered")
    return error


def _end_or_redrive(bench: Bench, run_id: str) -> str:
    """Wait for the end of a run. If it failed, check that this is reported, and redrive it without the fault. Return its message."""
    document = bench.end(run_id)
    if document["status"] == "SUCCEEDED":
        return ""
    error = bench.require_reported(run_id, document)
    bench.require_no_paid_job()
    bench.end_faults()
    bench.redrive(run_id)
    return error


def _harm_job(bench: Bench, state: str, place: str, moment: str, harm: Harm) -> None:
    """Harm the job's processes when it starts, after about half of its usual time, or near its end."""
    process = bench.wait(f"a process of {state}", lambda: _process_in(bench.aws.folder / place), every=0.05)
    began = time.monotonic()
    if moment == "in the middle":
        time.sleep(_usual_seconds(bench, state) / 2)
    elif moment == "at its end":
        usual = _usual_seconds(bench, state)
        while time.monotonic() - began < usual * 0.9 and process.is_running():
            time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
        harm(process)


def _kill(process: psutil.Process) -> None:
    os.killpg(process.pid, signal.SIGKILL)


def _fill_disk(process: psutil.Process) -> None:
    """Let no file grow any more: as on a full disk, a write is an error. The job's log is a pipe."""
    for one in (process, *process.children(recursive=True)):
        one.rlimit(psutil.RLIMIT_FSIZE, (0, 0))


def _usual_seconds(bench: Bench, state: str) -> float:
    """Return how long the state took in the newest run that succeeded and had it."""
    for name in sorted((run["name"] for run in runs.list_runs(bench.target) if run["status"] == "SUCCEEDED"), reverse=True):
        seconds = runs.run_document(bench.target, name)["states"]
        if found := seconds.get(state) or seconds.get(f"{state} warm"):
            return float(found)
    return 4.0


def _process_in(folder: Path) -> psutil.Process | None:
    """Return the leader of a process group that works in a folder."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if Path(process.cwd()).is_relative_to(folder) and os.getpgid(process.pid) == process.pid:
                return process
    return None


def _fail_call(bench: Bench, *, state: str, fault: Mapping[str, Any]) -> str:
    trains = state in (*TRAINING, "Promote")
    finish, path = (_end_with_one_version, bench.labelled()) if trains else (_end_with_same_rows, bench.scored)
    if state not in _BEFORE:
        with bench.faulty(STATE_MACHINE, fault):
            return finish(bench, bench.start(path))
    run_id = bench.start(path)
    bench.wait_for_state(run_id, _BEFORE[state])
    with bench.faulty(STATE_MACHINE, fault):
        return finish(bench, run_id)


def _fail_call_of_job(bench: Bench, *, state: str, fault: Mapping[str, Any]) -> str:
    run_id = bench.start(bench.scored)
    bench.wait_for_state(run_id, state)
    with bench.faulty(GLUE_JOBS, fault):
        return _end_with_same_rows(bench, run_id)


def _stop(bench: Bench, *, state: str) -> str:
    run_id = bench.start(bench.scored)
    bench.wait_for_state(run_id, state)
    arn = runs.execution_arn(bench.target, run_id)
    bench.target.client("stepfunctions").stop_execution(executionArn=arn, error="Stopped", cause="a person stopped it")
    document = bench.end(run_id)
    if document["status"] != "ABORTED":
        raise NotHeldError(f"the run ended {document['status']}")
    bench.wait("the end of jobs", lambda: _stopped(bench), seconds=60)
    message = bench.require_reported(run_id, document)
    bench.redrive(run_id)
    bench.require_same_rows(run_id)
    return message


def _stopped(bench: Bench) -> bool:
    with contextlib.suppress(NotHeldError):
        bench.require_no_paid_job()
        return True
    return False

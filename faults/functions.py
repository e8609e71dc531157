"""Each AWS call of each function meets each kind of fault, in the world as it was when the function was called.

What must hold, for each fault: the function gives the same answer and the same effects as undisturbed; or it fails with an error that says
why, and called again without the fault, as a redrive or a queue does, it gives the same answer and the same effects.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.frozen import FREEZE, FROZEN
from faults.kinds import Fault, faults_of
from faults.outcome import DIFFERS, REPAIRED, SURVIVED, Outcome
from local_aws import LocalAws
from ptmlops import generator, runs, uploads
from ptmlops.target import Target

ANSWER_SECONDS = 900  # of two calls that wait and repeat as long as they may
AT_ONCE = 6  # calls wait most of the time
Call = dict[str, Any]


@dataclass(frozen=True)
class Frozen:
    """A function, frozen just before it was called.

    Attributes:
        unit: the function's name.
        situation: what happened when it was called.
        socket: where it takes requests.
    """

    unit: str
    situation: str
    socket: Path

    def call(self, *requests: Mapping[str, Any], until_success: bool = False) -> list[Call]:
        """Call the function once per request, each with a fault or without, or until it succeeds. Return what happened."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(self.socket))
            connection.sendall(json.dumps({"calls": requests, "until_success": until_success}).encode() + b"\n")
            answer = json.loads(connection.makefile().readline())
        if "defect" in answer:
            raise RuntimeError(f"{self.socket.name}: {answer['defect']}")
        calls: list[Call] = answer["calls"]
        return calls


@contextmanager
def freezing(aws: LocalAws, situation: str, frozen: list[Frozen]) -> Generator[None]:
    """Freeze the functions that are called in the meantime, and add them to `frozen`."""
    (aws.folder / FREEZE).touch()
    before = {one.socket for one in frozen}
    try:
        yield
    finally:
        (aws.folder / FREEZE).unlink()
    for path in sorted((aws.folder / FROZEN).glob("*.sock")):
        if path not in before:
            frozen.append(Frozen(path.stem.split("-", 1)[1], situation, path))


def freeze_situations(aws: LocalAws, folder: Path) -> list[Frozen]:
    """Let four runs happen, and return the functions that they called."""
    target, frozen = Target.local(aws, "local"), list[Frozen]()

    def upload(situation: str, name: str, **options: Any) -> None:
        path = folder / name
        generator.write_csv(path, **options)
        with freezing(aws, situation, frozen):
            follow(target, path)

    upload("first labelled upload", "first.csv", rows=600, seed=11)
    upload("unlabelled upload, a model serves", "unlabelled.csv", rows=60, labelled=False, seed=12)
    upload("labelled upload, a model serves", "more.csv", rows=200, seed=13)
    refused = folder / "refused.csv"
    refused.write_text("a,b\n1,2\n", encoding="utf-8")
    with freezing(aws, "upload without a column of texts", frozen):
        follow(target, refused)
    return frozen


def follow(target: Target, path: Path) -> tuple[str, dict[str, Any]]:
    """Upload a file, follow its run to the end, and return its id and run.json."""
    run_id = uploads.wait_for_run(target, uploads.upload(target, path))
    for _ in runs.follow(target, run_id):
        pass
    return run_id, dict(runs.run_document(target, run_id))


def try_all(functions: Iterable[Frozen], known: Mapping[str, Outcome]) -> Iterator[Outcome]:
    """Yield the outcome of each fault of each function that is not known yet, as they come.

    A function that makes the same calls in two situations meets their faults in the first.
    """
    tried = set()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        pending = []
        for function in functions:
            undisturbed = undisturbed_call(function)
            calls = (function.unit, undisturbed["error"], *undisturbed["requests"])
            if calls in tried:
                continue
            tried.add(calls)
            for fault in faults_of(undisturbed["requests"]):
                if name_of(function, fault) not in known:
                    pending.append(pool.submit(try_fault, function, fault, undisturbed))
        for done in as_completed(pending):
            if outcome := done.result():
                yield outcome


def try_faults(function: Frozen, faults: Iterable[Fault], undisturbed: Call) -> list[Outcome]:
    """Return the outcomes of some faults of one function."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [found for found in pool.map(lambda fault: try_fault(function, fault, undisturbed), faults) if found]


def undisturbed_call(function: Frozen) -> Call:
    """Return what the function does undisturbed.

    Raises:
        RuntimeError: two undisturbed calls differ, so a fault's effect could not be told.
    """
    [first], [second, _] = function.call({}), function.call({}, {})
    for part in ("error", "payload", "effects", "requests"):
        if first[part] != second[part]:
            raise RuntimeError(f"{function.socket.name}: undisturbed calls differ in {part}: {first[part]} {second[part]}")
    return first


def try_fault(function: Frozen, fault: Fault, undisturbed: Call) -> Outcome | None:
    """Call the function with the fault, and once more without. Return None if no call met the fault."""
    disturbed, *repeated = function.call(fault.request(), {}, until_success=True)
    if not disturbed["fired"]:
        return None
    # A function may fail undisturbed, too, for instance Plan without a model: only another failure is the fault's.
    as_undisturbed = all(disturbed[part] == undisturbed[part] for part in ("error", "payload"))
    error = "" if as_undisturbed or not disturbed["error"] else str(disturbed["payload"].get("errorMessage"))
    if not error:
        # An answer that is taken for success is the last one: nobody repeats the call.
        result, why = (SURVIVED, "") if _same(disturbed, undisturbed) else (DIFFERS, _difference(disturbed, undisturbed))
    else:
        last = repeated[-1] if repeated else disturbed
        result, why = (REPAIRED, "") if _same(last, undisturbed) else (DIFFERS, _difference(last, undisturbed))
    return Outcome(
        name=name_of(function, fault), part="functions", unit=function.unit, situation=function.situation,
        operation=fault.operation, kind=fault.kind, times=fault.times, result=result, error=error, why=why,
    )  # fmt: skip


def name_of(function: Frozen, fault: Fault) -> str:
    """Return what identifies a fault in the results of another run of this program."""
    number = function.socket.stem.split("-")[0]
    return f"{number} {function.unit} {fault.rule.call} {fault.operation} {fault.kind} {fault.times}"


def _same(one: Call, other: Call) -> bool:
    return all(one[part] == other[part] for part in ("error", "payload", "effects"))


def _difference(one: Call, other: Call) -> str:
    if one["error"] != other["error"] or one["payload"] != other["payload"]:
        return f"answers {json.dumps(one['payload'])[:400]} instead of {json.dumps(other['payload'])[:400]}"
    names = {name for name, _ in set(one["effects"].items()) ^ set(other["effects"].items())}
    return f"other effects: {', '.join(sorted(names))}"

"""A selection of the matrix of `make faults`: functions in a world that a real run left, with faults in their calls.

The file's name puts it after the tests that make models and count runs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from faults import functions
from faults.kinds import ALWAYS, CLOCKS, KINDS, Fault, faults_of
from faults.outcome import DIFFERS, REPAIRED, SURVIVED
from local_aws import LocalAws
from ptmlops import generator
from ptmlops.target import Target

pytestmark = pytest.mark.slow
MOST = 30


@pytest.fixture(scope="module")
def frozen(local_aws: LocalAws, target: Target, made: Path) -> list[functions.Frozen]:
    """The functions that a run called, each as it was just before its call."""
    path, found = made / "faults.csv", list[functions.Frozen]()
    generator.write_csv(path, 12, labelled=False, seed=91)
    with functions.freezing(local_aws, "an upload", found):
        functions.follow(target, path)
    return found


def test_a_repeated_call_changes_nothing(frozen: list[functions.Frozen]) -> None:
    assert {one.unit for one in frozen} >= {"start_run", "collect_run", "plan_run", "record_run"}
    for function in frozen:
        functions.undisturbed_call(function)  # raises if effects or answers differ


def test_faults_in_calls_change_no_result(frozen: list[functions.Frozen]) -> None:
    """Each kind of fault, at calls spread over all functions."""
    outcomes, missing = [], set(KINDS)
    for number, function in enumerate(frozen):
        undisturbed = functions.undisturbed_call(function)
        # A fault that lasts is waited for as long as the client repeats the call: `make faults` does that.
        found = [fault for fault in faults_of(undisturbed["requests"]) if fault.times != ALWAYS]
        chosen = found[number :: max(1, len(frozen) * len(found) // MOST)] + [fault for fault in found if fault.kind in CLOCKS]
        # How often functions are called differs from run to run, and so does the sample.
        unseen = {fault.kind: fault for fault in found if fault.kind in missing - {one.kind for one in chosen}}
        chosen += unseen.values()
        missing -= {fault.kind for fault in chosen}
        outcomes += functions.try_faults(function, chosen, undisturbed)

    assert [(one.name, one.why) for one in outcomes if one.result == DIFFERS] == []
    counts = Counter(one.result for one in outcomes)
    assert counts[SURVIVED] > 10
    assert counts[REPAIRED] > 10
    assert all(one.error for one in outcomes if one.result == REPAIRED)
    assert {one.kind for one in outcomes} == set(KINDS)


def test_a_fault_that_no_call_meets_is_not_counted(frozen: list[functions.Frozen]) -> None:
    undisturbed = functions.undisturbed_call(frozen[0])
    [fault, *_] = faults_of(undisturbed["requests"])
    never = Fault(fault.kind, fault.times, fault.operation, replace(fault.rule, call=999))
    assert functions.try_fault(frozen[0], never, undisturbed) is None


def test_other_effects_are_noticed(frozen: list[functions.Frozen]) -> None:
    """Without it, a matrix that compares nothing would be green."""
    function = next(one for one in frozen if one.unit == "collect_run" and undisturbed_effects(one))
    undisturbed = functions.undisturbed_call(function)
    [fault, *_] = faults_of(undisturbed["requests"])
    name = next(iter(undisturbed["effects"]))
    other = {**undisturbed, "effects": {**undisturbed["effects"], name: "another digest"}}
    outcome = functions.try_fault(function, fault, other)
    assert outcome
    assert (outcome.result, name in outcome.why) == (DIFFERS, True)


def undisturbed_effects(function: functions.Frozen) -> dict[str, str]:
    effects: dict[str, str] = functions.undisturbed_call(function)["effects"]
    return effects

"""Each command of the command line was seen to succeed, and to fail with a message, by the other end-to-end tests.

The file's name puts it behind them. Alone it fails, because nothing has been called.
"""

from __future__ import annotations

import os

from tests.e2e.commands import CALLS, NAMES

# What needs a local AWS of its own, with minutes of work, is called at night (test_own_aws.py).
AT_NIGHT = {"up", "down", "demo", "run", "empty"}
# A call that no end-to-end test makes, with the test that makes it instead.
ELSEWHERE = {
    ("adopt", True): "tests/unit/local_aws/test_adoption.py destroys a storage stack of its own and adopts what it left",
    ("try", True): "test_try.py, which needs no deployment and runs beside the other tests",
}


def test_each_command_succeeded_and_failed() -> None:
    expected = {(name, succeeded) for name in NAMES for succeeded in (True, False)} - ELSEWHERE.keys()
    if not os.environ.get("PTMLOPS_NIGHTLY"):
        expected -= {(name, True) for name in AT_NIGHT}
    assert sorted(expected - CALLS) == [], "no test calls it with this outcome"
    assert sorted(ELSEWHERE.keys() & CALLS) == [], "it is called here"

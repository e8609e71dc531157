"""The first upload of a new environment: labelled and unlabelled files together end in predictions.

In `make nightly` only, on a local AWS of its own: it must have no model.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.load.burst import upload_together
from local_aws import LocalAws
from ptmlops import generator
from ptmlops.target import Target

LABELLED, UNLABELLED = 900, 80


def test_files_with_and_without_labels_are_one_run_that_trains_and_classifies(tmp_path: Path) -> None:
    files = {}
    for name, rows, labelled in (("labelled.csv", LABELLED, True), ("unlabelled.csv", UNLABELLED, False)):
        generator.write_csv(tmp_path / name, rows, labelled=labelled, seed=rows)
        files[name] = (tmp_path / name).read_bytes()
    with LocalAws.start(tmp_path / "aws") as aws:
        aws.deploy()
        burst = upload_together(Target.local(aws, "local"), files, rows=LABELLED + UNLABELLED, limit_seconds=600)

    assert (burst.runs, burst.failed_runs, burst.files_per_run) == (1, 0, [2])
    assert burst.rows_read == LABELLED + UNLABELLED
    assert burst.rows_scored >= 0.9 * UNLABELLED

"""Files uploaded at once become a few runs, none of which fails, and every file and row is accounted for.

40 files in `make test`, 600 in `make nightly`, 10,000 in `python -m benchmarks.load`.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.load.burst import upload_together
from ptmlops import generator, registry
from ptmlops.target import Target

FILES, ROWS = 600 if os.environ.get("PTMLOPS_NIGHTLY") else 40, 2


def test_files_uploaded_at_once_are_a_few_runs_and_none_fails(target: Target, made: Path) -> None:
    path, files = made / "one.csv", {}
    for number in range(FILES):
        generator.write_csv(path, ROWS, labelled=False, seed=number)
        files[f"burst/{number:03}.csv"] = path.read_bytes()
    rows = FILES * ROWS
    if not any(
        version["serves"] for version in registry.versions(target)
    ):  # this module runs alone: the files are classified by a model that they train
        generator.write_csv(path, 900, seed=7)
        files["burst/labelled.csv"] = path.read_bytes()
        rows += 900

    burst = upload_together(target, files, rows=rows, limit_seconds=600)

    assert burst.failed_runs == 0
    assert burst.runs <= 4
    assert sum(burst.files_per_run) == len(files)
    assert burst.rows_read == rows == burst.rows_accepted + burst.rows_rejected + burst.rows_duplicate
    assert burst.rows_scored >= 0.9 * FILES * ROWS

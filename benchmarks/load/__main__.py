"""Upload thousands of files at once to local AWS, and then one large file.

    python -m benchmarks.load [--files 10000] [--rows 100] [--large-rows 1000000] [--json FILE]

A labelled file is uploaded first, so that a model serves. Then `--files` files of `--rows` generated complaints each are uploaded
through the real trigger path: S3's events, the queue, start_run, Collect. Every file must be claimed by one run and listed in its
manifest, and every row must be accounted for. At last one file of `--large-rows` rows; 0 leaves a part out.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.load.burst import upload_together
from benchmarks.measurement import write_measurement
from local_aws import LocalAws
from ptmlops import generator
from ptmlops.target import Target

LABELLED_ROWS = 2000


def main() -> None:
    """Deploy, train, upload, and print the counts and rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--large-rows", type=int, default=1_000_000)
    parser.add_argument("--limit", type=float, default=4 * 3600, help="seconds to wait for each part")
    parser.add_argument("--json", type=Path, help="also write the result here")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, LocalAws.start(Path(folder, "aws")) as aws:
        aws.deploy()
        target, make = Target.local(aws, "local"), _writer(Path(folder, "complaints.csv"))
        labelled = make(LABELLED_ROWS, True)
        upload_together(target, {"labelled.csv": labelled}, rows=LABELLED_ROWS, limit_seconds=options.limit)
        if options.files:
            files = {f"burst/{number:05}.csv": make(options.rows, False) for number in range(options.files)}
            burst = upload_together(target, files, rows=options.files * options.rows, limit_seconds=options.limit)
            result["burst"] = burst.summary()
            print(json.dumps(result["burst"], indent=1), flush=True)
        if options.large_rows:
            large = {"large.csv": make(options.large_rows, False)}
            one = upload_together(target, large, rows=options.large_rows, limit_seconds=options.limit)
            result["large"] = one.summary()
            print(json.dumps(result["large"], indent=1), flush=True)
    if options.json:
        write_measurement(options.json, result)


def _writer(path: Path) -> Callable[[int, bool], bytes]:
    """Return a function that generates a CSV file with the given number of rows. Each call uses another seed."""
    seed = 0

    def make(rows: int, labelled: bool) -> bytes:
        nonlocal seed
        seed += 1
        generator.write_csv(path, rows, labelled=labelled, seed=seed)
        return path.read_bytes()

    return make


if __name__ == "__main__":
    main()

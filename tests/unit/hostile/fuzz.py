"""Fuzz a target with inputs that atheris (libFuzzer) derives from the kept ones, guided by the code that they reach.

    python tests/unit/hostile/fuzz.py readers -runs=2000           # as `make nightly`
    python tests/unit/hostile/fuzz.py readers -max_total_time=600  # options are libFuzzer's
    python tests/unit/hostile/fuzz.py readers --keep FOLDER        # copy what a run found into corpus/, which the fast tests replay

An input that breaks a target is written into the folder that the first line names. Mend the fault, and move the input to corpus/.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CORPUS = HERE / "corpus"
LONGEST = 10.0  # seconds of processor time that an input may take, in code that is instrumented
# What an input may take at most: seconds, on a machine that does other things too, megabytes and bytes.
LIMITS = ("-timeout=300", "-rss_limit_mb=2048", "-max_len=32768", "-use_value_profile=1", "-print_final_stats=1")
MOST_KEPT, MOST_KEPT_BYTES = 60, 100_000  # per target


def fuzz(target: str, *options: str) -> None:
    """Run libFuzzer, which ends the process."""
    import atheris

    sys.path[:0] = [str(HERE), str(ROOT), *(str(ROOT / name) for name in ("glue_jobs", "training"))]
    with atheris.instrument_imports(
        include=["complaints_etl", "complaint_model", "tarfile", "zipfile", "csv", "numpy.lib.format"]
    ):
        from targets import TARGETS
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{target}-"))
    found = folder / "found"
    found.mkdir()
    sys.stdout.write(f"Inputs that reach new code: {found}. Inputs that break the target: {folder}\n")

    def within_time(data: bytes) -> None:
        started = time.thread_time()
        TARGETS[target](data)
        if time.thread_time() - started > LONGEST:
            raise TimeoutError(f"the input takes more than {LONGEST} seconds")

    folders = [f"-artifact_prefix={folder}/", str(found), str(CORPUS / target)]
    atheris.Setup([sys.argv[0], *LIMITS, *options, *folders], within_time)
    atheris.Fuzz()


def keep(target: str, found: str) -> None:
    """Copy the smallest inputs that reached new code into the corpus."""
    folder = CORPUS / target
    room = MOST_KEPT_BYTES - sum(path.stat().st_size for path in folder.iterdir())
    for path in sorted(Path(found).iterdir(), key=lambda path: path.stat().st_size):
        room -= path.stat().st_size
        if room < 0 or len(list(folder.iterdir())) >= MOST_KEPT:
            return
        shutil.copyfile(path, folder / path.name[:16])


if __name__ == "__main__":
    (keep if "--keep" in sys.argv else fuzz)(*(argument for argument in sys.argv[1:] if argument != "--keep"))

"""Keep Spark's classes as Java has them in memory, for every later start on this machine (local_aws/java.py): `make install` does it.

    python -m ptmlops.class_archive

Java writes the archive at the end of a run that used them: a few made-up complaints are prepared as `ptmlops try` does it. Where
that fails, everything works as before, some seconds later.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from local_aws import ROOT, java
from ptmlops import generator
from stacks.config import load_settings

ROWS = 200


def main() -> None:
    """Write the archive anew, or say why there is none."""
    java.ARCHIVE.parent.mkdir(parents=True, exist_ok=True)
    java.ARCHIVE.unlink(missing_ok=True)
    # Java ends in the middle of things where an archive was cut off: it has its name only once it is whole.
    with tempfile.TemporaryDirectory(prefix="making-", dir=java.ARCHIVE.parent) as folder:
        archive = Path(folder, "classes.jsa")
        complaints, request = Path(folder, "complaints.csv"), Path(folder, "request.json")
        generator.write_csv(complaints, ROWS)
        files = [{"name": name, "path": str(complaints), "labelled": name == "labelled"} for name in ("labelled", "score")]
        settings = json.loads(load_settings("local").job_settings())
        settings["complaints"]["max_reject_share"] = 1.0
        request.write_text(json.dumps({"folder": folder, "settings": settings, "files": files, "java": ""}), encoding="utf-8")
        # Here Java starts Python, not the other way round, so that its end can be awaited.
        command = [str(Path(sys.executable).with_name("spark-submit")), "--conf", "spark.driver.memory=2g", "--conf"]
        command += [
            f"spark.driver.extraJavaOptions={java.options(record=archive)}",
            f"{ROOT}/ptmlops/trial_spark.py",
            str(request),
        ]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
        environment |= {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "glue_jobs"))), "PYSPARK_PYTHON": sys.executable}
        environment |= {"SPARK_LOCAL_IP": "127.0.0.1", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        if not done.returncode and archive.is_file():
            archive.replace(java.ARCHIVE)
            return
        reason = (done.stderr.strip().splitlines() or ["Java wrote none"])[-1]
        print(f"Spark starts without an archive of its classes, which takes seconds longer: {reason}", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()

"""How Java is started for Spark on one machine, where most runs are short.

Code that is compiled better and plans that change under way earn nothing there, and a quarter of a short run is Java reading Spark's
classes. `python -m ptmlops.class_archive` keeps them as Java has them in memory (class data sharing: JEP 350) for every later start.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from local_aws import ROOT

ARCHIVE = ROOT / "build" / "spark" / "classes.jsa"
_SHORT_RUNS = "-XX:TieredStopAtLevel=1 -XX:+UseParallelGC"
# An archive of another Java, of other libraries or of another folder is not taken, and nobody need hear of it.
_QUIET = "-Xlog:cds=off -Xlog:cds+dynamic=off -Xlog:class+path=off"


def options(*, record: Path | None = None) -> str:
    """Spark's `spark.driver.extraJavaOptions`; with `record`, such that Java writes an archive there when it ends."""
    if record:
        return f"{_SHORT_RUNS} {_QUIET} -XX:ArchiveClassesAtExit={shlex.quote(str(record))}"
    return f"{_SHORT_RUNS} {_QUIET} -XX:SharedArchiveFile={shlex.quote(str(ARCHIVE))}" if ARCHIVE.is_file() else _SHORT_RUNS

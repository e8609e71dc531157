"""A process that keeps one Spark running, for job runs that take turns on it.

    python -m local_aws.services.glue.spark_host ANSWERS

Commands come as lines on standard input, answers go as JSON lines to the file descriptor ANSWERS; standard output and error carry what
Java logs. `lend` makes a session and a connection for one run; `restore` removes what the run left and checks that nothing remains.

| left by a run | removed by |
|---|---|
| temporary views, SQL settings, UDFs | a new session for each run |
| Java objects that Python refers to | a Py4J server for each run, shut down after it |
| cached tables and RDDs, running Spark jobs | `_drop_caches`, `cancelAllJobs` |
| Hadoop settings, open file systems | a copy of those at the start, `FileSystem.closeAll` |
| Python workers | `PythonWorkerFactory.stop` |
| anything else: Spark settings, tables, added files, system properties, log level, memory | not removed: the host reports it, and is replaced |
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, cast

from pyspark.sql import SparkSession

# A session that keeps more than this after a garbage collection has kept something of an earlier run.
MAX_HEAP_BYTES = 400 * 1024 * 1024
CANCEL_SECONDS = 5


class SparkHost:
    """The running Spark, and how it was before the first run."""

    def __init__(self) -> None:
        self._spark = SparkSession.builder.getOrCreate()
        self._context = self._spark.sparkContext
        self._context.setLogLevel("WARN")
        self._java = cast("Any", self._context._jvm)
        self._scala: Any = self._context._jsc.sc()  # type: ignore[union-attr]
        self._connection: Any = None
        hadoop = self._scala.hadoopConfiguration()
        self._hadoop = self._java.org.apache.hadoop.conf.Configuration(hadoop)
        self._clean_state: dict[str, str] = {}
        self.restore()
        self._clean_state = self._state()

    def lend(self) -> dict[str, Any]:
        """Make what one run needs.

        Returns:
            Port and secret of a Py4J server in the Java process.
        """
        sessions = self._java.org.apache.spark.sql.SparkSession
        sessions.clearActiveSession()
        sessions.setDefaultSession(self._spark._jsparkSession.newSession())  # type: ignore[union-attr]
        self._connection = self._java.org.apache.spark.api.python.Py4JServer(self._scala.conf())
        self._connection.start()
        return {"port": self._connection.getListeningPort(), "secret": self._connection.secret()}

    def restore(self) -> dict[str, Any]:
        """Remove what the run left.

        Returns:
            `left`: what could not be removed, by name. Empty if the next run can use this Spark.
        """
        self._context.cancelAllJobs()
        deadline = time.monotonic() + CANCEL_SECONDS
        while self._context.statusTracker().getActiveJobsIds() and time.monotonic() < deadline:
            time.sleep(0.05)
        if self._connection is not None:
            self._connection.shutdown()
            self._connection = None
        self._drop_caches()
        self._stop_python_workers()
        configuration = self._java.org.apache.hadoop.conf.Configuration
        _private_field(self._scala, "_hadoopConfiguration").set(self._scala, configuration(self._hadoop))
        self._java.org.apache.hadoop.fs.FileSystem.closeAll()
        self._java.System.gc()
        now = self._state()
        return {"left": {name: value for name, value in now.items() if self._clean_state and value != self._clean_state[name]}}

    def _drop_caches(self) -> None:
        shared = self._spark._jsparkSession.sharedState()  # type: ignore[union-attr]
        shared.cacheManager().clearCache()
        shared.globalTempViewManager().clear()
        for persistent in self._context._jsc.getPersistentRDDs().values():  # type: ignore[union-attr]
            persistent.unpersist(True)

    def _stop_python_workers(self) -> None:
        """Stop the factories of Python workers: Spark keeps one for each environment that it has seen."""
        environment = self._java.org.apache.spark.SparkEnv.get()
        factories = _private_field(environment, "pythonWorkers").get(environment)
        for factory in self._java.scala.collection.JavaConverters.mapAsJavaMapConverter(factories).asJava().values():
            factory.stop()
        factories.clear()

    def _state(self) -> dict[str, str]:
        """Describe what runs share and `restore` does not reset, each as text that can be compared."""
        catalog = self._spark._jsparkSession.sharedState().externalCatalog()  # type: ignore[union-attr]
        runtime = self._java.Runtime.getRuntime()
        properties = self._java.System.getProperties()
        return {
            "a running job": str(len(self._context.statusTracker().getActiveJobsIds())),
            "Spark settings": str(sorted(self._context._conf.getAll())),
            "databases": str(catalog.listDatabases()),
            "tables": str(catalog.listTables("default")),
            "functions": str(catalog.listFunctions("default", "*")),
            "added files": f"{self._scala.listFiles()} {self._scala.listJars()}",
            "a checkpoint folder": str(self._scala.getCheckpointDir()),
            "system properties": str(sorted(f"{name}={properties[name]}" for name in properties)),
            "the log level": str(self._java.org.apache.logging.log4j.LogManager.getRootLogger().getLevel()),
            "memory": "free" if runtime.totalMemory() - runtime.freeMemory() < MAX_HEAP_BYTES else "full",
            "a stopped context": str(self._scala.isStopped()),
        }


def _private_field(instance: Any, name: str) -> Any:
    """Return a java.lang.reflect.Field that can be read and set."""
    field = instance.getClass().getDeclaredField(name)
    field.setAccessible(True)
    return field


def main() -> None:
    """Answer commands until standard input ends."""
    os.environ.pop("PYTHONPATH", None)  # Spark would hand it to the Python workers of jobs, which must not see the repository
    with os.fdopen(int(sys.argv[1]), "w", buffering=1, encoding="utf-8") as answers:
        host = SparkHost()
        print(json.dumps({"ready": True}), file=answers)
        for line in sys.stdin:
            command = {"lend": host.lend, "restore": host.restore}[line.strip()]
            print(json.dumps(command()), file=answers)


if __name__ == "__main__":
    main()

"""Java options for Spark on one machine, where jobs are short."""

# A better compiler costs short jobs more than it gains. Classes come from the pinned PySpark package, so that Java need not verify them,
# which would take a sixth of a first run.
SHORT_JOBS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"

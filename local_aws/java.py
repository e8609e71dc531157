"""Java options for Spark on one machine, where jobs are short."""

# A better compiler and a parallel collector cost short jobs more than they gain.
SHORT_JOBS = "-XX:TieredStopAtLevel=1 -XX:+UseParallelGC"

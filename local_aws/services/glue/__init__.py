"""AWS Glue with real compute: job runs execute the packaged PySpark script with the job's role and its `s3://` addresses.

| module | |
|---|---|
| service | answers StartJobRun, GetJobRun, GetJobRuns and BatchStopJobRun |
| runs | one job run, from its arguments to its final state |
| spark_pool | the Sparks that wait for runs |
| spark_host | the process that keeps one Spark running |
| driver | the process that runs the script of one run |
| s3_gateway, s3_files | the S3 file system of a run |
"""

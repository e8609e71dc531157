"""Names that several units share: run ids, S3 keys, documents and their versions, reason codes, file endings.

Infrastructure, functions, jobs and the command line import them from here, so a name is written once. Every unit's archive
contains this package at its root. It therefore has no dependencies, and imports on every Python that a runtime uses (3.9 and
later).

| module | names |
|---|---|
| `run_ids` | the form of a run id, its date |
| `keys` | every key in the prepared, models and output buckets |
| `state` | the document that grows through the state machine, and its champion entry |
| `ledger` | keys and items of the ledger table; a run's manifest |
| `report` | report.json of Prepare: reason codes, flags, splits |
| `evaluation` | evaluation.json of Evaluate: length buckets, level of the recall test |
| `run` | published.json of Publish, run.json of Record, statuses |
| `files` | file endings and separators |
| `metrics` | what functions emit, and alarms and the dashboard read |
| `job_log` | the log lines of jobs |
"""

"""AWS Step Functions: moto's interpreter, with jobs that it waits for, the state machine's role, status events and redrive.

| module | |
|---|---|
| service | extends moto's interpreter, and adds RedriveExecution |
| integrations | how a state starts, watches and stops each kind of job |
| job_task | a state that waits for a job |
| redrive | continues an execution from the state that failed |
"""

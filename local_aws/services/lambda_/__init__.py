"""AWS Lambda with real compute: a function's packaged handler runs in a process of its own, with its variables and its role.

| module | |
|---|---|
| service | answers the Lambda API, and owns the functions' processes and pollers |
| runner | one invocation, from the event to the logged report |
| runtime_api | what AWS's runtime client asks the service for |
| queues | reads SQS queues for functions |
"""

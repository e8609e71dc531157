"""CloudWatch: alarms that are evaluated on the metrics that services and units really emit.

| module | |
|---|---|
| evaluation | decides an alarm's state from data points; a pure function |
| service | keeps the data, evaluates every alarm each second, and notifies the topics |
| queues | the metrics of SQS queues |
"""

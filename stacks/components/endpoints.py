"""The VPC endpoints that functions and jobs need, and what calls each of them."""

from __future__ import annotations

from stacks.components.idle_costs import HOURS_PER_MONTH
from stacks.components.prices import IDLE

# Free, and reached through the route tables of the subnets.
GATEWAY_ENDPOINTS = {
    "s3": "every function and job",
    "dynamodb": "functions: the ledger",
}
# Paid for by the hour and zone. The names are those of the services' endpoints, without com.amazonaws.<region>.
INTERFACE_ENDPOINTS = {
    "ecr.api": "SageMaker jobs: the image",
    "ecr.dkr": "SageMaker jobs: the image",
    "glue": "Glue jobs: their connections",
    "kms": "functions and jobs: the environment's key",
    "logs": "Glue and SageMaker jobs: their logs",
    "monitoring": "SageMaker jobs: metrics",
    "sagemaker.api": "functions: jobs, models and model packages",
    "sns": "functions: notices",
    "states": "functions: executions",
    "xray": "functions: traces",
}
# The endpoints that serve the actions of an IAM prefix.
OF_PREFIX = {
    "s3": ("s3",), "dynamodb": ("dynamodb",), "ecr": ("ecr.api", "ecr.dkr"), "glue": ("glue",), "kms": ("kms",),
    "logs": ("logs",), "cloudwatch": ("monitoring",), "sagemaker": ("sagemaker.api",), "sns": ("sns",), "states": ("states",),
    "xray": ("xray",),
}  # fmt: skip
# Actions in the roles of functions and jobs that no unit calls from inside of the VPC, each with the reason.
NOT_CALLED_INSIDE = {
    "ec2": "Lambda, Glue and SageMaker manage the network interfaces from outside",
    "iam": "passing a role is a permission and not a call",
    "sqs": "Lambda reads the queue and sends failed events from outside",
}


def monthly_usd(zones: int, *, existing: int = 0) -> float:
    """Return what the interface endpoints cost per month in so many availability zones, without the data that they carry."""
    return (len(INTERFACE_ENDPOINTS) - existing) * zones * HOURS_PER_MONTH * float(IDLE["interface_endpoint_hour"])

"""What an environment costs per month without runs, from its resources and list prices.

A test compares the numbers of resources with the synthesized template.
"""

from __future__ import annotations

from dataclasses import dataclass

from stacks.components.prices import IDLE

HOURS_PER_MONTH = 730
KEYS = 1
ALARMS = 19
DASHBOARDS = 1
# Queues that Lambda polls.
POLLED_QUEUES = 1
# Lambda reads a queue with five long polls of 20 seconds at once, and keeps all five if a maximum concurrency is set:
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
POLLERS, POLL_SECONDS = 5, 20


@dataclass(frozen=True)
class IdleCost:
    """One row: what is paid for, and USD per month in an account that has used up the free tier, and within it."""

    part: str
    usd: float
    usd_in_free_tier: float


def polls_per_month() -> int:
    """Return the requests with which Lambda polls empty queues."""
    return POLLED_QUEUES * POLLERS * HOURS_PER_MONTH * 3600 // POLL_SECONDS


def idle_costs() -> list[IdleCost]:
    """Return every part that costs without runs and without data."""
    polls = polls_per_month()
    polling = polls / 1e6 * IDLE["sqs_million_requests"]
    beyond_free = max(0, polls - IDLE["sqs_requests_free"]) / 1e6 * IDLE["sqs_million_requests"]
    rotations = IDLE["kms_rotations_charged"]
    return [
        IdleCost("KMS key, in its first year", KEYS * IDLE["kms_key_month"], KEYS * IDLE["kms_key_month"]),
        IdleCost(
            f"its yearly rotations: {rotations} are charged, so after the second year",
            KEYS * rotations * IDLE["kms_rotation_month"],
            KEYS * rotations * IDLE["kms_rotation_month"],
        ),
        IdleCost(f"{ALARMS} alarms", ALARMS * IDLE["alarm_month"], max(0, ALARMS - IDLE["alarms_free"]) * IDLE["alarm_month"]),
        IdleCost(
            f"dashboard: the first {IDLE['dashboards_free']} of an account are free", DASHBOARDS * IDLE["dashboard_month"], 0.0
        ),
        IdleCost(f"Lambda's polling of the arrivals queue: {polls:,} requests to SQS", polling, beyond_free),
    ]

"""Each kind of data is gone after its days, old versions included, and nothing else is; the ledger outlives the uploads."""

from __future__ import annotations

from typing import Any

import pytest

from ptmlops_contracts.keys import (
    CHECKPOINTS,
    ERASURE_RECORDS,
    EVALUATIONS,
    LABELLED,
    PUBLISHED_FOLDERS,
    QUERY_RESULTS,
    RUNS,
    TRAINING,
)
from ptmlops_contracts.ledger import EXPIRES_AT
from stacks.retention_settings import Retention
from tests.stacks.conftest import DAYS, Template

pytestmark = pytest.mark.slow

# Bucket and prefix, the setting, and whether the objects change their tier.
KEPT = [
    ("RawBucket", None, "raw_days", True),
    ("PreparedBucket", RUNS, "prepared_days", False),
    ("PreparedBucket", LABELLED, "labelled_days", True),
    ("PreparedBucket", ERASURE_RECORDS, "erasure_days", False),
    *(("ModelsBucket", folder, "models_days", False) for folder in (TRAINING, CHECKPOINTS, EVALUATIONS)),
    *(("OutputBucket", folder, "results_days", True) for folder in PUBLISHED_FOLDERS),
]


def rules_of(template: Template) -> dict[tuple[str, str | None], dict[str, Any]]:
    """The rules that expire or move current versions, by bucket and prefix."""
    found = {}
    for name, bucket in template.resources("AWS::S3::Bucket").items():
        for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"]:
            if not name.startswith("AccessLog") and rule["Id"] != "noncurrent":
                assert rule["Status"] == "Enabled"
                found[(name[:-8], rule.get("Prefix"))] = rule
    return found


@pytest.fixture(scope="module")
def limited(every_kind: dict[str, Template]) -> Template:
    """The storage stack of an environment that keeps nothing for ever."""
    return every_kind["storage"]


@pytest.mark.parametrize(("bucket", "prefix", "setting", "tiered"), KEPT)
def test_each_kind_of_data_has_its_days_and_its_tier(
    limited: Template, bucket: str, prefix: str | None, setting: str, tiered: bool
) -> None:
    rule = rules_of(limited)[(bucket, prefix)]
    # An expired object stays as an old version for noncurrent_days, so both add up to the setting.
    assert rule["ExpirationInDays"] == DAYS[setting] - DAYS["noncurrent_days"]
    assert "NoncurrentVersionExpiration" not in rule  # the bucket's own rule does that
    transitions = [{"StorageClass": "INTELLIGENT_TIERING", "TransitionInDays": 60}] if tiered else None
    assert rule.get("Transitions") == transitions


def test_no_other_objects_expire(limited: Template) -> None:
    assert set(rules_of(limited)) == {(bucket, prefix) for bucket, prefix, _, _ in KEPT} | {("OutputBucket", QUERY_RESULTS)}
    queries = rules_of(limited)[("OutputBucket", QUERY_RESULTS)]
    assert (queries["ExpirationInDays"], queries["NoncurrentVersionExpiration"]) == (29, {"NoncurrentDays": 1})


def test_old_versions_go_in_every_bucket(limited: Template) -> None:
    for name, bucket in limited.resources("AWS::S3::Bucket").items():
        if name.startswith("AccessLog"):
            continue
        [rule] = [rule for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"] if rule["Id"] == "noncurrent"]
        assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
        assert rule["ExpiredObjectDeleteMarker"] is True
        assert "Prefix" not in rule


def test_ledger_items_expire_by_the_attribute_that_start_run_writes(limited: Template) -> None:
    [table] = limited.properties("AWS::DynamoDB::Table")
    assert table["TimeToLiveSpecification"] == {"AttributeName": EXPIRES_AT, "Enabled": True}


def test_by_default_only_query_results_and_records_of_erasures_expire(prod_templates: dict[str, Template]) -> None:
    expiring = {place for place, rule in rules_of(prod_templates["storage"]).items() if "ExpirationInDays" in rule}
    assert expiring == {("PreparedBucket", RUNS), ("PreparedBucket", ERASURE_RECORDS), ("OutputBucket", QUERY_RESULTS)}
    assert not any("Transitions" in rule for rule in rules_of(prod_templates["storage"]).values())
    defaults = Retention()
    assert (defaults.raw_days, defaults.labelled_days, defaults.results_days, defaults.models_days, defaults.ledger_days) == (
        0,
    ) * 5

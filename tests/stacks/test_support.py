"""The tables of supported regions and instance types are what AWS's own data says."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk.region_info import RegionInfo

from stacks.components import supported
from tests.stacks import derive_support


@pytest.mark.slow
def test_the_tables_are_what_the_packages_say(shared_templates: dict[str, Any]) -> None:
    types = {body["Type"] for template in shared_templates.values() for body in template.body["Resources"].values()}
    derived = derive_support.derive(types)
    assert {region: entry["quicksight"] for region, entry in derived["regions"].items()} == supported.REGIONS
    assert derived["refused_regions"] == supported.REFUSED_REGIONS
    assert {use: list(names) for use, names in supported.INSTANCES.items()} == derived["instances"]


@pytest.mark.slow
def test_a_region_that_lacks_a_resource_type_is_refused_with_the_type() -> None:
    derived = derive_support.derive({"AWS::SageMaker::ModelPackageGroup"})
    assert "AWS::SageMaker::ModelPackageGroup" in derived["refused_regions"]["cn-north-1"]
    assert "cn-north-1" in derive_support.derive({"AWS::S3::Bucket"})["regions"]


def test_each_partition_has_a_region_that_the_suite_checks() -> None:
    assert supported.one_region_per_partition() == ("us-east-1", "us-gov-west-1")
    assert {region: RegionInfo.get(region).partition for region in supported.REGIONS} == {
        region: supported.partition(region) for region in supported.REGIONS
    }

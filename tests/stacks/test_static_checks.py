"""Every environment passes cfn-lint, cloudformation-validate and cdk-nag in all regions nightly; prod in one region per partition.

cdk-nag runs in the synthesis, and stops it at a finding that is not acknowledged.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cdk_nag
import pytest

from stacks.components.supported import REGIONS, one_region_per_partition, partition
from stacks.config import ENVIRONMENTS
from tests.stacks.conftest import NO_NUMBA, REPOSITORY, kept_assembly, settings_of

if TYPE_CHECKING:
    from cloudformation_validate import CompositeEngine

# Rules that are not held, each with the reason.
IGNORED = ["W3005"]  # a dependency said twice: CDK's add_dependency(role) names the role beside its policy, which is the point
NIGHTLY = bool(os.environ.get("PTMLOPS_NIGHTLY"))
NAMES = sorted(path.stem for path in ENVIRONMENTS.glob("*.toml"))
CASES = [
    (environment, region)
    for environment in NAMES
    for region in (sorted(REGIONS) if NIGHTLY else one_region_per_partition())
    if NIGHTLY or environment == "prod" or (environment, region) == ("local", "us-east-1")  # where local AWS is
]


def changes_for(environment: str, region: str) -> dict[str, dict[str, Any]]:
    """Settings for this region; prod with everything that is optional. Without numba's wheels, which no check looks into."""
    if environment == "local" and region == "us-east-1":
        return {}  # the assembly that `make install` has made
    changes: dict[str, dict[str, Any]] = {**NO_NUMBA}
    if region != "us-east-1":
        changes["environment"] = {"region": region}
    if environment == "prod":
        changes["delivery"] = {"repository": REPOSITORY}
    if environment == "prod" and REGIONS[region]:
        principal = f"arn:{partition(region)}:quicksight:us-east-1:123456789012:group/default/customer-care"
        changes["analytics"] = {"quicksight_principal": principal}
    return changes


def templates_of(environment: str, region: str) -> list[Path]:
    folder = kept_assembly(environment, **changes_for(environment, region))
    return sorted(folder.glob(f"ptmlops-{environment}-*.template.json"))


def cfn_lint(paths: Iterable[Path], region: str) -> list[str]:
    from cfnlint.api import lint_by_config  # two seconds to import
    from cfnlint.config import ManualArgs

    arguments = ManualArgs(templates=[str(path) for path in paths], regions=[region], ignore_checks=IGNORED)
    return [f"{match.rule.id} {match.message}" for match in lint_by_config(arguments)]


@pytest.fixture(scope="module")
def engine() -> CompositeEngine:
    """One for all templates: it compiles its rules first."""
    from cloudformation_validate import CompositeEngine

    return CompositeEngine()


def cloudformation_validate(engine: CompositeEngine, paths: Iterable[Path], region: str) -> list[str]:
    from cloudformation_validate import PseudoParameterOverrides, ReportStatus, RuleFilterConfig, Severity, ValidateConfig

    config = ValidateConfig(
        exclude=RuleFilterConfig(ids=IGNORED),
        severity_level=Severity.WARN,
        pseudo_parameter_overrides=PseudoParameterOverrides(region=region, partition=partition(region)),
    )
    found = []
    for path in paths:
        report = engine.validate_template(str(path), config)
        assert report.status is ReportStatus.OK  # neither unreadable nor given up
        found += [f"{each.rule_id} {each.message}" for each in report.diagnostics]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("environment", "region"), CASES, ids=[f"{environment}-{region}" for environment, region in CASES])
def test_every_template_is_what_cloudformation_accepts(engine: CompositeEngine, environment: str, region: str) -> None:
    paths = templates_of(environment, region)
    assert cfn_lint(paths, region) == []
    assert cloudformation_validate(engine, paths, region) == []


@pytest.mark.slow
def test_both_linters_find_a_property_that_does_not_exist(engine: CompositeEngine, tmp_path: Path) -> None:
    """Otherwise empty lists would prove nothing."""
    path = tmp_path / "broken.json"
    path.write_text(
        '{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketNam": "x"}}}}', encoding="utf-8"
    )
    assert any("BucketNam" in problem for problem in cfn_lint([path], "us-east-1"))
    assert any("BucketNam" in problem for problem in cloudformation_validate(engine, [path], "us-east-1"))


@pytest.mark.slow
def test_each_finding_of_cdk_nag_is_acknowledged_and_each_acknowledgement_has_a_finding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Compared with what both packs report if nothing is acknowledged. An acknowledgement without a finding would hide a later one."""
    from app import PtmlopsApp

    acknowledged = set[tuple[str, str]]()

    def record(self: Any, acknowledgement: Any) -> None:
        acknowledged.add((self.path, acknowledgement.id))

    class Recorded:
        def __init__(self, scope: Any) -> None:
            self.path = scope.node.path

        acknowledge = record

    monkeypatch.setattr("stacks.components.common.acknowledgements_of", Recorded)
    app = PtmlopsApp(chosen=settings_of("prod", **changes_for("prod", "us-east-1")), outdir=str(tmp_path))

    used = set[tuple[str, str]]()
    for pack in (cdk_nag.AwsSolutionsChecks(), cdk_nag.NIST80053R5Checks()):
        for violation in pack.validate_scope(app).violations:
            rule = violation.rule_name.partition("[")[0]
            for resource in violation.violating_resources:
                path = str(resource.construct_path)
                places = [place for place, known in acknowledged if known == rule and f"{path}/".startswith(f"{place}/")]
                assert places, (rule, path)
                used |= {(place, rule) for place in places}

    of_packs = {(place, rule) for place, rule in acknowledged if rule.startswith(("AwsSolutions-", "NIST."))}
    assert len(of_packs) > 30
    assert of_packs == used

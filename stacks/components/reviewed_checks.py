"""cdk-nag's AwsSolutions and NIST 800-53 R5 checks, with a rule's acknowledgement covering all findings of that rule on the construct.

cdk-nag 3.0 wants each wildcard acknowledged by its full text, generated names included, and CDK refuses most of those texts for the
`::` in them (cdk-nag issues 2351 and 2357). Here an acknowledgement names what a reviewer judges: rule, role and reason.
"""

from __future__ import annotations

import aws_cdk as cdk
import cdk_nag
import jsii
from constructs import IConstruct


class ReviewedAwsSolutions(cdk_nag.AwsSolutionsChecks):
    """AwsSolutions without the findings that are acknowledged."""

    @jsii.member(jsii_name="validateScope")
    def validate_scope(self, scope: IConstruct) -> cdk.PolicyValidationPluginReport:
        """Return the findings below `scope` that are not acknowledged."""
        return _without_acknowledged(scope, super().validate_scope(scope))


class ReviewedNist(cdk_nag.NIST80053R5Checks):
    """NIST 800-53 R5 without the findings that are acknowledged."""

    @jsii.member(jsii_name="validateScope")
    def validate_scope(self, scope: IConstruct) -> cdk.PolicyValidationPluginReport:
        """Return the findings below `scope` that are not acknowledged."""
        return _without_acknowledged(scope, super().validate_scope(scope))


def _without_acknowledged(scope: IConstruct, report: cdk.PolicyValidationPluginReport) -> cdk.PolicyValidationPluginReport:
    """Drop findings, granular ones (`Rule[detail]`) too, if their rule is acknowledged on the construct or on one above it."""
    violations = []
    for violation in report.violations:
        rule = violation.rule_name.partition("[")[0]
        open_resources = [
            resource
            for resource in violation.violating_resources
            if not _is_acknowledged(scope, str(resource.construct_path), rule)
        ]
        if open_resources:
            violations.append(
                cdk.PolicyViolation(
                    rule_name=violation.rule_name,
                    description=violation.description,
                    severity=violation.severity,
                    violating_resources=open_resources,
                )
            )
    return cdk.PolicyValidationPluginReport(success=not violations, violations=violations)


def _is_acknowledged(root: IConstruct, path: str, rule: str) -> bool:
    node = root.node
    chain = [node]
    for part in path.split("/"):
        child = node.try_find_child(part)
        if child is None:
            return False
        node = child.node
        chain.append(node)
    key = cdk.Validations.ACKNOWLEDGED_RULES_METADATA_KEY
    acknowledged = {
        str(name).rpartition("::")[2] for step in chain for entry in step.metadata if entry.type == key for name in entry.data
    }
    return rule in acknowledged

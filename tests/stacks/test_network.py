"""In a VPC, everything that computes is in its private subnets, and no unit calls a service that has no endpoint there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from stacks.components.endpoints import (
    GATEWAY_ENDPOINTS,
    INTERFACE_ENDPOINTS,
    NOT_CALLED_INSIDE,
    OF_PREFIX,
    monthly_usd,
)
from tests.stacks.conftest import NO_NUMBA, STACKS, Template, kept_assembly, read_templates, settings_of
from tests.stacks.test_permissions import clients
from tests.stacks.test_static_checks import cfn_lint

pytestmark = pytest.mark.slow

NETWORK = {
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    "availability_zones": ["us-east-1a", "us-east-1b"],
    "route_table_ids": ["rtb-0123456789abcdef0"],
}
CHANGES: dict[str, dict[str, Any]] = {**NO_NUMBA, "network": NETWORK}
# The signing name of a client's service is the prefix of its actions.
SIGNING = {"stepfunctions": "states"}


@pytest.fixture(scope="module")
def folder() -> Path:
    return kept_assembly("prod", **CHANGES)


@pytest.fixture(scope="module")
def inside(folder: Path) -> dict[str, Template]:
    """prod in a VPC; cdk-nag has passed when this returns."""
    return read_templates("prod", folder)


def endpoints(templates: dict[str, Template]) -> set[str]:
    names = [body["ServiceName"] for template in templates.values() for body in template.properties("AWS::EC2::VPCEndpoint")]
    return {name.removeprefix("com.amazonaws.us-east-1.") for name in names}


def computing_roles(templates: dict[str, Template]) -> dict[str, set[str]]:
    """The actions of each role that Lambda, Glue or SageMaker assumes."""
    found: dict[str, set[str]] = {}
    for template in templates.values():
        roles = {
            name
            for name, body in template.resources("AWS::IAM::Role").items()
            for statement in body["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            if statement["Principal"]["Service"] in ("lambda.amazonaws.com", "glue.amazonaws.com", "sagemaker.amazonaws.com")
        }
        for policy in template.properties("AWS::IAM::Policy"):
            for reference in policy["Roles"]:
                if reference["Ref"] in roles:
                    actions = found.setdefault(reference["Ref"], set())
                    for statement in policy["PolicyDocument"]["Statement"]:
                        listed = statement["Action"]
                        actions |= {listed} if isinstance(listed, str) else set(listed)
    return found


def test_every_action_of_a_unit_is_served_by_an_endpoint_in_the_vpc(inside: dict[str, Template]) -> None:
    roles, there = computing_roles(inside), endpoints(inside)
    assert len(roles) == 11  # six functions, two Glue jobs, three kinds of SageMaker job
    for role, actions in roles.items():
        for prefix in {action.partition(":")[0] for action in actions} - set(NOT_CALLED_INSIDE):
            assert prefix in OF_PREFIX, f"{role} may call {prefix}: add its endpoint, or a reason to NOT_CALLED_INSIDE"
            assert set(OF_PREFIX[prefix]) <= there, (role, prefix)


def test_no_code_calls_a_service_that_is_said_to_be_called_from_outside() -> None:
    called = {SIGNING.get(name, name) for sources in ("lambdas", "glue_jobs", "training") for name in clients(sources)}
    assert called & set(NOT_CALLED_INSIDE) == set()
    assert called <= set(OF_PREFIX)


def test_there_is_no_endpoint_that_no_unit_needs(inside: dict[str, Template]) -> None:
    prefixes = {action.partition(":")[0] for actions in computing_roles(inside).values() for action in actions}
    needed = {endpoint for prefix in prefixes & set(OF_PREFIX) for endpoint in OF_PREFIX[prefix]}
    assert endpoints(inside) == needed == {*GATEWAY_ENDPOINTS, *INTERFACE_ENDPOINTS}


def test_everything_that_computes_is_in_the_private_subnets(inside: dict[str, Template]) -> None:
    functions = [body for template in inside.values() for body in template.properties("AWS::Lambda::Function")]
    assert len(functions) == 6
    assert all(body["VpcConfig"]["SubnetIds"] == NETWORK["subnet_ids"] for body in functions)
    assert all(len(body["VpcConfig"]["SecurityGroupIds"]) == 1 for body in functions)

    connections = inside["preparation"].resources("AWS::Glue::Connection")
    assert [
        body["Properties"]["ConnectionInput"]["PhysicalConnectionRequirements"]["SubnetId"] for body in connections.values()
    ] == NETWORK["subnet_ids"]
    jobs = inside["preparation"].properties("AWS::Glue::Job")
    assert len(jobs) == 2
    assert all([each["Ref"] for each in job["Connections"]["Connections"]] == list(connections) for job in jobs)


def test_sagemaker_jobs_and_models_are_in_the_vpc_and_stay_isolated(inside: dict[str, Template]) -> None:
    [machine] = inside["workflow"].properties("AWS::StepFunctions::StateMachine")
    text = "".join(part if isinstance(part, str) else "sg-0123" for part in machine["DefinitionString"]["Fn::Join"][1])
    states = json.loads(text)["States"]
    config = {"SecurityGroupIds": ["sg-0123"], "Subnets": NETWORK["subnet_ids"]}
    for name in ("Train", "Train warm"):
        training = states[name]["Parameters"]["TrainingJobDefinition"]
        assert training["VpcConfig"] == config
        assert training["EnableNetworkIsolation"] is True
    assert states["Evaluate"]["Parameters"]["NetworkConfig"] == {
        "EnableNetworkIsolation": True, "EnableInterContainerTrafficEncryption": True, "VpcConfig": config,
    }  # fmt: skip
    model = get_session().get_service_model("sagemaker")
    for shape in ("HyperParameterTrainingJobDefinition", "NetworkConfig", "CreateModelInput"):
        member = model.shape_for(shape).members["VpcConfig"]
        assert not ParamValidator().validate(config, member).has_errors()

    networks = [
        body["Environment"]["Variables"]["MODEL_NETWORK"]["Fn::Join"][1]
        for body in inside["workflow"].properties("AWS::Lambda::Function")
        if "MODEL_NETWORK" in body["Environment"]["Variables"]
    ]
    assert len(networks) == 2  # Plan and Promote create Models
    for parts in networks:
        assert json.loads("".join(part if isinstance(part, str) else "sg-0123" for part in parts)) == config


def test_interfaces_are_created_with_the_narrowest_permissions_that_the_services_accept(inside: dict[str, Template]) -> None:
    changing = {"ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:CreateNetworkInterfacePermission"}
    seen = 0
    for template in inside.values():
        for policy, statement in template.statements():
            if not changing & set(statement["Action"]) or statement["Effect"] == "Deny":
                continue
            seen += 1
            if (
                statement["Resource"] == "*"
            ):  # Lambda asks for all resources; the function's code is denied what Lambda is allowed
                [deny] = [each for name, each in template.statements() if name == policy and each["Effect"] == "Deny"]
                assert set(deny["Action"]) == set(statement["Action"])
                assert "lambda:SourceFunctionArn" in deny["Condition"]["ArnLike"]
            else:
                assert "*" not in statement["Resource"]
                assert all(subnet in str(statement["Resource"]) for subnet in NETWORK["subnet_ids"])
    assert seen == 11


def test_the_groups_admit_each_other_and_nobody_else(inside: dict[str, Template]) -> None:
    assert "UnitSecurityGroupId" in inside["storage"].body["Outputs"]  # for the groups of endpoints that exist already
    groups = inside["storage"].properties("AWS::EC2::SecurityGroup")
    rules = [rule for group in groups for rule in group.get("SecurityGroupIngress", [])]
    rules += inside["storage"].properties("AWS::EC2::SecurityGroupIngress")
    assert len(rules) == 2
    assert all("SourceSecurityGroupId" in rule and "CidrIp" not in rule for rule in rules)


def test_endpoints_that_exist_are_not_created_again() -> None:
    existing = [*GATEWAY_ENDPOINTS, *INTERFACE_ENDPOINTS]
    settings = settings_of("prod", network={**NETWORK, "route_table_ids": [], "existing_endpoints": existing})
    assert set(settings.network.existing_endpoints) == set(existing)


@pytest.mark.parametrize(
    ("network", "told"),
    [
        ({"subnet_ids": NETWORK["subnet_ids"]}, "vpc_id is missing"),
        ({**NETWORK, "availability_zones": ["us-east-1a"]}, "as many subnets as zones"),
        ({**NETWORK, "availability_zones": ["us-east-1a", "us-east-1a"]}, "a zone twice"),
        ({**NETWORK, "availability_zones": ["eu-west-1a", "eu-west-1b"]}, "not in environment.region"),
        ({**NETWORK, "route_table_ids": []}, "route_table_ids is empty"),
        ({**NETWORK, "existing_endpoints": ["sqs"]}, "has sqs, which nothing calls"),
    ],
)
def test_a_network_that_cannot_work_is_a_settings_error(network: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        settings_of("prod", network=network)


def test_the_costs_of_the_endpoints_are_per_endpoint_and_zone() -> None:
    assert monthly_usd(1) == pytest.approx(73.0)
    assert monthly_usd(2, existing=5) == pytest.approx(73.0)


@pytest.mark.slow
def test_the_templates_of_a_vpc_are_what_cloudformation_accepts(folder: Path) -> None:
    problems = cfn_lint([folder / f"ptmlops-prod-{stack}.template.json" for stack in STACKS], "us-east-1")
    # A connection of Glue names the zone of its subnet: there is no other way to say it.
    assert {problem.partition(" ")[0] for problem in problems} == {"W3010"}


def test_without_a_vpc_there_is_no_trace_of_one(templates: dict[str, Template]) -> None:
    assert not any(
        "AWS::EC2" in json.dumps(template.body) or "VpcConfig" in json.dumps(template.body) for template in templates.values()
    )

"""Run functions and jobs in the private subnets of a VPC, and give them endpoints to every service that they call.

`UnitNetwork` is part of the storage stack, because SageMaker Models, which no stack holds, refer to the security group. `run_in_network`
connects everything that computes, in all stacks, so that a new function or job is in the VPC without a line of its own.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.components.common import EnvironmentStack, acknowledge, allow
from stacks.components.endpoints import GATEWAY_ENDPOINTS, INTERFACE_ENDPOINTS

HTTPS = 443
_INTERFACE = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"]
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
LAMBDA_ACTIONS = [
    *_INTERFACE, "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
]  # fmt: skip
# The network part of the managed policy AWSGlueServiceRole.
GLUE_DESCRIBES = [
    "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
    "ec2:DescribeVpcAttribute", "ec2:DescribeVpcEndpoints",
]  # fmt: skip
# https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html: "if you specify a private VPC for your job"
SAGEMAKER_CHANGES = [*_INTERFACE, "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterfacePermission"]
SAGEMAKER_DESCRIBES = [
    "ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
]  # fmt: skip


class UnitNetwork(Construct):
    """The security group of everything that computes, and the endpoints that do not exist yet."""

    def __init__(self, scope: EnvironmentStack, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        settings = scope.settings.network
        self.subnet_ids = list(settings.subnet_ids)
        self.zones = list(settings.availability_zones)
        group = ec2.CfnSecurityGroup(
            self,
            "Units",
            vpc_id=str(settings.vpc_id),
            group_description=f"PTMLops ({scope.settings.name}): functions and jobs",
            security_group_egress=[
                # Gateway endpoints have public addresses, so a range cannot be named. The subnets have no route to others.
                ec2.CfnSecurityGroup.EgressProperty(
                    ip_protocol="tcp",
                    from_port=HTTPS,
                    to_port=HTTPS,
                    cidr_ip="0.0.0.0/0",
                    description="HTTPS to the endpoints of AWS services",
                )
            ],
        )
        group.apply_removal_policy(scope.data_removal)
        self.group_id = group.attr_group_id
        # Workers of one job talk to each other on any port; Glue requires the rule:
        # https://docs.aws.amazon.com/glue/latest/dg/setup-vpc-for-glue-access.html
        ec2.CfnSecurityGroupIngress(
            self,
            "FromWorkers",
            ip_protocol="tcp",
            from_port=0,
            to_port=65535,
            group_id=self.group_id,
            source_security_group_id=self.group_id,
            description="Workers of one job",
        )
        ec2.CfnSecurityGroupEgress(
            self,
            "ToWorkers",
            ip_protocol="tcp",
            from_port=0,
            to_port=65535,
            group_id=self.group_id,
            destination_security_group_id=self.group_id,
            description="Workers of one job",
        )
        self._create_endpoints(scope)

    def vpc_config(self) -> dict[str, list[str]]:
        """Return SageMaker's VpcConfig."""
        return {"SecurityGroupIds": [self.group_id], "Subnets": self.subnet_ids}

    def _create_endpoints(self, scope: EnvironmentStack) -> None:
        settings = scope.settings.network
        for service in GATEWAY_ENDPOINTS:
            if service not in settings.existing_endpoints:
                ec2.CfnVPCEndpoint(
                    self,
                    f"{_title(service)}Endpoint",
                    vpc_id=str(settings.vpc_id),
                    service_name=f"com.amazonaws.{scope.region}.{service}",
                    vpc_endpoint_type="Gateway",
                    route_table_ids=list(settings.route_table_ids),
                )
        missing = [service for service in INTERFACE_ENDPOINTS if service not in settings.existing_endpoints]
        if not missing:
            return
        group = ec2.CfnSecurityGroup(
            self,
            "Endpoints",
            vpc_id=str(settings.vpc_id),
            group_description=f"PTMLops ({scope.settings.name}): endpoints of AWS services",
            security_group_ingress=[
                ec2.CfnSecurityGroup.IngressProperty(
                    ip_protocol="tcp",
                    from_port=HTTPS,
                    to_port=HTTPS,
                    source_security_group_id=self.group_id,
                    description="HTTPS from functions and jobs",
                )
            ],
            # An endpoint answers and calls nobody. Without an egress rule CloudFormation would allow everything.
            security_group_egress=[
                ec2.CfnSecurityGroup.EgressProperty(
                    ip_protocol="icmp", from_port=252, to_port=86, cidr_ip="255.255.255.255/32"
                )
            ],
        )
        for service in missing:
            ec2.CfnVPCEndpoint(
                self,
                f"{_title(service)}Endpoint",
                vpc_id=str(settings.vpc_id),
                service_name=f"com.amazonaws.{scope.region}.{service}",
                vpc_endpoint_type="Interface",
                subnet_ids=self.subnet_ids,
                security_group_ids=[group.attr_group_id],
                private_dns_enabled=True,
            )


def _title(service: str) -> str:
    return "".join(part.title() for part in service.split("."))


def in_network(definition: dict[str, Any], network: UnitNetwork | None) -> dict[str, Any]:
    """Give the SageMaker jobs of a state machine's definition the network, if there is one, and return the definition.

    The jobs stay isolated (EnableNetworkIsolation): the interfaces in the VPC carry what SageMaker itself copies.
    """
    if network is None:
        return definition
    for state in definition["States"].values():
        if state.get("Resource", "").endswith("sagemaker:createHyperParameterTuningJob.sync"):
            state["Parameters"]["TrainingJobDefinition"]["VpcConfig"] = network.vpc_config()
        elif state.get("Resource", "").endswith("sagemaker:createProcessingJob.sync"):
            state["Parameters"]["NetworkConfig"]["VpcConfig"] = network.vpc_config()
    return definition


def run_in_network(app: cdk.App, network: UnitNetwork) -> None:
    """Connect every function and Glue job, and let every role that computes use network interfaces."""
    connections = dict[str, list[glue.CfnConnection]]()
    for construct in app.node.find_all():
        if isinstance(construct, lambda_.CfnFunction):
            construct.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
                security_group_ids=[network.group_id], subnet_ids=network.subnet_ids
            )
        elif isinstance(construct, glue.CfnJob):
            stack = _stack_of(construct)
            made = connections.get(stack.node.path) or _glue_connections(stack, network)
            connections[stack.node.path] = made
            construct.connections = glue.CfnJob.ConnectionsListProperty(connections=[each.ref for each in made])
        elif isinstance(construct, iam.Role):
            _allow_interfaces(construct, network)


def _stack_of(construct: Construct) -> EnvironmentStack:
    stack = cdk.Stack.of(construct)
    assert isinstance(stack, EnvironmentStack)  # noqa: S101 - narrows CDK's type: the app has no other stacks
    return stack


def _glue_connections(stack: EnvironmentStack, network: UnitNetwork) -> list[glue.CfnConnection]:
    """Create a connection per subnet: a job takes the next one if a subnet has no address left."""
    return [
        glue.CfnConnection(
            stack,
            f"Network{number}",
            catalog_id=stack.account,
            connection_input=glue.CfnConnection.ConnectionInputProperty(
                name=f"{stack.settings.prefix}-network-{number}",
                connection_type="NETWORK",
                connection_properties={},
                physical_connection_requirements=glue.CfnConnection.PhysicalConnectionRequirementsProperty(
                    availability_zone=zone, subnet_id=subnet, security_group_id_list=[network.group_id]
                ),
            ),
        )
        for number, (subnet, zone) in enumerate(zip(network.subnet_ids, network.zones, strict=True), start=1)
    ]


def _allow_interfaces(role: iam.Role, network: UnitNetwork) -> None:
    """Let a role create its network interfaces: in these subnets, with this security group, if the service can be held to that."""
    stack = _stack_of(role)
    [statement] = stack.resolve(role.assume_role_policy)["Statement"]
    service = statement["Principal"].get("Service")

    def ec2_arn(kind: str, name: str = "*") -> str:
        return stack.format_arn(service="ec2", resource=kind, resource_name=name)

    interfaces = ec2_arn("network-interface")
    places = [
        interfaces,
        *(ec2_arn("subnet", each) for each in network.subnet_ids),
        ec2_arn("security-group", network.group_id),
    ]
    if service == "lambda.amazonaws.com":
        # Lambda checks for these permissions on every resource when a function is created. The function's own code may not use them.
        allow(role, "Interfaces", LAMBDA_ACTIONS, ["*"])
        functions = stack.format_arn(
            service="lambda",
            resource="function",
            resource_name=f"{stack.stack_name}-*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        role.add_to_policy(
            iam.PolicyStatement(
                sid="InterfacesNotInCode",
                effect=iam.Effect.DENY,
                actions=LAMBDA_ACTIONS,
                resources=["*"],
                conditions={"ArnLike": {"lambda:SourceFunctionArn": functions}},
            )
        )
    elif service == "glue.amazonaws.com":
        allow(role, "Interfaces", _INTERFACE, places)
        allow(role, "SeeNetwork", GLUE_DESCRIBES, ["*"])
        allow(
            role,
            "TagInterfaces",
            ["ec2:CreateTags", "ec2:DeleteTags"],
            [interfaces],
            {"ForAllValues:StringEquals": {"aws:TagKeys": ["aws-glue-service-resource"]}},
        )
        names = [f"{stack.settings.prefix}-network-{number}" for number in range(1, len(network.subnet_ids) + 1)]
        allow(
            role,
            "Connections",
            ["glue:GetConnection"],
            [
                stack.format_arn(service="glue", resource="catalog"),
                *(stack.format_arn(service="glue", resource="connection", resource_name=name) for name in names),
            ],
        )
    elif service == "sagemaker.amazonaws.com":
        allow(role, "Interfaces", SAGEMAKER_CHANGES, places)
        allow(role, "SeeNetwork", SAGEMAKER_DESCRIBES, ["*"])
    else:
        return
    acknowledge(
        role,
        "AwsSolutions-IAM5",
        "EC2's descriptions take no resource; interfaces are named by EC2; Lambda requires its permissions on all resources, and its "
        "code is denied them",
    )

"""The policies that moto's stores hold: of users and roles, and of resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.authorization.evaluate import Grant
from local_aws.authorization.policies import Policy, parse
from local_aws.authorization.principals import Principal

# moto knows the names of AWS's managed policies, and not all of their documents.
_ADMINISTRATOR = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class PolicyStores:
    """The stores of one account and region."""

    account: str
    region: str

    def of_principal(self, principal: Principal) -> list[Policy]:
        """Return the identity policies of a user or of a session's role. Services have none."""
        if principal.is_service:
            return []
        iam = self._backend("iam", "aws")
        name = (principal.role_arn or principal.arn).rpartition("/")[2]
        if principal.role_arn:
            return list(_attached(iam.get_role(name)))
        user = iam.get_user(name)
        documents: list[Any] = [policy["policy_document"] for policy in map(user.get_policy, user.policies)]
        groups = [policy for group in iam.get_groups_for_user(name) for policy in _attached(group)]
        managed = [_managed(policy) for policy in user.managed_policies.values()]
        return [*map(parse, documents), *managed, *groups]

    def of_resource(self, arn: str) -> Policy | None:
        """Return the policy of a bucket, queue, topic, key or function, or None."""
        document = self._resource_document(arn)
        return parse(document) if document else None

    def trust_of(self, role_arn: str) -> Policy | None:
        """Return the trust policy of a role, or None if there is no such role."""
        roles = self._backend("iam", "aws").roles.values()
        return next((parse(role.assume_role_policy_document) for role in roles if role.arn == role_arn), None)

    def grants_on(self, arn: str) -> list[Grant]:
        """Return the grants on a KMS key, and none for another resource."""
        key = self.key(arn) if ":kms:" in arn else None
        if key is None:
            return []
        return [
            Grant(grant.grantee_principal, frozenset(grant.operations), grant.constraints or {})
            for grant in key.grants.values()
        ]

    def key_state(self, arn: str) -> str:
        """Return the KeyState of a key, or "" if there is no such key."""
        key = self.key(arn)
        return str(key.key_state) if key else ""

    def key(self, reference: str | None) -> Any:
        """Return moto's object of a key, by its ARN, its id or its alias, or None."""
        kms, name = self._backend("kms"), reference or ""
        if "alias/" in name:
            alias = name[name.index("alias/") :]
            # A key that AWS manages lets everybody of the account use it through its service.
            name = "" if alias.startswith("alias/aws/") else kms.get_key_id_from_alias(alias) or ""
        return kms.keys.get(name.rpartition("/")[2])

    def bucket(self, name: str) -> Any:
        """Return moto's object of a bucket, or None."""
        return self._backend("s3", "aws").buckets.get(name)

    def queue(self, name: str) -> Any:
        """Return moto's object of a queue, or None."""
        return self._backend("sqs").queues.get(name)

    def topic(self, arn: str) -> Any:
        """Return moto's object of a topic, or None."""
        return self._backend("sns").topics.get(arn)

    def table(self, name: str) -> Any:
        """Return moto's object of a table, or None."""
        return self._backend("dynamodb").tables.get(name)

    def log_group(self, name: str) -> Any:
        """Return moto's object of a log group, or None."""
        return self._backend("logs").groups.get(name)

    def function(self, name: str) -> Any:
        """Return moto's object of a function, or None."""
        return self._backend("lambda")._lambdas._functions.get(name, {}).get("latest")

    def _resource_document(self, arn: str) -> str | Mapping[str, Any] | None:
        service, name = arn.split(":")[2] if arn.startswith("arn:") else "", arn.rpartition(":")[2]
        if service == "s3":
            bucket = self.bucket(name.partition("/")[0])
            text = bucket.policy if bucket else None
            return text.decode() if isinstance(text, bytes) else text
        if service == "sqs":
            queue = self.queue(name)
            return queue.policy if queue else None
        if service == "sns":
            topic = self.topic(arn)
            return topic._policy_json if topic else None
        if service == "kms":
            key = self.key(arn)
            return key.policy if key else None
        if service == "lambda":
            function = self.function(name)
            statements = function.policy.statements if function else []
            return {"Version": "2012-10-17", "Statement": statements} if statements else None
        return None

    def _backend(self, service: str, region: str | None = None) -> Any:
        from moto.backends import get_backend

        return get_backend(service)[self.account][region or self.region]


def _attached(holder: Any) -> Iterator[Policy]:
    """Yield the inline and managed policies of a role or a group."""
    for document in holder.policies.values():
        yield parse(document)
    for policy in holder.managed_policies.values():
        yield _managed(policy)


def _managed(policy: Any) -> Policy:
    if policy.arn.endswith(":policy/AdministratorAccess"):
        return parse(_ADMINISTRATOR)
    return parse(next(version.document for version in policy.versions if version.is_default))

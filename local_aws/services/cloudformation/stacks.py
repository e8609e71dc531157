"""The life of a stack: termination protection, and the rollback of a creation that fails.

moto stores the protection and does not enforce it. A creation that fails leaves moto's stack half created, with its exports.
"""

from __future__ import annotations

from typing import Any

from local_aws import patching


def install(unknown_type: type[Exception]) -> None:
    """Extend moto's stacks.

    Args:
        unknown_type: Raised for a resource type that cannot be created. CloudFormation refuses such a template before it creates anything.
    """
    _protect_from_deletion()
    _roll_back_failed_creations(unknown_type)


def _protect_from_deletion() -> None:
    from moto.cloudformation.exceptions import ValidationError
    from moto.cloudformation.models import CloudFormationBackend
    from moto.cloudformation.responses import CloudFormationResponse
    from moto.core.responses import ActionResult

    @patching.extend(CloudFormationBackend, "delete_stack")
    def delete_stack(moto_delete: Any, self: Any, name_or_stack_id: str) -> None:
        for stack in self.stacks.values():
            if name_or_stack_id in (stack.name, stack.stack_id) and stack.enable_termination_protection:
                raise ValidationError(
                    message=f"Stack [{name_or_stack_id}] cannot be deleted while TerminationProtection is enabled"
                )
        moto_delete(self, name_or_stack_id)

    @patching.add(CloudFormationResponse, "update_termination_protection")
    def update_termination_protection(self: Any) -> Any:
        stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
        stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection")
        return ActionResult({"StackId": stack.stack_id})


def _roll_back_failed_creations(unknown_type: type[Exception]) -> None:
    from moto.cloudformation.models import CloudFormationBackend

    @patching.extend(CloudFormationBackend, "create_stack")
    def create_stack(
        moto_create: Any,
        self: Any,
        name: str,
        template: str,
        parameters: dict[str, Any],
        notification_arns: list[str] | None = None,
        tags: dict[str, str] | None = None,
        role_arn: str | None = None,
        enable_termination_protection: bool | None = False,
        timeout_in_mins: int | None = None,
        stack_policy_body: str | None = None,
    ) -> Any:
        before = set(self.stacks)
        try:
            return moto_create(
                self, name, template, parameters, notification_arns, tags, role_arn, enable_termination_protection,
                timeout_in_mins, stack_policy_body,
            )  # fmt: skip
        except unknown_type:
            for stack_id in set(self.stacks) - before:
                del self.stacks[stack_id]
            raise
        except Exception as error:
            new = [stack for stack in self.stacks.values() if stack.stack_id not in before and stack.name == name]
            if not new:
                raise  # the request was refused: there is no stack
            _roll_back(self, new[0], error)
            return new[0]

    @patching.extend(CloudFormationBackend, "execute_change_set")
    def execute_change_set(moto_execute: Any, self: Any, change_set_name: str, stack_name: str | None = None) -> None:
        change_set = self.describe_change_set(change_set_name)
        try:
            moto_execute(self, change_set_name, stack_name)
        except Exception as error:
            if change_set.change_set_type != "CREATE" or isinstance(error, unknown_type):
                raise
            stack = self.stacks[change_set.stack_id]
            stack.template = change_set.template
            change_set.execution_status = "EXECUTE_FAILED"
            _roll_back(self, stack, error)


def _roll_back(backend: Any, stack: Any, error: Exception) -> None:
    """Delete what the stack has created, and leave it in the status from which it can only be deleted."""
    from moto.cloudformation.parsing import OutputMap

    reason = str(error) or type(error).__name__
    stack._add_stack_event("ROLLBACK_IN_PROGRESS", resource_status_reason=reason)
    stack.resource_map.delete()
    for name in [name for name, export in backend.exports.items() if export.exporting_stack_id == stack.stack_id]:
        del backend.exports[name]
    stack.output_map = OutputMap(stack.resource_map, {}, stack.stack_id)
    stack.status = "ROLLBACK_COMPLETE"
    stack.stack_status_reason = reason
    stack._add_stack_event("ROLLBACK_COMPLETE")

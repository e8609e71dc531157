"""What every service of local AWS has."""

from __future__ import annotations

from local_aws.context import LocalContext


class Service:
    """One service of one local AWS. It owns the state of the service, and extends moto to use it."""

    def __init__(self, context: LocalContext) -> None:
        self.context = context

    def install(self) -> None:
        """Extend moto; called once, before the first request.

        Raises:
            PatchError: moto is not as this service expects.
        """
        raise NotImplementedError

    def shutdown(self) -> None:
        """End what the service started."""

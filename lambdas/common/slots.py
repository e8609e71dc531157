"""Slots: at most so many runs work at once. The others wait, and collect files while they wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.ledger import Ledger
from ptmlops_contracts.ledger import SLOTS_KEY, ledger_time, run_of_holder

# Returns True if the execution of a run runs, and was redriven exactly so often.
IsExecuting = Callable[[str, int], bool]


@dataclass(frozen=True, kw_only=True)
class Slots:
    """The slots of an environment.

    Attributes:
        ledger: the table with the item of the slots.
        most: how many runs may work at once. Only `take` needs it.
    """

    ledger: Ledger
    most: int = 1

    def take(self, holder: str, *, large: bool, now: datetime) -> bool:
        """Take a slot, unless the run has one. Returns False if all are taken, or if runs are paused while rows are erased.

        A large run leaves one slot to smaller ones, if there are two or more: a file that takes hours does not delay the others.
        """
        # `size` of a set that does not exist fails, so each clause comes with attribute_not_exists.
        free = "attribute_not_exists(holders) OR size(holders) < :most"
        if large and self.most > 1:
            free = f"({free}) AND (attribute_not_exists(large_holders) OR size(large_holders) < :most_large)"
        values: dict[str, Any] = {"most_large": self.most - 1} if large and self.most > 1 else {}
        request = self.ledger.change(
            SLOTS_KEY,
            "ADD holders :holder" + (", large_holders :holder" if large else ""),
            f"contains(holders, :name) OR ((attribute_not_exists(paused_until) OR paused_until < :now) AND ({free}))",
            holder={holder},
            name=holder,
            most=self.most,
            now=ledger_time(now),
            **values,
        )
        return self.ledger.update(request)

    def release_ended(self, is_executing: IsExecuting) -> None:
        """Release the slots of executions that have ended without releasing theirs, or that were redriven since."""
        item = self.ledger.find(SLOTS_KEY) or {}
        ended = {holder for holder in item.get("holders", ()) if not is_executing(*run_of_holder(holder))}
        if ended:
            self.release(ended)

    def release(self, holders: set[str]) -> None:
        """Release slots; those that are free already stay free."""
        expression = "DELETE holders :ended, large_holders :ended"
        self.ledger.update(self.ledger.change(SLOTS_KEY, expression, "attribute_exists(pk)", ended=holders))

"""Slots: at most so many runs work at once. The others wait, and collect files while they wait.

If runs fail one after the other, and not because of their files, a service is probably sick. Then the others wait, too, and one run at a
time tries whether it works again (a circuit breaker with a half-open probe).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from common.ledger import Ledger, deserialize, serialize
from ptmlops_contracts.ledger import SLOTS_KEY, ledger_time, run_of_holder

# So many runs fail before the others wait. The first wait; each further failure doubles it.
FAILURES, FIRST_WAIT, LONGEST_WAIT = 3, timedelta(minutes=5), timedelta(hours=1)
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
        """Take a slot, unless the run has one.

        Returns False if all are taken, if runs are paused while rows are erased, or if runs failed one after the other: then the time of
        the next try has not come, or the run that tries works.

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
            "contains(holders, :name) OR ((attribute_not_exists(paused_until) OR paused_until < :now) AND "
            f"(attribute_not_exists(retry_at) OR (retry_at < :now AND attribute_not_exists(holders))) AND ({free}))",
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

    def note_failure(self, run_id: str, *, because: str, now: datetime) -> datetime | None:
        """Count a run that failed, and not because of its files. Safe to repeat.

        Args:
            run_id: the run.
            because: state and error, for people who ask why runs wait.
            now: the time.

        Returns:
            When one run may try again, or None if the others need not wait.
        """
        failed = len(
            self._change("ADD failed_runs :run SET failed_because = :because", run={run_id}, because=because)["failed_runs"]
        )
        if failed < FAILURES:
            return None
        retry_at = now + min(FIRST_WAIT * 2 ** min(failed - FAILURES, 10), LONGEST_WAIT)
        self._change("SET retry_at = :at", at=ledger_time(retry_at))
        return retry_at

    def note_success(self) -> None:
        """Let all runs work again."""
        self.ledger.update(
            self.ledger.change(SLOTS_KEY, "REMOVE failed_runs, failed_because, retry_at", "attribute_exists(failed_runs)")
        )

    def _change(self, expression: str, **values: Any) -> dict[str, Any]:
        """Change the item, and return it as it is then."""
        answer = self.ledger.client.update_item(
            TableName=self.ledger.table,
            Key={"pk": {"S": SLOTS_KEY}},
            UpdateExpression=expression,
            ExpressionAttributeValues=serialize({f":{name}": value for name, value in values.items()}),
            ReturnValues="ALL_NEW",
        )
        return deserialize(answer["Attributes"])

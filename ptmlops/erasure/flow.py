"""The way of an erasure: finish what was interrupted, let runs wait, search, plan, carry out, search again, record."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from ptmlops.erasure import documents, models, record
from ptmlops.erasure import plan as plans
from ptmlops.erasure.carrying import carry_out
from ptmlops.erasure.pause import paused
from ptmlops.erasure.person import Person, fold_name, fold_value
from ptmlops.erasure.plan import Plan
from ptmlops.erasure.search import search
from ptmlops.errors import OperatorError
from ptmlops.target import Target
from stacks.config import Settings

Report = Callable[[str], None]
# Searches after the first one. Runs wait meanwhile, so that one is enough unless something else writes rows.
MOST_SEARCHES = 3


@dataclass(frozen=True, kw_only=True)
class Named:
    """What the operator named.

    Attributes:
        ids: complaint ids.
        where: columns, each with the value that the person has there.
        texts: complaints as the person wrote them.
        same_text: follow the texts of the rows that are found.
    """

    ids: Sequence[str] = ()
    where: Sequence[tuple[str, str]] = ()
    texts: Sequence[str] = ()
    same_text: bool = True

    def counts(self) -> dict[str, int]:
        """Return how many of each were named."""
        return {"complaint_ids": len(self.ids), "values": len(self.where), "texts": len(self.texts)}

    def facts(self) -> list[str]:
        """Return what of them is recorded as keyed hashes; texts are recorded by their fingerprints."""
        return [
            *(f"id:{id_}" for id_ in self.ids),
            *(f"where:{fold_name(name)}={fold_value(value)}" for name, value in self.where),
        ]


@dataclass(kw_only=True)
class Outcome:
    """What a call did.

    Attributes:
        erasure_id: None if there were no rows, or nothing was to be changed.
        rows: rows that were erased, or would be.
        erased: the same per place, with the versions that were rewritten and deleted.
        models: numbers of the model versions that learned from them.
        completed: interrupted erasures that this call finished.
        unfinished: interrupted erasures that a dry run left.
        earlier: when rows of the same ids or texts were erased before.
        searched: object versions that were read.
        unreadable: those of them that are no tables or texts.
        record: the key of the record.
        retrained: how the new model differs.
    """

    dry_run: bool
    erasure_id: str | None = None
    rows: int = 0
    erased: dict[str, dict[str, int]] = field(default_factory=dict)
    models: list[int] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)
    searched: int = 0
    unreadable: int = 0
    record: str | None = None
    retrained: dict[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return asdict(self)


def look(target: Target, named: Named, settings: Settings, report: Report) -> Outcome:
    """Search, and change nothing."""
    person = person_of(named, settings)
    plan = _plan(target, named, person, settings, report)
    outcome = _outcome(plan, dry_run=True)
    outcome.erasure_id = None
    outcome.unfinished = [one.erasure_id for one in plans.unfinished(target)]
    outcome.earlier = _earlier(target, named, person)
    return outcome


def forget(target: Target, named: Named, settings: Settings, *, wait: bool, report: Report) -> Outcome:
    """Erase a person's rows.

    Raises:
        OperatorError: a run works, or rows appear again and again.
    """
    with paused(target, wait=wait, report=report) as renew:
        completed = []
        learned: set[int] = set()
        for unfinished in list(plans.unfinished(target)):
            report(f"finishing the erasure of {unfinished.begun_at}")
            _finish(target, unfinished, renew, report)
            completed.append(unfinished.erasure_id)
            learned.update(unfinished.models)

        def searching(message: str) -> None:
            renew()
            report(message)

        person = person_of(named, settings)
        plan = _plan(target, named, person, settings, searching)
        outcome = _outcome(plan, dry_run=False)
        outcome.completed = completed
        outcome.models = sorted({*outcome.models, *learned}, reverse=True)
        if not plan.parts:
            outcome.erasure_id = completed[-1] if completed else None
            outcome.earlier = _earlier(target, named, person)
            return outcome
        key = record.secret(target)
        plan.hashes = sorted({*record.hashes_of(person, key), *record.keyed(named.facts(), key)})
        for _ in range(MOST_SEARCHES):
            plans.save(target, plan)
            _carry_out(target, plan, renew, report)
            again = search(target, person, settings, searching)
            if not again.parts:
                break
            plan.parts += again.parts
        else:
            raise OperatorError(
                "rows were written while they were erased: find out what writes to the buckets beside the runs, and run the command again"
            )
        outcome.erased, outcome.rows = plan.counts(), plan.rows
        outcome.record = record.write(target, plan)
        plans.remove(target, plan)
    return outcome


def person_of(named: Named, settings: Settings) -> Person:
    """Return what is known of a person at the beginning."""
    return Person(
        ids=named.ids,
        where=named.where,
        texts=named.texts,
        max_text_characters=settings.complaints.max_text_characters,
        same_text=named.same_text,
    )


def _plan(target: Target, named: Named, person: Person, settings: Settings, report: Report) -> Plan:
    now = datetime.now(UTC)
    found = search(target, person, settings, report)
    plan = Plan(
        erasure_id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}",
        begun_at=now.isoformat(timespec="seconds"),
        named=named.counts(),
        parts=found.parts,
        searched=found.searched,
        unreadable=found.unreadable,
    )
    if plan.parts:
        plan.runs = documents.runs_of_uploads(target, plan)
        plan.models = models.that_learned(target, plan)
    return plan


def _carry_out(target: Target, plan: Plan, renew: Callable[[], None], report: Report) -> None:
    carry_out(target, plan, renew, report)
    documents.update(target, plan, renew)


def _finish(target: Target, plan: Plan, renew: Callable[[], None], report: Report) -> None:
    """Carry out an interrupted plan, and record it."""
    _carry_out(target, plan, renew, report)
    record.write(target, plan)
    plans.remove(target, plan)


def _outcome(plan: Plan, *, dry_run: bool) -> Outcome:
    return Outcome(
        dry_run=dry_run,
        erasure_id=plan.erasure_id if plan.parts else None,
        rows=plan.rows,
        erased=plan.counts(),
        models=plan.models,
        searched=plan.searched,
        unreadable=plan.unreadable,
    )


def _earlier(target: Target, named: Named, person: Person) -> list[str]:
    key = record.existing_secret(target)
    if key is None:
        return []
    hashes = {*record.hashes_of(person, key), *record.keyed(named.facts(), key)}
    return [one["ended_at"] for one in record.earlier(target, hashes)]

"""The plan of an erasure: which rows of which object versions. It is saved before anything is changed, so that a second call completes it.

It holds positions, keyed hashes and names of objects, and no text, id or value.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from ptmlops import runs
from ptmlops.erasure.formats import Doomed
from ptmlops.erasure.places import PREPARED, place_of
from ptmlops.target import Target
from ptmlops_contracts.keys import UNFINISHED_ERASURES, run_of_labelled_part


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of an object.

    Attributes:
        bucket: the stack output that names the bucket.
        latest: no newer version or delete marker hides it.
    """

    bucket: str
    key: str
    version_id: str
    size: int
    latest: bool

    @property
    def name(self) -> tuple[str, str, str]:
        """What identifies it."""
        return (self.bucket, self.key, self.version_id)


@dataclass
class Part:
    """The rows to erase from one version of an object.

    Attributes:
        version: the version.
        tables: the doomed rows per table.
        whole: no row of anybody else is in it.
    """

    version: Version
    tables: list[Doomed] = field(default_factory=list)
    whole: bool = False

    @property
    def rows(self) -> int:
        """How many rows are erased. A file that nobody can read as rows counts as one."""
        return sum(len(table.units) for table in self.tables)

    @property
    def deletes(self) -> bool:
        """True if the version is deleted and not rewritten: it holds nothing else, or a newer one has replaced it."""
        return self.whole or not self.version.latest

    @property
    def what(self) -> str:
        """The place, for people."""
        return place_of(self.version.bucket, self.version.key).what


@dataclass
class Plan:
    """An erasure.

    Attributes:
        erasure_id: when it began, and a random part.
        named: how many ids, columns and texts were named.
        parts: what is erased.
        hashes: keyed hashes of what was named and of the ids and texts of the rows.
        runs: the runs that read the uploads.
        models: numbers of the model versions that learned from the rows.
        searched: versions that were read.
        unreadable: uploads and other files that cannot be searched for rows, such as images and PDFs.
    """

    erasure_id: str
    begun_at: str
    named: dict[str, int] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    models: list[int] = field(default_factory=list)
    searched: int = 0
    unreadable: int = 0

    def counts(self) -> dict[str, dict[str, int]]:
        """Return for each place how many rows are erased, and how many versions are rewritten and deleted."""
        found: dict[str, Counter[str]] = {}
        for part in self.parts:
            count = found.setdefault(part.what, Counter(rows=0, rewritten=0, deleted=0))
            count["rows"] += part.rows
            count["deleted" if part.deletes else "rewritten"] += 1
        return {what: dict(count) for what, count in found.items()}

    def learned_from(self) -> set[tuple[str, str]]:
        """Return the runs and splits whose labelled rows are erased."""
        keys = (part.version.key for part in self.parts if part.version.bucket == PREPARED)
        return {(run, key.split("/")[1]) for key in keys if (run := run_of_labelled_part(key))}

    @property
    def rows(self) -> int:
        """How many rows are erased. A complaint has several: in its upload, the records, the exports and so on."""
        return sum(part.rows for part in self.parts)

    @property
    def key(self) -> str:
        """Where the plan is saved."""
        return f"{UNFINISHED_ERASURES}{self.erasure_id}.json"

    def document(self) -> dict[str, Any]:
        """Return the plan as JSON has it."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Plan:
        """Return the plan of a document."""
        parts = [
            Part(
                Version(**part["version"]),
                [
                    Doomed(table["table"], table["how"], [tuple(unit) for unit in table["units"]], table["left"])
                    for table in part["tables"]
                ],
                part["whole"],
            )
            for part in document["parts"]
        ]
        return cls(**{name: value for name, value in document.items() if name != "parts"}, parts=parts)


def save(target: Target, plan: Plan) -> None:
    """Store the plan."""
    body = json.dumps(plan.document(), ensure_ascii=False).encode()
    target.client("s3").put_object(Bucket=target.outputs[PREPARED], Key=plan.key, Body=body, ContentType="application/json")


def unfinished(target: Target) -> Iterator[Plan]:
    """Yield the plans that were not carried out to their end, oldest first."""
    bucket = target.outputs[PREPARED]
    for key in sorted(runs.keys(target, bucket, UNFINISHED_ERASURES)):
        if document := runs.read_json(target, bucket, key):
            yield Plan.of(document)


def remove(target: Target, plan: Plan) -> None:
    """Delete the plan with all its versions: it has been carried out."""
    bucket, s3 = target.outputs[PREPARED], target.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=plan.key):
        for version in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])

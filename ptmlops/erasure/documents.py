"""Keep the documents of runs in step with their rows: counts, names and versions of uploads, lists of objects.

A failed run can be redriven or replayed after an erasure only if they agree: Publish compares counts, and Prepare reads versions. All numbers
are counted anew, so that a step that is repeated changes nothing.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from ptmlops import runs
from ptmlops.erasure.person import fold_name
from ptmlops.erasure.places import OUTPUT, PREPARED, RAW
from ptmlops.erasure.plan import Plan
from ptmlops.erasure.search import versions_of
from ptmlops.erasure.stored import _RUN
from ptmlops.ledger import Ledger
from ptmlops.target import Target
from ptmlops_contracts.keys import OutputKeys, PreparedKeys
from ptmlops_contracts.ledger import file_key
from ptmlops_contracts.report import LEARNED_SPLITS, OTHERS, SPLITS, Flag, RecordStatus

Change = Callable[[dict[str, Any]], None]


@dataclass
class _Uploads:
    """What became of the uploads of a plan: new versions of those that were rewritten, and those that were deleted.

    Both are known by key and version.
    """

    rewritten: dict[tuple[str, str], dict[str, Any]]
    deleted: set[tuple[str, str]]

    def is_deleted(self, key: str, version_id: str) -> bool:
        """Return True for a deleted upload, and for a table in it."""
        return any(version == version_id and f"{key}/".startswith(f"{name}/") for name, version in self.deleted)

    @property
    def names(self) -> list[str]:
        """The keys of deleted uploads, the longest first."""
        return sorted({key for key, _ in self.deleted}, key=len, reverse=True)


def runs_of_uploads(target: Target, plan: Plan) -> list[str]:
    """Return the runs that read the plan's uploads. It is asked before uploads leave the ledger."""
    bucket, ledger = target.outputs[RAW], Ledger.of(target)
    wanted = [file_key(bucket, part.version.key, part.version.version_id) for part in plan.parts if part.version.bucket == RAW]
    first = {str(item["run_id"]) for item in ledger.items(wanted)}
    return sorted({name for run_id in first for name, _ in ledger.successors(run_id)})


def update(target: Target, plan: Plan, renew: Callable[[], None]) -> None:
    """Bring the documents of all runs that the plan touches in step."""
    uploads, learned = _uploads(target, plan), {run_id for run_id, split in plan.learned_from() if split in LEARNED_SPLITS}
    touched = {match[0] for part in plan.parts if (match := _RUN.search(part.version.key))} | set(plan.runs)
    for run_id in sorted(touched):
        renew()
        _update_run(target, run_id, uploads, erased_at=plan.begun_at if run_id in learned else None)


def _uploads(target: Target, plan: Plan) -> _Uploads:
    bucket, ledger = target.outputs[RAW], Ledger.of(target)
    found = _Uploads({}, set())
    for part in plan.parts:
        version = part.version
        if version.bucket != RAW:
            continue
        if part.deletes:
            found.deleted.add((version.key, version.version_id))
            continue
        for one in versions_of(target, RAW, version.key):
            item = next(iter(ledger.items([file_key(bucket, version.key, one.version_id)])), {})
            if one.key == version.key and item.get("rewrites"):
                new = {"version_id": one.version_id, "size": one.size}
                found.rewritten[(version.key, item["rewrites"])] = found.rewritten[(version.key, version.version_id)] = new
    return found


def _update_run(target: Target, run_id: str, uploads: _Uploads, *, erased_at: str | None) -> None:
    prepared, output = PreparedKeys(run_id), OutputKeys(run_id)
    lines = _count_lines(target, prepared)
    # Plan trains again if rows that the newest model learned from were erased.
    _change(
        target,
        PREPARED,
        prepared.complete,
        lambda mark: mark.update(lines or {}, **({"erased_at": erased_at} if erased_at else {})),
    )
    _change(target, PREPARED, prepared.manifest, lambda manifest: _change_manifest(manifest, uploads))
    counts = _count_records(target, prepared)

    def change_report(report: dict[str, Any]) -> None:
        report["files"] = [file for file in report["files"] if not uploads.is_deleted(file["key"], file["version_id"])]
        report["notes"] = [note for note in report.get("notes", []) if note.get("file") not in uploads.names]
        if counts is not None:
            _change_counts(report, counts, lines or {})

    _change(target, PREPARED, prepared.report, change_report)
    for split in SPLITS:
        _drop_missing(target, prepared.split_manifest(split))
    rows = {key: count["read"] for key, count in counts.files.items()} if counts else {}
    for bucket, key in ((PREPARED, prepared.published), (OUTPUT, output.marker)):
        _change(target, bucket, key, lambda marker: _change_marker(target, marker, uploads, rows))
    _rename(target, output.report_page, uploads)


# -- counting ---------------------------------------------------------------------------------------------------------


class _Counts:
    """Rows of a run, as they are now."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], Counter[str]] = {}
        self.to_score = 0
        self.labelled: Counter[str] = Counter()
        self.repeated: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.labels: set[str] = set()  # folded, as given and as read

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row of the records, or a rejected one."""
        status = row.get("status", "rejected")
        file = self.files.setdefault((row["source_file"], row["source_version"]), Counter())
        file["read"] += 1
        self.labels.update(fold_name(row[name]) for name in ("label", "label_original") if row.get(name))
        file["duplicates" if status == RecordStatus.DUPLICATE else status] += 1
        if status == "rejected":
            self.reasons[row["reason"]] += 1
        if status != RecordStatus.ACCEPTED:
            return
        if row["label"] is None:
            self.to_score += 1
        else:
            self.labelled[row["split"]] += 1
            self.repeated[row["split"]] += str(Flag.REPEATED) in (row["flags"] or ())


def _count_records(target: Target, prepared: PreparedKeys) -> _Counts | None:
    """Count the rows of a run, or return None if it has no records (any more)."""
    counts, seen = _Counts(), False
    columns = ["source_file", "source_version", "status", "label", "label_original", "split", "flags", "reason"]
    for prefix in (prepared.records, prepared.rejected):
        for row in _parquet(target, prefix, columns):
            seen = True
            counts.add(row)
    return counts if seen else None


def _parquet(target: Target, prefix: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    bucket, s3 = target.outputs[PREPARED], target.client("s3")
    with TemporaryDirectory(prefix="ptmlops-forget-") as folder:
        for key in runs.keys(target, bucket, prefix):
            if key.endswith(".parquet"):
                s3.download_file(bucket, key, f"{folder}/rows")
                file = pq.ParquetFile(f"{folder}/rows")
                for batch in file.iter_batches(columns=[name for name in columns if name in file.schema_arrow.names]):
                    yield from batch.to_pylist()


def _count_lines(target: Target, prepared: PreparedKeys) -> dict[str, int] | None:
    """Count the labelled lines of a run per split, or return None if it has no mark."""
    bucket, s3 = target.outputs[PREPARED], target.client("s3")
    if runs.read_json(target, bucket, prepared.complete) is None:
        return None
    return {
        split: sum(
            sum(1 for line in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_lines() if line)
            for key in runs.keys(target, bucket, prepared.labelled(split))
        )
        for split in SPLITS
    }


# -- changes of each document -----------------------------------------------------------------------------------------


def _change_counts(report: dict[str, Any], counts: _Counts, lines: Mapping[str, int]) -> None:
    names = ("read", "accepted", "rejected", "duplicates")
    for file in report["files"]:
        found = counts.files.get((file["key"], file["version_id"]), Counter())
        file["rows"] = {name: found[name] for name in names}
    report["rows"] = {name: sum(file["rows"][name] for file in report["files"]) for name in names}
    report["to_score"] = counts.to_score
    report["rejects"] = dict(sorted(counts.reasons.items()))
    for name in ("labels", "rare_labels", "unknown_labels"):  # a label that only erased rows had may be anything
        if name in report:
            report[name] = {
                label: rows for label, rows in report[name].items() if label == OTHERS or fold_name(label) in counts.labels
            }
    report["labelled"] = {split: counts.labelled[split] for split in SPLITS}
    report["labelled_repeated"] = {split: counts.repeated[split] for split in SPLITS}
    if lines:
        report["labelled_earlier"] = {
            split: max(lines[split] - counts.labelled[split] + counts.repeated[split], 0) for split in SPLITS
        }


def _change_manifest(manifest: dict[str, Any], uploads: _Uploads) -> None:
    files = [file for file in manifest["files"] if (file["key"], file["version_id"]) not in uploads.deleted]
    manifest["files"] = [{**file, **uploads.rewritten.get((file["key"], file["version_id"]), {})} for file in files]


def _change_marker(target: Target, marker: dict[str, Any], uploads: _Uploads, rows: Mapping[tuple[str, str], int]) -> None:
    bucket = target.outputs[OUTPUT]
    present = {
        key
        for prefix in {name.rpartition("/")[0] + "/" for name in marker.get("files", [])}
        for key in runs.keys(target, bucket, prefix)
    }
    exports = [
        export
        for export in marker.get("exports", [])
        if not uploads.is_deleted(export["source_file"], export["source_version"])
    ]
    for export in exports:
        export["rows"] = rows.get((export["source_file"], export["source_version"]), export["rows"])
        for name in ("keys", "excel_keys"):
            if name in export:
                export[name] = [key for key in export[name] if key in present]
    marker["exports"] = exports
    # The folder of the table is listed as such. run.json is listed before Record writes it.
    document = OutputKeys(marker["run_id"]).document
    marker["files"] = [key for key in marker.get("files", []) if key.endswith("/") or key in present or key == document]


def _drop_missing(target: Target, key: str) -> None:
    """Leave objects that are gone out of a manifest for SageMaker."""
    bucket = target.outputs[PREPARED]
    body: Any = runs.read_json(target, bucket, key)
    if body is None:
        return
    prefixes = {name.rpartition("/")[0] + "/" for name in body[1:]}
    present = {name for prefix in prefixes for name in runs.keys(target, bucket, prefix)}
    kept = [body[0], *(name for name in body[1:] if name in present)]
    if kept != body:
        _put(target, PREPARED, key, json.dumps(kept), "application/json")


def _rename(target: Target, key: str, uploads: _Uploads) -> None:
    """Take the names of deleted uploads out of a report's page."""
    bucket, s3 = target.outputs[OUTPUT], target.client("s3")
    if not uploads.names or not runs.keys(target, bucket, key):
        return
    page = old = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    for name in uploads.names:
        page = page.replace(html.escape(name), "-")
    if page != old:
        _put(target, OUTPUT, key, page, "text/html; charset=utf-8")


def _change(target: Target, bucket: str, key: str, change: Change) -> None:
    """Change a JSON document if it exists. Earlier versions are deleted, because they may name a deleted upload."""
    document = runs.read_json(target, target.outputs[bucket], key)
    if document is None:
        return
    before_change = json.dumps(document)
    change(document)
    if json.dumps(document) != before_change:
        _put(target, bucket, key, json.dumps(document, ensure_ascii=False, indent=1), "application/json")


def _put(target: Target, bucket: str, key: str, text: str, content_type: str) -> None:
    name, s3 = target.outputs[bucket], target.client("s3")
    s3.put_object(Bucket=name, Key=key, Body=text.encode(), ContentType=content_type)
    for version in list(versions_of(target, bucket, key)):
        if version.key == key and not version.latest:
            s3.delete_object(Bucket=name, Key=key, VersionId=version.version_id)

"""How well it would do on somebody's own files: the pipeline's preparation, training, evaluation and scoring, without any AWS.

What runs is the code that the jobs run: Prepare in a Spark of its own process (ptmlops/trial_spark.py), then the entry
scripts of training/ called as functions, on folders laid out as docs/contracts.md says.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_aws import ROOT, java
from ptmlops.job_code import reach_jobs
from ptmlops.target import OperatorError
from ptmlops_contracts.files import SEPARATORS
from ptmlops_contracts.keys import ANY_RUN, PreparedKeys, labelled_folder
from stacks.config import Settings

if TYPE_CHECKING:
    from complaint_model.classifier import Model
    from complaints_etl.reading import Row, Table

OUR_COLUMNS = ("label", "confidence", "needs_review", "alternatives", "top_terms", "status", "reason")
PREDICTIONS, EVALUATION = "predictions.csv", "evaluation.json"
BATCH = 500

# Opens a step that a person watches: it yields what tells news about it.
Step = Callable[[str], AbstractContextManager[Callable[[str], None]]]


@dataclass(frozen=True)
class Trial:
    """What was found out: the document of evaluation.json, and what was written."""

    document: dict[str, Any]
    files: list[Path]


@dataclass
class _Preparing:
    """The Spark process; `wait_for` one file after the other, in the order in which they were asked for."""

    process: subprocess.Popen[str]
    log: Path
    done: set[str] = field(default_factory=set)

    def wait_for(self, name: str) -> None:
        """Until the file is prepared.

        Raises:
            OperatorError: Spark ended before; the message is its last exception's.
        """
        assert self.process.stdout is not None  # noqa: S101 - a pipe, see _preparing
        while name not in self.done:
            line = self.process.stdout.readline()
            if not line:
                raise OperatorError(f"the preparation failed: {self._last_error()}")
            if line.startswith("prepared "):
                self.done.add(line.split()[1])

    def _last_error(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        named = (line for line in reversed(lines) if re.match(r"^[\w.]*(Error|Exception)\b", line))
        found = next(named, next((line for line in reversed(lines) if line.strip()), "Spark ended without a message"))
        return re.sub(r"^[\w.]*Error: ", "", found)[:500]


def run(labelled: Path, score: Path | None, out: Path, settings: Settings, step: Step) -> Trial:
    """Prepare, train, evaluate, train again on everything, score; write predictions.csv and evaluation.json into `out`.

    Args:
        labelled: complaints with their labels.
        score: complaints to label; its own labels, where it has any, are neither read nor learned from.
        out: a folder, made where it is missing.
        settings: the environment's.
        step: shows what is going on.

    Raises:
        OperatorError: the files or the folder cannot be used; says which and what to do.
    """
    began = time.monotonic()
    reach_jobs()
    _check_table(labelled, settings, needs_label=True)
    if score:
        _check_table(score, settings, needs_label=False)
    _check_folder(out, [path for path in (labelled, score) if path])
    files = [("labelled", labelled)] + ([("score", score)] if score else [])
    with tempfile.TemporaryDirectory(prefix="ptmlops-try-", ignore_cleanup_errors=True) as scratch:
        base = Path(scratch)
        with _preparing(base, files, settings) as preparing:
            with step("Prepare") as tell:
                preparing.wait_for("labelled")
                report = _report(base / "labelled")
                found, rare = len(report["labels"]), len(report["rare_labels"])
                _check_labels(labelled, enough=found, rare=rare, least=report["min_label_rows"])
                tell(_rows(report))
            # The file to score is prepared meanwhile.
            document = _learn(base, settings, report, step)
            if score:
                with step("Score") as tell:
                    preparing.wait_for("score")
                    scored = _score(base, score, out, settings, tell)
                document["scored"] = scored
        document["data"] = {name: report[name] for name in _TOLD_OF_DATA}
        document["notes"] += _notes(report, document, settings)
        document["seconds"] = round(time.monotonic() - began, 1)
        written = [out / PREDICTIONS] if score else []
        if not score:  # of an earlier try: it would stand beside results that it does not belong to
            (out / PREDICTIONS).unlink(missing_ok=True)
        _write(out / EVALUATION, json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    return Trial(document, [*written, out / EVALUATION])


# -- what can be refused before anything is started -------------------------------------------------------------------


def _check_folder(out: Path, inputs: Sequence[Path]) -> None:
    if out.exists() and not out.is_dir():
        raise OperatorError(f"{out} is a file: --out names a folder")
    for path in inputs:
        if path.resolve() == (out / PREDICTIONS).resolve():
            raise OperatorError(f"{path} would be overwritten by the result: choose another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise OperatorError(f"{out} cannot be written to ({error.strerror}): choose another --out") from None
    for name in (PREDICTIONS, EVALUATION):
        if (out / name).is_dir():
            raise OperatorError(f"{out / name} is a folder, and a result is written there: choose another --out")


def _check_table(path: Path, settings: Settings, *, needs_label: bool) -> None:
    table = _read(path, settings)
    column = table.columns.get("label")
    if needs_label and column is None:
        names = ", ".join(settings.complaints.columns.label)
        raise OperatorError(f"{path} has no label column: name one {names}, or give it to --score")
    if not needs_label or column is None or settings.complaints.label_map:
        if next(table.rows, None) is None:
            raise OperatorError(f"{path} has a header and no complaint under it")
        return
    from complaints_etl.cells import label as read_label

    # Prepare counts again, without the duplicates; what cannot become enough is refused before Spark starts.
    rows = Counter(read_label(row.values.get(column)) for row in table.rows if not row.reason)
    least = settings.complaints.min_label_rows
    labels = {label: count for label, count in rows.items() if label}
    if not rows:
        raise OperatorError(f"{path} has no complaint that can be read under its header")
    if not labels:
        raise OperatorError(f"{path} has no label in its column {column}: fill it in, or give the file to --score")
    enough = {label: count for label, count in labels.items() if count >= least}
    _check_labels(path, enough=len(enough), rare=len(labels) - len(enough), least=least)


def _read(path: Path, settings: Settings) -> Table:
    from complaints_etl.reading import UnreadableFileError, read_table

    try:
        return read_table(path.name, path.read_bytes(), settings.complaints.columns.model_dump())
    except UnreadableFileError as error:
        raise OperatorError(f"{path} cannot be used: {error}") from None
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}") from None


def _check_labels(path: Path, *, enough: int, rare: int, least: int) -> None:
    if enough < 2:
        raise OperatorError(
            f"{path} has {enough} label(s) with at least {least} different complaints"
            f"{f' and {rare} with fewer' if rare else ''}, and 2 are needed to learn from: add labelled complaints, or lower "
            "complaints.min_label_rows in the environment's settings"
        )


# -- Prepare ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _preparing(base: Path, files: Sequence[tuple[str, Path]], settings: Settings) -> Iterator[_Preparing]:
    """Start Spark on the files; whatever happens, nothing of it is left running."""
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        raise OperatorError("Java 17 is needed for Spark: install a Java 17 runtime and put java on the PATH")
    tables = json.loads(settings.job_settings())
    # The limit keeps a run from costing money on a broken file; here nothing costs any, and every row gets its answer.
    tables["complaints"]["max_reject_share"] = 1.0
    request = base / "request.json"
    wanted = [{"name": name, "path": str(path.resolve()), "labelled": name == "labelled"} for name, path in files]
    told = {"folder": str(base), "settings": tables, "files": wanted, "java": java.SHORT_JOBS}
    request.write_text(json.dumps(told), encoding="utf-8")
    log = base / "spark.log"
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "ptmlops.trial_spark", str(request)],
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))},
                "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "glue_jobs"))),
                "PYSPARK_PYTHON": sys.executable,
                "SPARK_LOCAL_IP": "127.0.0.1",
                "PYTHONWARNINGS": "ignore",
                "LC_ALL": "C.UTF-8",  # Java names files by it, and a person's folder may have any name
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    try:
        yield _Preparing(process, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its work is on disk, or nobody wants it any more
        process.wait()
        if process.stdout:
            process.stdout.close()


def _report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(next(folder.glob(PreparedKeys(ANY_RUN).report)).read_text(encoding="utf-8"))
    return found


def _rows(report: dict[str, Any]) -> str:
    rows = report["rows"]
    return ", ".join(f"{rows[name]:,} {name}" for name in ("read", "accepted", "rejected", "duplicates"))


# -- train, evaluate, train again -------------------------------------------------------------------------------------


def _learn(base: Path, settings: Settings, report: dict[str, Any], step: Step) -> dict[str, Any]:
    """Evaluate as a run does, then train on all rows; the model is in `base/model`. Returns evaluate.py's document and more."""
    import evaluate
    from complaint_model import artifact
    from complaint_model.artifact import ArtifactError
    from complaint_model.classifier import TrainingError
    from complaint_model.evaluation import named
    from complaint_model.records import DataError, read_labelled
    from train import parse_settings, train

    chosen = settings.training
    knobs = parse_settings(["--seed", str(chosen.seed), "--target_precision", str(chosen.target_precision)])
    given = base / "evaluation" / "input"
    learn, held_out = given / "train", given / "test"
    learn.mkdir(parents=True)
    for split, target in (("train", learn / "train"), ("validation", learn / "validation"), ("test", held_out)):
        source = base / "labelled" / labelled_folder(split)
        source.rename(target) if source.is_dir() else target.mkdir()
    request = {"run_id": "try", "champion_version": "none", "seed": chosen.seed, "target_precision": chosen.target_precision}
    (given / "request").mkdir()
    (given / "request" / "request.json").write_text(json.dumps(request), encoding="utf-8")
    try:
        with step("Train") as tell, _telling_log(tell):
            train(
                knobs,
                train_dir=learn / "train",
                validation_dir=learn / "validation",
                model_dir=base / "candidate",
                checkpoints=None,
            )
            tell(f"{report['labelled']['train'] + report['labelled']['validation']:,} rows, {len(report['labels'])} labels")
        with step("Evaluate") as tell:
            (given / "candidate").mkdir()
            with tarfile.open(given / "candidate" / "model.tar.gz", "w:gz", compresslevel=1) as archive:
                archive.add(base / "candidate", arcname=".")
            document: dict[str, Any] = evaluate.evaluate(base / "evaluation")
            tell(f"{document['holdout']['rows']:,} held-out rows")
        with step("Train on all rows") as tell, _telling_log(tell):
            train(knobs, train_dir=learn, validation_dir=held_out, model_dir=base / "model", checkpoints=None)
            about = artifact.load(base / "model").about
            tell(f"{about['training_rows']:,} rows")
    except (TrainingError, DataError, ArtifactError) as error:
        raise OperatorError(str(error)) from None
    document["cross_fitted"] = {"rows": about["training_rows"], **about["metrics"]}
    groups: dict[str, set[str]] = {}
    for row in read_labelled(learn, held_out):
        groups.setdefault(row.label, set()).add(row.group)
    if copies := sorted(label for label, own in groups.items() if len(own) == 1):
        told = "labels whose complaints are all near-copies of each other, so that their cross-fitted figures are of copies"
        document["notes"].append(f"{told}: {named(copies)}")
    return document


@contextlib.contextmanager
def _telling_log(tell: Callable[[str], None]) -> Iterator[None]:
    """What the training code logs is news for whoever waits."""
    handler = logging.Handler()
    handler.emit = lambda record: tell(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("complaint_model")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


# -- score ------------------------------------------------------------------------------------------------------------


def _score(base: Path, path: Path, out: Path, settings: Settings, tell: Callable[[str], None]) -> dict[str, Any]:
    """Write predictions.csv. Returns the counts of its rows."""
    import inference
    import pyarrow.dataset as ds

    folder = base / "score" / "runs" / "try"
    model: Model = inference.model_fn(str(base / "model"))
    records = ds.dataset(folder / "records").to_table(columns=["row_number", "complaint_id", "status", "duplicate_of", "text"])
    rejected = ds.dataset(folder / "rejected").to_table(columns=["row_number", "reason", "detail"]).to_pylist()
    reasons = {row["row_number"]: f"{row['reason']}: {row['detail']}" for row in rejected}
    rows = {row["row_number"]: row for row in records.to_pylist()}
    kept = [row for row in rows.values() if row["status"] == "accepted"]
    answers: dict[str, dict[str, Any]] = {}
    for first in range(0, len(kept), BATCH):
        lines = [
            json.dumps({"complaint_id": row["complaint_id"], "text": row["text"]}).encode()
            for row in kept[first : first + BATCH]
        ]
        found = (json.loads(answer) for answer in inference.predict_fn(lines, model))
        answers.update((answer["complaint_id"], answer) for answer in found)
        tell(f"{min(first + BATCH, len(kept)):,} of {len(kept):,}")
    tell("writing")
    known = _texts(base / "evaluation" / "input")
    counts = {"rows": 0, "scored": 0, "duplicate": 0, "rejected": 0, "needs_review": 0}

    def lines_out(table: Table) -> Iterator[list[str]]:
        yield [*_own_header(table.header), *OUR_COLUMNS]
        for row in table.rows:
            found = rows.get(row.number)
            reason = reasons.get(row.number, "")
            if found is None and not reason:
                raise OperatorError(f"row {row.number} of {path} was lost on the way: that is a defect, please report it")
            answer = answers[found["duplicate_of"] or found["complaint_id"]] if found else None
            status = "duplicate" if found and found["status"] == "duplicate" else "scored"
            if answer is None or answer["error"]:
                status, reason = "rejected", reason or str(answer and answer["error"])
            counts["rows"] += 1
            counts[status] += 1
            counts["needs_review"] += bool(answer and answer["needs_review"])
            own, surplus = _own_cells(row, table)
            yield [*own, *_our_cells(answer if status != "rejected" else None, status, reason + surplus)]

    _write_csv(out / PREDICTIONS, lines_out(_read(path, settings)))
    counts["also_labelled"] = sum(row["text"].lower() in known for row in kept)
    tell(f"{counts['scored']:,} scored, {counts['duplicate']:,} duplicates, {counts['rejected']:,} rejected")
    return counts


def _texts(folder: Path) -> set[str]:
    from complaint_model.records import read_labelled

    return {row.text.lower() for row in read_labelled(folder / "train", folder / "test")}


def _own_header(header: Sequence[str]) -> list[str]:
    """The file's column names; one that is called as one of ours gives way, so that `label` is never read by mistake."""
    taken = {*OUR_COLUMNS, *(name for name in header if name not in OUR_COLUMNS)}
    names = []
    for name in header:
        if name in OUR_COLUMNS:
            name = next(free for free in (f"{name}_in_file" + "_" * more for more in count()) if free not in taken)  # noqa: PLW2901
            taken.add(name)
        names.append(name)
    return names


def _own_cells(row: Row, table: Table) -> tuple[list[str], str]:
    """The row's own values, and a remark on those that the header has no column for."""
    if row.values:
        return [row.values.get(name, "") for name in table.header], ""
    cells = [row.record]
    if table.format == "csv":  # a row that was rejected: its fields as far as they can be told apart
        separator = SEPARATORS.get(table.dialect.partition(",")[0], ",")
        with contextlib.suppress(csv.Error):
            cells = next(csv.reader(io.StringIO(row.record, newline=""), delimiter=separator), cells)
    surplus = cells[len(table.header) :]
    padded = [*cells, *[""] * len(table.header)][: len(table.header)]
    return padded, f" (beyond the last column: {json.dumps(surplus, ensure_ascii=False)})" if surplus else ""


def _our_cells(answer: dict[str, Any] | None, status: str, reason: str) -> list[str]:
    if answer is None:
        return ["", "", "", "", "", status, reason]
    return [
        answer["label"],
        str(answer["confidence"]),
        "yes" if answer["needs_review"] else "no",
        json.dumps(answer["alternatives"], ensure_ascii=False),
        json.dumps(answer["top_terms"], ensure_ascii=False),
        status,
        "",
    ]


# -- what is said of it -----------------------------------------------------------------------------------------------


_TOLD_OF_DATA = (
    "rows", "labels", "rare_labels", "unknown_labels", "blank_labels", "conflicting_texts", "rejects", "min_label_rows",
)  # fmt: skip


def _notes(report: dict[str, Any], document: dict[str, Any], settings: Settings) -> list[str]:
    notes = []
    rows = report["rows"]
    if report["rare_labels"]:
        names = ", ".join(f"{name} ({count})" for name, count in report["rare_labels"].items())
        notes.append(f"labels with fewer than {report['min_label_rows']} complaints were not learned: {names}")
    if report["blank_labels"]:
        notes.append(f"rows without a label were not learned: {report['blank_labels']:,}")
    if report["unknown_labels"]:
        names = ", ".join(f"{name} ({count})" for name, count in report["unknown_labels"].items())
        notes.append(f"labels that the settings do not know, or that are texts: {names}")
    if variants := report.get("label_variants"):
        names = "; ".join(" / ".join(alike) for alike in variants)
        notes.append(f"labels that differ only in case, accents or punctuation were learned as different ones: {names}")
    if report["conflicting_texts"]:
        notes.append(f"texts that came with two labels, of which the newest counts: {report['conflicting_texts']:,}")
    if rows["rejected"]:
        why = ", ".join(f"{reason} ({count})" for reason, count in report["rejects"].items())
        notes.append(f"rows rejected: {why}")
    usable = sum(report["labels"].values())
    if usable < settings.training.min_labelled_rows:
        notes.append(
            f"a run would not train yet: {usable} labelled complaints, and it begins at {settings.training.min_labelled_rows}"
        )
    limit = settings.complaints.max_reject_share
    if rows["rejected"] > limit * rows["read"]:
        notes.append(f"a run would refuse the file: {rows['rejected']} of {rows['read']} rows rejected, over {limit:.0%}")
    if seen := document.get("scored", {}).get("also_labelled"):
        notes.append(f"{seen} of the scored texts are also in the labelled file: how well they do says nothing")
    return notes


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _write_csv(path: Path, lines: Iterator[list[str]]) -> None:
    """UTF-8 with no mark and every value as it is: this file is for programs (the run's export is for spreadsheets)."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

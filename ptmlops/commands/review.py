"""The review list, which a person fills in: `review pull` and `review push`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ptmlops.commands.results import save
from ptmlops.errors import RUN_FAILED, OperatorError, report_errors
from ptmlops.options import CommonOptions, RunId, command_for, report_errors_of_runs
from ptmlops.terminal import console, print_command, print_json
from ptmlops_contracts.words import quantity

if TYPE_CHECKING:
    from ptmlops.review_list import Reviewed
    from ptmlops.target import Target
    from ptmlops.uploads import Upload

LIST, WORKBOOK, PAGE, LABELS = "file", "workbook", "page", "labels"
# The files of a run's review folder, in the order in which people are told of them.
KINDS = {LIST: "review.csv", WORKBOOK: "review.xlsx", PAGE: "review.html", LABELS: "labels_to_check.csv"}
PART = re.compile(r"\.part-\d+(?=\.\w+$)")  # of a list with more rows than a file takes


@dataclass(frozen=True, kw_only=True)
class LocalFile:
    """A file of a run, and where it goes."""

    kind: str
    path: Path
    key: str


@report_errors()
def pull(
    options: CommonOptions,
    run_id: RunId = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The CSV file to write. Default: review-RUN.csv. The other files have its name with another ending.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fetch the complaints that a person should read, and the labels that a person should check.

    The complaints come as CSV, and as an Excel workbook with a drop-down of the labels. The labels to check of a run that trained come as
    CSV. The page for the browser has both lists and shows one row at a time. Any of them, with labels filled in, is what `review push`
    uploads: of the page, its download. A list of more than 500,000 rows comes in parts, such as `list.part-001.csv`.

    Examples:
        ptmlops review pull --local
        ptmlops review pull 20261128-101500-1a2b3c4d --out list.csv
    """
    from ptmlops import predictions
    from ptmlops.output_paths import check_output_file

    if out:
        check_output_file(out, overwrite=True)  # `_local_files` refuses lists that exist
    target = options.target()
    run_id, keys = predictions.files_to_review(target, run_id)
    files = _local_files(keys, out or Path(f"review-{run_id}.csv"))
    for file in files:
        save(file.path, predictions.fetch(target, file.key))
    if options.as_json:
        first = {file.kind: str(file.path) for file in reversed(files)}
        print_json(
            {"run_id": run_id, **{kind: first.get(kind) for kind in KINDS}, "files": [str(file.path) for file in files]}
        )
        return
    for file in files:
        typer.echo(file.path)
    ways = [f"open {file.path} in a browser and download the file" for file in files if file.kind == PAGE]
    to_fill_in = [str(file.path) for file in files if file.kind != PAGE]
    ways.append(f"fill in the label column of {' or '.join(to_fill_in)}")
    advice = ", or ".join(ways)
    console().print(f"{advice[0].upper()}{advice[1:]}. Then run:", markup=False)
    print_command(command_for(target, f"review push {to_fill_in[0]}"))


def _local_files(keys: Sequence[str], path: Path) -> list[LocalFile]:
    """Return where the files go, by kind. A list in parts gets files in parts: `list.part-001.csv` and so on.

    Args:
        keys: the files' keys in the output bucket.
        path: the file of the review list.

    Raises:
        OperatorError: two files would have one name, or a file exists that may be filled in.
    """
    endings = {LIST: path.suffix, WORKBOOK: ".xlsx", PAGE: ".html", LABELS: ".labels.csv"}
    for kind in (WORKBOOK, PAGE):
        if path.suffix == endings[kind]:
            raise OperatorError(f"{path} is where the {kind} goes: choose another name for the CSV file")
    files = []
    for key in sorted(keys):
        name = key.rsplit("/", 1)[-1]
        part = PART.search(name)
        found = [kind for kind, named in KINDS.items() if PART.sub("", name) == named]
        if not found:
            continue  # a later version's
        [kind] = found
        ending = f"{part[0]}{endings[kind] or '.csv'}" if part else endings[kind]
        files.append(LocalFile(kind=kind, path=path.with_suffix(ending), key=key))
    for file in files:
        if file.kind != PAGE and file.path.exists():
            raise OperatorError(f"{file.path} exists and may be filled in already: move it away, or choose another --out")
    return sorted(files, key=lambda file: list(KINDS).index(file.kind))


@report_errors_of_runs
def push(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The list with labels filled in.", show_default=False)],
    options: CommonOptions,
    new_labels: Annotated[bool, typer.Option("--new-labels", help="Accept labels that the model does not know.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run to its end.")] = False,
) -> None:
    """Upload the list with labels filled in, as training data.

    Rows without a label are left out and counted. Rows with the label `ptmlops_not_a_complaint` are uploaded too, but no model learns
    from them: Prepare rejects them with the reason `not_a_complaint`.

    Examples:
        ptmlops review push list.csv --wait
        ptmlops review push list.xlsx
        ptmlops review push list.csv --new-labels -e prod
    """
    from ptmlops import review_list, uploads
    from ptmlops.views.run_progress import follow_run
    from stacks.config import load_settings

    uploads.check_files([file])
    target = options.target()
    columns = load_settings(target.environment).complaints.columns.model_dump()
    reviewed = review_list.read_review(file, columns, pull=options.command("review pull"))
    _check_labels(target, reviewed, accept_new=new_labels)
    uploaded = _upload(target, file, reviewed)
    taken_out = f" and {quantity(reviewed.not_complaints, 'row')} marked as not a complaint" if reviewed.not_complaints else ""
    console().print(
        f"Uploaded {quantity(len(reviewed.labels), 'reviewed complaint')}{taken_out} as {uploaded.key}. "
        f"Left out, without a label: {quantity(reviewed.blank, 'row')}.",
        markup=False,
    )
    ended = follow_run(target, uploads.wait_for_run(target, uploaded), quiet=options.as_json) if wait else None
    if options.as_json:
        counts = {"labelled": len(reviewed.labels), "not_complaints": reviewed.not_complaints, "blank": reviewed.blank}
        print_json({**counts, "key": uploaded.key, "version_id": uploaded.version_id, "run": ended and ended.document})
    if ended and not ended.succeeded:
        raise typer.Exit(RUN_FAILED)


def _upload(target: Target, file: Path, reviewed: Reviewed) -> Upload:
    """Upload the labelled rows as a CSV file with the list's name."""
    import tempfile

    from ptmlops import review_list, uploads

    with tempfile.TemporaryDirectory(prefix="ptmlops-") as scratch:
        path = Path(scratch) / f"{file.name.removesuffix('.gz').rsplit('.', 1)[0]}.csv"
        path.write_bytes(review_list.review_csv(reviewed))
        return uploads.upload(target, path)


def _check_labels(target: Target, reviewed: Reviewed, *, accept_new: bool) -> None:
    """Refuse labels that the serving model does not know, or report them if they are accepted."""
    from ptmlops import review_list

    unknown = review_list.unknown_labels(target, sorted(set(reviewed.labels)))
    if not unknown:
        return
    listed = "; ".join(
        f"'{label}' ({quantity(reviewed.labels.count(label), 'row')}{f', meant {similar}?' if similar else ''})"
        for label, similar in unknown.items()
    )
    if not accept_new:
        raise OperatorError(
            f"the serving model does not know {listed}: correct the labels, or add --new-labels to accept them"
        )
    console().print(f"New to the model: {listed}", style="yellow", markup=False)

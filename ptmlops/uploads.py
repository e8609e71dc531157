"""Upload complaint files to the raw bucket, and wait for the run that each starts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from boto3.exceptions import S3UploadFailedError

from ptmlops.errors import OperatorError
from ptmlops.target import Target
from ptmlops.terminal import console
from ptmlops_contracts.columns import to_metadata
from ptmlops_contracts.files import SUPPORTED_ENDINGS, file_ending, is_left_by_system
from ptmlops_contracts.ledger import NO_RUN, file_key
from ptmlops_contracts.words import quantity

NOTHING_NAMED: Mapping[str, str] = MappingProxyType({})
SHOWN_PROBLEMS = 5
POLL_SECONDS = 0.5
# From an upload to a started run: the event, the batching window (at most 300 s), the function.
START_SECONDS = 420
SHOW_PROGRESS_FROM = 5_000_000  # bytes


@dataclass(frozen=True)
class Upload:
    """A file in the raw bucket."""

    path: Path
    bucket: str
    key: str
    version_id: str

    @property
    def ledger_key(self) -> str:
        return file_key(self.bucket, self.key, self.version_id)


def check_files(paths: Sequence[Path], *, done: str = "uploaded") -> None:
    """Refuse files that Prepare could not read, before anything is uploaded. `done` says what was done with none of them.

    Raises:
        OperatorError: names each file that cannot be uploaded, and why (at most five), and says that none was.
    """
    names = Counter(path.name for path in paths)
    problems = list(dict.fromkeys(filter(None, (_problem(path, names) for path in paths))))
    if not problems:
        return
    more = f"; and {quantity(len(problems) - SHOWN_PROBLEMS, 'more file')}" if len(problems) > SHOWN_PROBLEMS else ""
    none = f". None of the {len(paths)} files was {done}" if len(paths) > 1 else ""
    raise OperatorError(f"{'; '.join(problems[:SHOWN_PROBLEMS])}{more}{none}")


def _problem(path: Path, names: Counter[str]) -> str | None:
    """Return why a file cannot be uploaded."""
    if names[path.name] > 1:
        count = "two" if names[path.name] == 2 else str(names[path.name])
        return f"{count} of the files are called {path.name}, which is their key in the bucket: rename one"
    if not path.exists():
        return f"{path} does not exist"
    if path.is_dir():
        return f"{path} is a folder: name the files in it"
    if path.stat().st_size == 0:
        return f"{path} is empty"
    if file_ending(path.name) is None or is_left_by_system(path.name):
        return f"{path} is not a complaint file: its name must end in {', '.join(SUPPORTED_ENDINGS)}; text files also in .gz"
    return None


def upload_all(target: Target, paths: Sequence[Path], columns: Mapping[str, str] = NOTHING_NAMED) -> list[Upload]:
    """Upload files one after another. `columns` as for `upload`.

    Raises:
        OperatorError: names the file that was not uploaded, and says how many were.
    """
    uploaded: list[Upload] = []
    for path in paths:
        try:
            uploaded.append(upload_with_progress(target, path, columns))
        except OperatorError as error:
            if not uploaded:
                raise
            were = "was" if len(uploaded) == 1 else "were"
            left = quantity(len(paths) - len(uploaded), "file")
            raise OperatorError(f"{error}. {quantity(len(uploaded), 'file')} {were} uploaded before it; {left} not") from None
    return uploaded


def upload(
    target: Target, path: Path, on_bytes: Callable[[int], None] = lambda _: None, *, columns: Mapping[str, str] = NOTHING_NAMED
) -> Upload:
    """Upload a file under its file name. The bucket keeps earlier versions of that name.

    Args:
        target: the deployment.
        path: the file.
        on_bytes: is called with the number of bytes that were sent.
        columns: the columns that the person named, by option. They become the object's metadata.

    Raises:
        OperatorError: the file cannot be read or uploaded.
    """
    bucket = target.outputs["RawBucketName"]
    s3 = target.client("s3")
    try:
        s3.upload_file(
            str(path), bucket, path.name, ExtraArgs={"Metadata": to_metadata(columns)}, Callback=on_bytes
        )  # in parts, if it is large
    except S3UploadFailedError as error:
        raise OperatorError(f"{path} was not uploaded: {str(error).rpartition(': ')[2]}") from None
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}") from None
    version = s3.head_object(Bucket=bucket, Key=path.name)["VersionId"]
    return Upload(path, bucket, path.name, version)


def upload_with_progress(target: Target, path: Path, columns: Mapping[str, str] = NOTHING_NAMED) -> Upload:
    """Upload a file, with a progress bar for a large one on a terminal. `columns` as for `upload`."""
    size = path.stat().st_size if path.exists() else 0  # `upload` reports a file that has vanished
    if not console().is_terminal or size < SHOW_PROGRESS_FROM:
        return upload(target, path, columns=columns)
    from rich.markup import escape
    from rich.progress import Progress

    with Progress(console=console(), transient=True) as progress:
        task = progress.add_task(f"uploading {escape(path.name)}", total=size)
        return upload(target, path, lambda count: progress.advance(task, count), columns=columns)


def wait_for_run(target: Target, uploaded: Upload) -> str:
    """Wait until a run has claimed the file. Returns the run's id.

    Raises:
        OperatorError: no run claimed the file in time, or a person cancelled it.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        item = target.client("dynamodb").get_item(
            TableName=target.outputs["LedgerTableName"], Key={"pk": {"S": uploaded.ledger_key}}
        )
        if "Item" in item:
            if (run_id := str(item["Item"]["run_id"]["S"])) == NO_RUN:
                raise OperatorError(f"{uploaded.key} was cancelled before a run took it: upload it again to process it")
            return run_id
        time.sleep(POLL_SECONDS)
    raise OperatorError(
        f"no run has claimed {uploaded.key} after {START_SECONDS} s: look at the log of the start_run function "
        f"({target.outputs['StartRunFunctionName']}) and at the dead-letter queue"
    )

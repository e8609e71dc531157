"""Read one version of an object: download it, list its rows, and write it without some of them."""

from __future__ import annotations

import re
import tempfile
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ptmlops.erasure.formats import ALL, Doomed, Found, Stored, pages, records, tables
from ptmlops.erasure.person import Facts
from ptmlops.erasure.places import Rows, place_of
from ptmlops.erasure.plan import Version
from ptmlops.ledger import Ledger
from ptmlops.target import Target
from ptmlops_contracts.columns import from_metadata
from ptmlops_contracts.ledger import file_key

if TYPE_CHECKING:
    from complaints_etl.readers.table import Aliases

_RUN = re.compile(r"(?<![\w-])\d{8}-\d{6}-[0-9a-f]{8}(?![\w-])")
_PARQUET = b"PAR1"
_BLOCK = 4 * 1024**2
_THREADS, _AHEAD_BYTES = 8, 256 * 1024**2
# The column by which the first row of a list is found.
_FIRST_COLUMNS = ("complaint_id", "ptmlops_status", "source_file")


@contextmanager
def download(target: Target, version: Version) -> Generator[Stored | None]:
    """Yield a version on this machine's disk, or None if it does not exist any more."""
    s3, bucket = target.client("s3"), target.outputs[version.bucket]
    try:
        answer = s3.get_object(Bucket=bucket, Key=version.key, VersionId=version.version_id)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchVersion", "NoSuchKey"):
            raise
        yield None
        return
    is_upload = place_of(version.bucket, version.key).rows is Rows.UPLOAD
    run = None if is_upload else _RUN.search(version.key)
    with tempfile.TemporaryDirectory(prefix="ptmlops-forget-") as folder:
        path = Path(folder) / "object"
        with path.open("wb") as file:
            for block in answer["Body"].iter_chunks(_BLOCK):
                file.write(block)
        yield Stored(
            key=version.key,
            version_id=version.version_id,
            path=path,
            run=run and run[0],
            named=from_metadata(answer.get("Metadata", {})) if is_upload else {},
            processed_as=_processed_as(target, version) if is_upload else "",
        )


def downloads(target: Target, versions: Iterable[Version]) -> Iterator[tuple[Version, Stored | None]]:
    """Yield each version on this machine's disk, or None if it is gone. The next ones are downloaded meanwhile, most of them are small."""
    for service in ("s3", "dynamodb"):
        target.client(service)  # clients can be used in several threads, and be made in one
    with ThreadPoolExecutor(max_workers=_THREADS) as pool, ExitStack() as opened:
        ahead: deque[tuple[Version, Future[tuple[ExitStack, Stored | None]]]] = deque()
        opened.callback(_discard, ahead)  # if the caller stops in between

        def first() -> Iterator[tuple[Version, Stored | None]]:
            version, future = ahead.popleft()
            folder, stored = future.result()
            with folder:
                yield version, stored

        for version in versions:
            ahead.append((version, pool.submit(_open, target, version)))
            while len(ahead) > _THREADS or sum(one.size for one, _ in ahead) > _AHEAD_BYTES:
                yield from first()
        while ahead:
            yield from first()


def _discard(ahead: Iterable[tuple[Version, Future[tuple[ExitStack, Stored | None]]]]) -> None:
    for _, future in ahead:
        if not future.cancel():
            future.result()[0].close()


def _open(target: Target, version: Version) -> tuple[ExitStack, Stored | None]:
    folder = ExitStack()
    return folder, folder.enter_context(download(target, version))


def _processed_as(target: Target, version: Version) -> str:
    """Return the version under which a run read an upload, if rows were erased from it since."""
    pk = file_key(target.outputs[version.bucket], version.key, version.version_id)
    return next((str(item.get("rewrites", "")) for item in Ledger.of(target).items([pk])), "")


def rows_of(kind: Rows, stored: Stored, aliases: Aliases, hows: dict[str, dict[str, Any]]) -> Iterator[Found]:
    """Yield the rows of an object.

    Args:
        kind: how they are read.
        stored: the object.
        aliases: for each column of ours, the names that it may have in uploads.
        hows: gets, per table, what `write_without` needs.
    """
    kind = _actual(kind, stored)
    hows.setdefault("", {"kind": kind.name})
    if kind is Rows.UPLOAD:
        yield from tables.rows(stored, aliases, tables.upload_facts(stored), hows, has_header=False)
    elif kind in (Rows.LIST, Rows.QUERY):
        yield from tables.rows(stored, _list_aliases(), tables.list_facts(stored), hows, has_header=True)
    elif kind is Rows.PARQUET:
        yield from records.parquet_rows(stored)
    elif kind is Rows.LINES:
        yield from records.line_rows(stored)
    elif kind is Rows.REVIEW_PAGE:
        yield from pages.review_rows(stored)
    elif kind is Rows.REPORT_PAGE:
        yield from pages.report_rows(stored)
    else:
        hows[""] = {"kind": tables.UNREAD}
        yield Found("", ALL, 0, Facts(record=tables.text_of(stored.path.read_bytes()), is_unread=True))


def write_without(kind: Rows, stored: Stored, doomed: Mapping[str, Doomed], out: IO[bytes]) -> None:
    """Write an object without the doomed rows."""
    kind = _actual(kind, stored)
    if kind in (Rows.UPLOAD, Rows.LIST, Rows.QUERY):
        tables.without(stored, doomed, out, keep_ends=kind is Rows.UPLOAD)
    elif kind is Rows.PARQUET:
        records.parquet_without(stored, doomed, out)
    elif kind is Rows.LINES:
        records.lines_without(stored, doomed, out)
    elif kind is Rows.REVIEW_PAGE:
        pages.review_without(stored, doomed, out)
    elif kind is Rows.REPORT_PAGE:
        pages.report_without(stored, doomed, out)
    else:
        raise AssertionError("what nobody can read as rows is one row, so it is deleted")


def _actual(kind: Rows, stored: Stored) -> Rows:
    """Return how an object is read: queries write Parquet as well as CSV, and folders of ours may hold what is not."""
    with stored.path.open("rb") as file:
        head = file.read(4)
    if kind is Rows.QUERY and head == _PARQUET:
        return Rows.PARQUET
    if kind is Rows.PARQUET and head != _PARQUET:
        return Rows.UNKNOWN
    return kind


def _list_aliases() -> Aliases:
    from complaints_etl.readers.table import Chosen

    return {"text": Chosen(_FIRST_COLUMNS)}

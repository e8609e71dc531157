"""Files and folders as Hadoop expects them, kept in S3 with the credentials of the job run.

Each operation becomes the S3 calls that Hadoop's S3A client would make, so a job reads only what it opens, and S3 allows or denies each
call. Spark writes first to a folder named `_temporary` and renames what is complete. Such files stay on local disk until they are
renamed, as with the committers that Glue uses.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn, Protocol

from botocore.exceptions import ClientError

BLOCK_BYTES = 128 * 1024 * 1024
PIECE_BYTES = 1024 * 1024
UNCOMMITTED = "_temporary"


class Readable(Protocol):
    """A stream that can be uploaded to S3."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""
        ...


class RemoteError(Exception):
    """An error that the Hadoop client rebuilds as the Java exception `java_class`."""

    def __init__(self, status: int, java_class: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.java_class = java_class

    def document(self) -> dict[str, Any]:
        """Return the body of the response."""
        name = self.java_class.rpartition(".")[2]
        return {"RemoteException": {"exception": name, "javaClassName": self.java_class, "message": str(self)}}


def _not_found(path: str) -> NoReturn:
    raise RemoteError(404, "java.io.FileNotFoundException", f"No such file or directory: s3://{path}")


class S3FileSystem:
    """Files and folders on S3 and in a local folder for files that are not committed yet.

    Paths have the form `bucket/key`, without a slash at either end.
    """

    def __init__(self, client: Any, staging: Path) -> None:
        self._client = client
        self._staging = staging
        self._folders: set[str] = set()  # S3 has no folders, but Spark expects that those it made exist

    def status(self, path: str) -> dict[str, Any]:
        """Return the FileStatus of a file or folder.

        Raises:
            RemoteError: There is no such file.
        """
        if self._is_staged(path):
            return self._staged_status(path)
        bucket, _, key = path.partition("/")
        if not key:
            return _folder_status("")
        try:
            head = self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NotFound"):
                raise
        else:
            return _file_status("", head["ContentLength"], head["LastModified"])
        if path in self._folders or next(self._pages(bucket, f"{key}/", MaxKeys=1)).get("Contents"):
            return _folder_status("")
        _not_found(path)

    def entries(self, path: str) -> list[dict[str, Any]]:
        """Return the FileStatus of each entry of a folder, or of the file itself."""
        if self._is_staged(path):
            here = self._staged(path)
            if not here.is_dir():
                return [self._staged_status(path)]
            return [self._staged_status(f"{path}/{entry.name}", entry.name) for entry in sorted(here.iterdir())]
        status = self.status(path)
        if status["type"] == "FILE":
            return [status]
        bucket, _, key = path.partition("/")
        prefix = f"{key}/" if key else ""
        entries: dict[str, dict[str, Any]] = {}
        for page in self._pages(bucket, prefix, Delimiter="/"):
            for folder in page.get("CommonPrefixes", []):
                name = folder["Prefix"][len(prefix) : -1]
                entries[name] = _folder_status(name)
            for item in page.get("Contents", []):
                if name := item["Key"][len(prefix) :]:
                    entries[name] = _file_status(name, item["Size"], item["LastModified"])
        for folder in list(self._folders):
            parent, _, name = folder.rpartition("/")
            if parent == path:
                entries.setdefault(name, _folder_status(name))
        return [entries[name] for name in sorted(entries)]

    def read(self, path: str, start: int, length: int | None) -> tuple[int, Iterator[bytes]]:
        """Return the number of bytes from `start` on, at most `length`, and the bytes."""
        if self._is_staged(path):
            content = self._staged(path).read_bytes()[start:]
            content = content if length is None else content[:length]
            return len(content), iter([content])
        bucket, _, key = path.partition("/")
        span = f"bytes={start}-" if length is None else f"bytes={start}-{start + length - 1}"
        try:
            answer = self._client.get_object(Bucket=bucket, Key=key, Range=span)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "InvalidRange":
                return 0, iter(())
            if code == "NoSuchKey":
                _not_found(path)
            raise
        return answer["ContentLength"], answer["Body"].iter_chunks(PIECE_BYTES)

    def write(self, path: str, body: Readable) -> None:
        """Write a file from a readable stream: to S3 or, if it is not committed yet, to local disk."""
        if self._is_staged(path):
            target = self._staged(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                shutil.copyfileobj(body, file, PIECE_BYTES)
            return
        bucket, _, key = path.partition("/")
        self._client.upload_fileobj(body, bucket, key)

    def make_folder(self, path: str) -> None:
        """Remember a folder, because S3 has no folders."""
        if self._is_staged(path):
            self._staged(path).mkdir(parents=True, exist_ok=True)
        else:
            self._folders.add(path)

    def rename(self, source: str, target: str) -> bool:
        """Move a file or folder, into `target` if that is a folder. Return False if `source` does not exist."""
        try:
            if self.status(target)["type"] == "DIRECTORY":
                target = f"{target}/{source.rpartition('/')[2]}"
        except RemoteError:
            pass  # usually `target` does not exist
        names = list(self._files_below(source))
        for name in names:
            self._move(f"{source}{name}", f"{target}{name}")
        if self._is_staged(source):
            shutil.rmtree(self._staged(source), ignore_errors=True)
        return bool(names)

    def delete(self, path: str) -> bool:
        """Delete a file, or a folder with its content. Return whether it existed."""
        if self._is_staged(path):
            here = self._staged(path)
            existed = here.exists()
            if here.is_dir():
                shutil.rmtree(here)
            else:
                here.unlink(missing_ok=True)
            return existed
        bucket = path.partition("/")[0]
        existed = path in self._folders
        self._folders = {folder for folder in self._folders if folder != path and not folder.startswith(f"{path}/")}
        for name in self._files_below(path):
            self._client.delete_object(Bucket=bucket, Key=f"{path}{name}".partition("/")[2])
            existed = True
        return existed

    def _files_below(self, path: str) -> Iterator[str]:
        """Yield `""` if `path` is a file, else `/name` of each file at any depth below it."""
        if self._is_staged(path):
            here = self._staged(path)
            if here.is_file():
                yield ""
            for file in sorted(here.rglob("*")):
                if file.is_file():
                    yield f"/{file.relative_to(here).as_posix()}"
            return
        try:
            kind = self.status(path)["type"]
        except RemoteError:
            return
        if kind == "FILE":
            yield ""
            return
        bucket, _, key = path.partition("/")
        for page in self._pages(bucket, f"{key}/"):
            for item in page.get("Contents", []):
                yield item["Key"][len(key) :]

    def _move(self, source: str, target: str) -> None:
        if self._is_staged(source) and self._is_staged(target):
            self._staged(target).parent.mkdir(parents=True, exist_ok=True)
            self._staged(source).replace(self._staged(target))
            return
        if self._is_staged(source):
            with self._staged(source).open("rb") as body:
                self.write(target, body)
            self._staged(source).unlink()
            return
        bucket, _, key = source.partition("/")
        to_bucket, _, to_key = target.partition("/")
        self._client.copy_object(Bucket=to_bucket, Key=to_key, CopySource={"Bucket": bucket, "Key": key})
        self._client.delete_object(Bucket=bucket, Key=key)

    def _pages(self, bucket: str, prefix: str, **more: Any) -> Iterator[Any]:
        limit = {"PaginationConfig": {"MaxItems": more.pop("MaxKeys")}} if "MaxKeys" in more else {}
        yield from self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **more, **limit)

    @staticmethod
    def _is_staged(path: str) -> bool:
        return UNCOMMITTED in path.split("/")

    def _staged(self, path: str) -> Path:
        return self._staging / path

    def _staged_status(self, path: str, suffix: str = "") -> dict[str, Any]:
        here = self._staged(path)
        if not here.exists():
            _not_found(path)
        if here.is_dir():
            return _folder_status(suffix)
        stat = here.stat()
        return _file_status(suffix, stat.st_size, datetime.fromtimestamp(stat.st_mtime))


def _file_status(name: str, size: int, modified: datetime) -> dict[str, Any]:
    return {**_folder_status(name), "type": "FILE", "length": size, "modificationTime": int(modified.timestamp() * 1000),
            "blockSize": BLOCK_BYTES, "replication": 1, "permission": "644"}  # fmt: skip


def _folder_status(name: str) -> dict[str, Any]:
    return {"pathSuffix": name, "type": "DIRECTORY", "length": 0, "owner": "job", "group": "job", "permission": "755",
            "accessTime": 0, "modificationTime": 0, "blockSize": 0, "replication": 0}  # fmt: skip

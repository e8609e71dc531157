"""Check the paths of --out before any work, so that no result is lost and no file of a person is replaced by accident."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path

from ptmlops.errors import OperatorError
from ptmlops_contracts.keys import PUBLISHED_FOLDERS, RUN_HISTORY

RUN_FOLDERS = (*PUBLISHED_FOLDERS, RUN_HISTORY)  # what runs write, in the output bucket and in a copy of it
ANOTHER = "choose another --out"
# File systems allow names of 255 bytes. While boto3 downloads a file, its name is nine bytes longer.
LONGEST_NAME_BYTES, LONGEST_ENDING = 240, 10


def check_output_file(path: Path, *, overwrite: bool) -> None:
    """Check that a file can be written. Missing folders are created by `writing`, at the end.

    A special file such as `/dev/stdout` is written to, and replaces nothing.

    Raises:
        OperatorError: the path is a folder, its folder cannot be written, or the file exists and `overwrite` is False.
    """
    with writing(path, make_folders=False):
        if path.is_dir():
            raise OperatorError(f"{path} is a folder: --out names a file")
        if not path.exists():
            _check_writable(path, path.parent)
        elif path.is_file():
            if not overwrite:
                raise OperatorError(f"{path} exists: {ANOTHER}, or add --overwrite to replace it")
            with path.open("ab"):  # changes nothing, and fails as writing would
                pass


def check_output_folder(path: Path, subfolders: Sequence[str] = ()) -> None:
    """Check that files can be written to a folder. It is created with them, at the end.

    Args:
        path: the folder.
        subfolders: the folders that will be created in it.

    Raises:
        OperatorError: the folder or one of the subfolders is a file, or it cannot be written.
    """
    with writing(path, make_folders=False):
        if path.exists() and not path.is_dir():
            raise OperatorError(f"{path} is a file: --out names a folder")
        for folder in (path, *(path / name for name in subfolders)):
            if folder.exists() and not folder.is_dir():
                raise OperatorError(f"{folder} is a file, and results go to a folder of that name: {ANOTHER}")
            _check_writable(path, folder)


@contextlib.contextmanager
def writing(path: Path, *, make_folders: bool = True) -> Generator[None]:
    """Create the folders above a file that is written inside. An error of the file system names the path and the remedy.

    Raises:
        OperatorError: the file cannot be written.
    """
    try:
        if make_folders:
            path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OperatorError(f"{path} cannot be written ({error.strerror or error}): {ANOTHER}") from None


def local_path(folder: Path, key: str) -> Path:
    """Return where an object is copied to. A part of its key that is too long for a file's name is cut, and marked by its hash."""
    return folder.joinpath(*map(_file_name, key.split("/")))


def _file_name(part: str) -> str:
    content = part.encode()
    if len(content) <= LONGEST_NAME_BYTES:
        return part
    stem, _, ending = part.rpartition(".")
    mark = f"~{hashlib.sha256(content).hexdigest()[:12]}" + (f".{ending}" if stem and len(ending) <= LONGEST_ENDING else "")
    return content[: LONGEST_NAME_BYTES - len(mark.encode())].decode("utf-8", "ignore") + mark


def _check_writable(path: Path, folder: Path) -> None:
    """Check that the nearest folder that exists can be written. `folder` itself may be missing."""
    real = Path(os.path.realpath(folder))  # a link to a missing folder leads to where it would be
    nearest = next(parent for parent in (real, *real.parents) if parent.exists())
    if not nearest.is_dir():
        raise OperatorError(f"{path} cannot be written, because {nearest} is a file: {ANOTHER}")
    with tempfile.TemporaryFile(dir=nearest):
        pass

"""What a job reports when it fails: what happened and what to do, instead of the words of a library.

run.json and the notices show the message of the exception that ends the script. The log has the original one with its traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException

from complaints_etl import JobError

MEMORY = "A worker's memory was full. Redrive the run; if that fails as well, take a larger worker type or more workers."
DISK = "A worker's disk was full. Redrive the run; if that fails as well, take a larger worker type or more workers."
SPARK_ENDED = (
    "Spark ended while the job worked, as it does when its memory is full or its machine is lost. Redrive the run; if that fails as well, "
    "take a larger worker type."
)
CONNECTION = "The connection to an AWS service broke ({kind}). Redrive the run; if that fails as well, look at the service's health and the network."
REFUSED = (
    "AWS refused {operation} ({code}). Check the job role's permissions, the bucket's policy and the key, then redrive the run. "
    "The job's log has the details."
)
STORAGE_REFUSED = (
    "S3 refused what Spark reads or writes. Check the job role's permissions, the bucket's policy and the key, then redrive the run. "
    "The job's log has the details."
)
UNEXPECTED = "Unexpected {kind}. The job's log has the traceback. Redrive the run; if that fails as well, report a defect with that log."
# EFBIG: a limit on the size of files has the effect of a full disk.
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DISK_WORDS = ("No space left on device", "File too large", "Disk quota exceeded", "No usable temporary directory")
_REFUSED_WORDS = ("AccessDenied", "Access Denied", "Forbidden", "Status Code: 403", "KMS.DisabledException")
_MEMORY_WORDS = ("OutOfMemoryError", "MemoryError", "exceeds physical memory limits")


class JobFailedError(JobError):
    """A service, the machine or a defect ended the job."""


@contextmanager
def explained() -> Generator[None]:
    """Let the script end with a `JobError` if it fails.

    Raises:
        JobFailedError: something else was raised.
    """
    try:
        yield
    except JobError:
        raise
    except Exception as error:
        raise JobFailedError(explanation(error)) from error


def explanation(error: Exception) -> str:
    """Return what happened and what to do. No part of a complaint is in it: texts of libraries are looked at, and not repeated."""
    if isinstance(error, ClientError):
        return REFUSED.format(operation=error.operation_name, code=error.response.get("Error", {}).get("Code", "no code"))
    if isinstance(error, BotoCoreError):
        return CONNECTION.format(kind=type(error).__name__)
    if isinstance(error, MemoryError):
        return MEMORY
    if isinstance(error, OSError) and (error.errno in _DISK_ERRORS or _has(str(error), _DISK_WORDS)):
        return DISK
    # PySpark calls the JVM through a socket, which breaks when the JVM ends.
    if isinstance(error, (ConnectionError, EOFError, Py4JNetworkError)):
        return SPARK_ENDED
    if isinstance(error, (Py4JError, PySparkException)):
        return _explanation_of_spark(error)
    return UNEXPECTED.format(kind=type(error).__name__)


def _explanation_of_spark(error: Exception) -> str:
    said, kind = _causes(error)
    for words, sentence in ((_DISK_WORDS, DISK), (_MEMORY_WORDS, MEMORY), (_REFUSED_WORDS, STORAGE_REFUSED)):
        if _has(said, words):
            return sentence
    return UNEXPECTED.format(kind=kind)


def _causes(error: Exception) -> tuple[str, str]:
    """Return the texts of an exception of Spark and of what caused it, and the class of its first cause."""
    texts, kind = [str(error)], type(error).__name__
    cause: Any = error.java_exception if isinstance(error, Py4JJavaError) else getattr(error, "_origin", None)
    with suppress(Py4JError, OSError):  # the JVM has ended
        while cause is not None:
            texts.append(str(cause.toString()))
            kind = str(cause.getClass().getSimpleName())
            cause = cause.getCause()
    return "\n".join(texts), kind


def _has(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words)

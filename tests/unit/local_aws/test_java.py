"""Java starts whether or not there is an archive of Spark's classes that it can take."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pyspark
import pytest

from local_aws import java

JARS = Path(pyspark.__file__).parent / "jars"


def libraries(options: str, classpath: str = f"{JARS}/*") -> str:
    """All that Java prints when it starts with `options` and tells which Hadoop Spark has."""
    command = ["java", *shlex.split(options), "-cp", classpath, "org.apache.hadoop.util.VersionInfo"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(an archive of the classes that it took, what was printed)."""
    archive = tmp_path_factory.mktemp("año 1") / "classes.jsa"
    return archive, libraries(java.options(record=archive))


def test_classes_come_from_the_archive(recorded: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    archive, printed = recorded
    assert printed.startswith("Hadoop 3.")
    monkeypatch.setattr(java, "ARCHIVE", archive)
    assert libraries(java.options()) == printed
    loaded = libraries(f"{java.options()} -Xlog:class+load")
    assert "org.apache.hadoop.util.VersionInfo source: shared objects file (top)" in loaded


def test_an_archive_of_other_libraries_is_not_taken_and_nobody_hears_of_it(
    recorded: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, printed = recorded
    monkeypatch.setattr(java, "ARCHIVE", archive)
    some = ":".join(sorted(map(str, JARS.glob("*.jar")), reverse=True))
    assert libraries(java.options(), some) == printed
    assert "(top)" not in libraries(f"{java.options()} -Xlog:class+load", some)


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_what_is_no_archive_or_not_there_changes_nothing(
    recorded: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    monkeypatch.setattr(java, "ARCHIVE", tmp_path / "classes.jsa")
    if content is not None:
        java.ARCHIVE.write_bytes(content)
    assert libraries(java.options()) == recorded[1]

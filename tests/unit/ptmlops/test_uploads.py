"""Files are checked before the first one is uploaded, and a message says what was uploaded."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from ptmlops import uploads
from ptmlops.errors import OperatorError
from ptmlops.target import Target


def made(folder: Path, *names: str, content: str = "text\nhello\n") -> list[Path]:
    for name in names:
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in names]


def message(*paths: Path) -> str:
    with pytest.raises(OperatorError) as caught:
        uploads.check_files(paths)
    return str(caught.value)


def test_one_empty_file_among_eight_keeps_all_from_being_uploaded(tmp_path: Path) -> None:
    files = made(tmp_path, *(f"{number}.csv" for number in range(7)))
    [empty] = made(tmp_path, "vacio.csv", content="")
    assert message(*files, empty) == f"{empty} is empty. None of the 8 files was uploaded"
    assert message(empty) == f"{empty} is empty"


def test_each_file_with_a_problem_is_named_at_most_five(tmp_path: Path) -> None:
    [good, photo] = made(tmp_path, "a.csv", "b.png")
    (tmp_path / "folder").mkdir()
    missing = [tmp_path / f"{number}.csv" for number in range(5)]
    said = message(good, photo, tmp_path / "folder", *missing)
    assert said.startswith(f"{photo} is not a complaint file: its name must end in .csv, ")
    assert f"; {tmp_path / 'folder'} is a folder: name the files in it; " in said
    assert said.endswith(f"{missing[2]} does not exist; and 2 more files. None of the 8 files was uploaded")


def test_files_of_one_name_are_one_problem(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    same = made(tmp_path, "x.csv") + made(tmp_path / "other", "x.csv")
    begin = "two of the files are called x.csv, which is their key in the bucket: rename one"
    assert message(*same) == f"{begin}. None of the 2 files was uploaded"


def test_a_file_that_vanishes_between_the_uploads_is_reported_with_what_was_uploaded(tmp_path: Path) -> None:
    files = made(tmp_path, "a.csv", "b.csv", "c.csv")
    with mock_aws():
        target = Target("dev", boto3.Session(aws_access_key_id="id", aws_secret_access_key="key", region_name="us-east-1"))
        target.__dict__["outputs"] = {"RawBucketName": "raw"}
        s3 = target.client("s3")
        s3.create_bucket(Bucket="raw")
        s3.put_bucket_versioning(Bucket="raw", VersioningConfiguration={"Status": "Enabled"})
        assert [one.key for one in uploads.upload_all(target, files)] == ["a.csv", "b.csv", "c.csv"]
        files[1].unlink()
        with pytest.raises(OperatorError) as caught:
            uploads.upload_all(target, files)
    assert (
        str(caught.value)
        == f"{files[1]} cannot be read: No such file or directory. 1 file was uploaded before it; 2 files not"
    )

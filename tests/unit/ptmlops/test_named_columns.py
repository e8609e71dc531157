"""The columns that a person names travel with the upload, and a run states which columns it read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws

from ptmlops import uploads
from ptmlops.errors import OperatorError
from ptmlops.options import named_columns
from ptmlops.source_roots import add_source_roots_to_path
from ptmlops.target import Target
from ptmlops.views.files import column_lines, note_sentence
from ptmlops_contracts.report import NoteCode

add_source_roots_to_path()


@pytest.fixture
def target() -> Iterator[Target]:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="raw")
        s3.put_bucket_versioning(Bucket="raw", VersioningConfiguration={"Status": "Enabled"})
        clients = {"s3": s3}
        yield cast("Target", SimpleNamespace(outputs={"RawBucketName": "raw"}, client=clients.__getitem__))


def test_what_a_person_names_is_what_prepare_reads_of_that_version(target: Target, tmp_path: Path) -> None:
    from complaints_etl.readers.storage import named_columns as read_named

    path = tmp_path / "encuesta.csv"
    path.write_text("¿Qué pasó?,Clase\nnada,x\n", encoding="utf-8")
    columns = named_columns(text="¿Qué pasó?", label="", id_=None, date=" Fecha ")
    named, plain = uploads.upload(target, path, columns=columns), uploads.upload(target, path)

    s3 = target.client("s3")
    assert s3.head_object(Bucket="raw", Key=path.name, VersionId=named.version_id)["Metadata"] == {
        "ptmlops-text": "%C2%BFQu%C3%A9%20pas%C3%B3%3F", "ptmlops-label": "", "ptmlops-date": "Fecha",
    }  # fmt: skip
    assert read_named(s3, "raw", path.name, named.version_id) == {"text": "¿Qué pasó?", "label": "", "received_at": "Fecha"}
    assert read_named(s3, "raw", path.name, plain.version_id) == {}


@pytest.mark.parametrize(("text", "says"), [("  ", "--text names no column"), ("é" * 400, "rename the columns in the file")])
def test_names_that_cannot_travel_are_refused_before_the_upload(text: str, says: str) -> None:
    with pytest.raises(OperatorError, match=says):
        named_columns(text=text, label=None, id_=None, date=None)


def test_a_run_states_its_columns() -> None:
    one = {"files": 1, "columns": {"text": "Body", "subject": "Subject", "complaint_id": "Case"}}
    assert column_lines([one]) == ["Columns read: text: Body, with Subject; label: none; id: Case; date: none"]
    two = {"files": 3, "columns": {"text": "queja", "label": "motivo", "received_at": "fecha"}}
    assert column_lines([two, one])[0] == "Columns read of 3 files: text: queja; label: motivo; id: none; date: fecha"


@pytest.mark.parametrize("code", list(NoteCode))
def test_every_note_is_a_sentence_with_its_values(code: NoteCode) -> None:
    note: dict[str, Any] = {
        "code": str(code), "file": "a.csv", "column": "producto", "rows": 7, "values": ["a;b", "c"], "more": 3, "separator": ";",
    }  # fmt: skip
    sentence = note_sentence(note)
    expected = {
        NoteCode.COLUMN_NOT_LABEL: "a.csv: the column producto was not taken",
        NoteCode.COLUMN_MISSING: "a.csv: it has no column producto",
        NoteCode.UNFAMILIAR_LABELS: "column producto (a;b, c and 3 more) have nothing in common",
        NoteCode.SEVERAL_LABELS: "7 rows seem to have several labels in a cell, with ';' between them: a;b, c and 3 more",
        NoteCode.REPEATED_ROWS: "7 rows came with the same label before",
    }
    assert expected[code] in sentence

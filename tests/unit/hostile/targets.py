"""What is fuzzed: each target takes bytes, calls one step of the pipeline, and asserts what holds for every input."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
from complaint_model import artifact
from complaint_model.model import Model
from complaints_etl import redaction
from complaints_etl.readers import read_table
from complaints_etl.readers.table import UnreadableFileError
from complaints_etl.redaction.engine import apply_rules
from complaints_etl.redaction.scanner import ScannedText, prefix_index
from complaints_etl.text.cleaning import clean_cell, clean_text

from ptmlops_contracts.report import Reason

ALIASES = {"text": ("text", "queja"), "label": ("label",), "complaint_id": ("id",), "received_at": ("date",)}
NAMES = ("a.csv", "a.tsv", "a.jsonl", "a.json", "a.txt", "a.xlsx", "a.zip", "a.csv.gz", "a.jsonl.gz", "a.xls", "a.ods")
MOST_CHARACTERS = 400


def read(data: bytes) -> None:
    """Read a file: the first byte chooses its name, and whether the rest is compressed as the name says."""
    choice, body = (data[0], data[1:]) if data else (0, b"")
    name = NAMES[choice % len(NAMES)]
    if name.endswith(".gz") and choice < 128:
        body = gzip.compress(body, 1)
    try:
        rows = list(read_table(name, body, ALIASES).rows)
    except UnreadableFileError as error:
        assert error.reason in Reason
        return
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        assert (row.reason is None) == bool(row.values)
        assert row.reason is None or (row.reason in Reason and row.detail)
        for value in (*row.values, *row.values.values(), row.record, str(row.detail)):
            value.encode()  # nothing that cannot be written again


def clean(data: bytes) -> None:
    """Clean a text and a cell."""
    text = data.decode("utf-8", "replace")
    cleaned, was_cut = clean_text(text, max_characters=MOST_CHARACTERS)
    assert len(cleaned) <= MOST_CHARACTERS
    assert was_cut or clean_text(text, max_characters=2 * MOST_CHARACTERS) == (cleaned, False)
    for result in (cleaned, clean_cell(text)):
        assert result == " ".join(result.split())
        assert not [mark for mark in result if unicodedata.category(mark) == "Cc"]
        result.encode()


def redact(data: bytes) -> None:
    """Redact a clean text, by itself and as one of a batch, and once more."""
    text, _ = clean_text(data.decode("utf-8", "replace"), max_characters=4 * MOST_CHARACTERS)
    alone = apply_rules(ScannedText(text))
    assert apply_rules(prefix_index(redaction.PREFIXES).scan(["ayer cc ", text, "9"])[1]) == alone
    redacted, counts = redaction.redact(text)
    placeholders = {kind: redacted.count(f"<{kind}>") - text.count(f"<{kind}>") for kind in redaction.TYPES}
    assert set(counts) <= set(redaction.TYPES)
    assert all(placeholders[kind] <= count for kind, count in counts.items()), (text, redacted, counts)
    redaction.redact(redacted)


def load(data: bytes) -> None:
    """Unpack a model's archive and load it, as it is and with hashes that fit what is in it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, archive = Path(temporary) / "model", Path(temporary) / "model.tar.gz"
        archive.write_bytes(gzip.compress(data, 1))
        try:
            artifact.unpack(archive, folder)
        except artifact.ArtifactError:
            return
        assert {path.name for path in folder.iterdir()} <= set(artifact.MODEL_FILES)
        for signed in (False, True):
            if signed and not _sign(folder):
                return
            try:
                loaded = artifact.load(folder)
            except artifact.ArtifactError:
                continue
            artifact.save(loaded.model, loaded.about, Path(temporary) / "again")
            again = artifact.load(Path(temporary) / "again")
            assert again.about == loaded.about
            assert all(np.array_equal(getattr(again.model, name), getattr(loaded.model, name)) for name in artifact.ARRAYS)


def _sign(folder: Path) -> bool:
    """Write the members' hashes into a manifest: what somebody who can write the whole archive could do."""
    members = {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
        for path in folder.iterdir()
        if path.name != artifact.MANIFEST
    }
    (folder / artifact.MANIFEST).write_text(json.dumps({"format": artifact.FORMAT, "members": members}))
    return True


def small_archive() -> bytes:
    """Return the uncompressed archive of a model of two labels and three features."""
    model = Model(
        labels=("a", "b"),
        new_word_idf=2.0,
        max_skip=2,
        lead_words=10,
        threshold=0.5,
        min_known_words=1,
        min_known_share=0.1,
        buckets=np.asarray([1, 5, 9], "<u4"),
        idf=np.asarray([1, 2, 3], "<f4"),
        weights=np.zeros((3, 2), "<f4"),
        char_buckets=np.asarray([2], "<u4"),
        char_idf=np.asarray([1], "<f4"),
        char_weights=np.zeros((1, 2), "<f4"),
        bias=np.zeros(2),
        offsets=np.zeros(2),
    )
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as temporary, tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        artifact.save(model, {"training_rows": 3}, Path(temporary))
        for path in sorted(Path(temporary).iterdir()):
            member = tarfile.TarInfo(path.name)
            member.size = path.stat().st_size
            tar.addfile(member, io.BytesIO(path.read_bytes()))
    return out.getvalue().rstrip(b"\0") + b"\0" * 1024  # two empty blocks end an archive


TARGETS: dict[str, Callable[[bytes], None]] = {"readers": read, "cleaning": clean, "redaction": redact, "models": load}

"""Every key of the contracts is in a place: searched for rows, or declared free of them for a reason."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from ptmlops.erasure.places import BUCKETS, MODELS, OUTPUT, PLACES, PREPARED, RAW, Rows, place_of
from ptmlops_contracts import keys
from ptmlops_contracts.keys import ModelKeys, OutputKeys, PreparedKeys
from ptmlops_contracts.report import SPLITS
from stacks.retention_settings import Retention

RUN = "20260715-093000-0123abcd"
# Which bucket the keys of a class are in. A new class must be named here.
CLASSES = {PreparedKeys: PREPARED, ModelKeys: MODELS, OutputKeys: OUTPUT}
# Folders that hold only what attributes of the classes name, and keys of one file in such a folder.
NOT_A_PLACE = {"run_id", "folder", "rewritten_folders", "review_folder", "rejected_folder"}
# Top-level folders that no class has.
FOLDERS = {
    keys.QUERY_RESULTS: OUTPUT,
    keys.CODE: MODELS,
    keys.DECISIONS: MODELS,
    keys.UNFINISHED_ERASURES: PREPARED,
    keys.ERASURE_RECORDS: PREPARED,
}
FILES = {keys.ERASURE_KEY: PREPARED}


def layouts() -> Iterator[tuple[str, str]]:
    """(bucket, key) of each key and each folder of the contracts. In a folder, a file stands for all."""
    for keys_of, bucket in CLASSES.items():
        made = keys_of(RUN)
        names = [*vars(made), *(name for name, value in vars(keys_of).items() if isinstance(value, property))]
        for name in names:
            value = getattr(made, name)
            if name not in NOT_A_PLACE:
                yield bucket, f"{value}file" if value.endswith("/") else value
    prepared, models = PreparedKeys(RUN), ModelKeys(RUN)
    for kind in (*SPLITS, keys.RARE, keys.INDEX):
        yield PREPARED, f"{prepared.labelled(kind)}part-00000"
    for split in SPLITS:
        yield PREPARED, prepared.split_manifest(split)
    yield MODELS, models.artifact(f"{RUN}-0-0")
    yield MODELS, keys.TRAINING_CODE
    for folder, bucket in FOLDERS.items():
        yield bucket, f"{folder}file"
    for key, bucket in FILES.items():
        yield bucket, key
    yield RAW, "any/upload.csv"


@pytest.mark.parametrize(("bucket", "key"), list(layouts()))
def test_every_key_is_in_a_place(bucket: str, key: str) -> None:
    place = place_of(bucket, key)
    assert place in PLACES
    assert (place.rows is None) == bool(place.why_none)
    assert (place.rows is None) != bool(place.form)
    assert place.days in {*Retention.model_fields, "kept", "30 days", "until the erasure ends"}


def test_no_class_and_no_folder_of_the_contracts_is_forgotten() -> None:
    classes = {value for _, value in inspect.getmembers(keys, inspect.isclass) if value.__module__ == keys.__name__}
    assert classes == set(CLASSES)
    folders = {
        value
        for name, value in vars(keys).items()
        if isinstance(value, str) and name.isupper() and value.endswith("/") and not name.startswith("_")
    }
    known = {key for _, key in layouts()}
    assert {folder for folder in folders if not any(key.startswith(folder) for key in known)} == set()


def test_methods_that_make_keys_are_all_asked() -> None:
    """A new method, such as `PreparedKeys.labelled`, needs a line in `layouts`."""
    made = {
        f"{keys_of.__name__}.{name}"
        for keys_of in CLASSES
        for name, value in vars(keys_of).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    assert made == {"PreparedKeys.labelled", "PreparedKeys.split_manifest", "ModelKeys.artifact"}


def test_what_is_in_no_place_is_searched_as_bytes() -> None:
    assert place_of(OUTPUT, "somebody/elses.bin").rows is Rows.UNKNOWN


def test_each_place_is_reached() -> None:
    """A pattern behind a wider one would decide nothing."""
    for place in PLACES:
        key = place.pattern.replace("*", "x")
        assert place_of(place.bucket, key).pattern == place.pattern
    assert {place.bucket for place in PLACES} == set(BUCKETS)

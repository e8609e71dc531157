"""The three entry scripts under SageMaker's contract: folders, arguments, log lines, failure messages, request bodies."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import importlib.util
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import jsonschema
import numpy as np
import pytest
from complaint_model import artifact
from complaint_model.archive import content_of
from complaint_model.code_check import find_disagreement
from complaint_model.drift_profile import SIZES

from ptmlops_contracts.drift import DRIFT_KINDS, OTHER
from ptmlops_contracts.evaluation import text_digest
from ptmlops_contracts.review import ReviewReason
from tests.unit.training.conftest import CAUSES, ROOT, make_complaints

pytestmark = pytest.mark.slow

TRAINING = ROOT / "training"
RUN = "20260715-093000-0123abcd"
EVALUATION_SCHEMA = json.loads((ROOT / "docs/evaluation.schema.json").read_text(encoding="utf-8"))


def load(name: str, folder: Path = TRAINING) -> ModuleType:
    """An entry script as a module of its own name, so that it cannot collide with another `train` or `evaluate`."""
    spec = importlib.util.spec_from_file_location(f"entry_{name}", folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


inference = load("inference")


def write_rows(folder: Path, count: int, seed: int, prefix: str) -> None:
    folder.mkdir(parents=True)
    texts, labels = make_complaints(count, seed=seed)
    lines = [
        json.dumps({
            "complaint_id": f"{prefix}{index}",
            "text": text + ("\u2028fin" if index % 7 == 0 else ""),
            "label": label,
            "language": "es" if index % 2 else "en",
            "group_id": f"{prefix}{index}",
            "received_at": None,
        }, ensure_ascii=False)
        for index, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]  # fmt: skip
    (folder / "part-0.jsonl").write_bytes("\n".join(lines).encode() + b"\n")


def training_environment(base: Path) -> dict[str, str]:
    channels = {f"SM_CHANNEL_{name.upper()}": str(base / "input/data" / name) for name in ("train", "validation")}
    return {**os.environ, **channels, "SM_MODEL_DIR": str(base / "model"), "TRAINING_JOB_NAME": f"{RUN}-0-0-001-1a2b3c4d"}


@contextlib.contextmanager
def logged() -> Iterator[io.StringIO]:
    """What is logged, as a job writes it to its standard output."""
    log, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(log), root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield log
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def run_training(base: Path, *arguments: str) -> tuple[int, str]:
    """Run the training job in this process, which has loaded its libraries. Returns (exit code, log)."""
    with (
        logged() as log,
        patch.dict(os.environ, training_environment(base)),
        patch.object(sys, "argv", ["train.py", *arguments]),
    ):
        code: int = load("train").main()
    return code, log.getvalue()


def start_training(base: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the training job in a process of its own, as SageMaker does."""
    return subprocess.run(
        [sys.executable, str(TRAINING / "train.py"), *arguments],
        env=training_environment(base),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished training job: (its /opt/ml, its log)."""
    base = tmp_path_factory.mktemp("ml")
    write_rows(base / "input/data/train/run_id=one", 300, 1, "train")
    write_rows(base / "input/data/validation/run_id=one", 60, 2, "validation")
    (base / "checkpoints").mkdir()
    done = start_training(base, "--cost", "0.4", "--seed", "20", "--target_precision", "0.9")
    assert done.returncode == 0, done.stdout + done.stderr
    return base, done.stdout


def test_each_line_of_the_training_log_is_json_with_the_run(job: tuple[Path, str]) -> None:
    lines = [json.loads(line) for line in job[1].splitlines()]
    assert {(line["service"], line["run_id"], line["level"]) for line in lines} == {("train", RUN, "INFO")}
    assert all(line["message"] and datetime.fromisoformat(line["timestamp"]).tzinfo for line in lines)


def test_training_logs_the_objective_that_the_tuning_job_reads(job: tuple[Path, str]) -> None:
    search_space = json.loads((TRAINING / "hyperparameters.json").read_text())
    found = re.findall(search_space["objective"]["regex"], job[1])
    assert 0.7 < float(found[-1]) <= 1
    # From the second of five folds on, in their order, and then all of them: the service takes the last value for the trial's.
    assert re.findall(r"validation macro_f1=[0-9.]+; (\w+)", job[1]) == ["folds", "folds", "folds", "standard_error"]
    assert re.findall(r"; folds=(\d);", job[1]) == ["2", "3", "4"]
    assert all(abs(float(value) - float(found[-1])) < 0.1 for value in found)
    (noise,) = re.findall(search_space["metrics"][0]["regex"], job[1])
    assert 0 < float(noise) < 0.1


def test_every_tuned_hyperparameter_exists_and_its_range_contains_the_default() -> None:
    settings = load("train").Settings()
    for parameter in json.loads((TRAINING / "hyperparameters.json").read_text())["tuned"]:
        assert parameter["min"] <= parameter["default"] <= parameter["max"]
        assert parameter["default"] == getattr(settings, parameter["name"])


def test_the_model_brings_its_code_and_says_what_it_was_trained_on(job: tuple[Path, str]) -> None:
    about = json.loads((job[0] / "model/model.json").read_text())["about"]
    assert about["training_rows"] == 360
    assert about["settings"]["cost"] == 0.4
    assert re.fullmatch(r"\d+\.\d+\.\d+", about["numba"])
    assert about["settings"]["target_precision"] == 0.9
    assert re.fullmatch(r"[0-9a-f]{64}", about["data_fingerprint"])
    assert (job[0] / "model/code/inference.py").is_file()
    assert list((job[0] / "checkpoints").glob("*.fold"))


def test_an_interrupted_job_goes_on_from_its_checkpoints_and_ends_in_the_same_bytes(
    job: tuple[Path, str], tmp_path: Path
) -> None:
    """A spot instance goes away in the middle; the next one finds the checkpoints that SageMaker kept, and nothing else."""
    arguments = ("--cost", "0.4", "--seed", "20", "--target_precision", "0.9")

    def instance(name: str) -> Path:
        base = tmp_path / name
        shutil.copytree(job[0] / "input", base / "input")
        (base / "checkpoints").mkdir()
        return base

    first = instance("first")
    with subprocess.Popen(
        [sys.executable, "-u", str(TRAINING / "train.py"), *arguments],
        env=training_environment(first),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        folds = (line for line in process.stdout if '"fold ' in line)
        next(folds)
        next(folds)  # folds end in any order; what is logged is kept
        process.kill()
    kept = sorted(path.name for path in (first / "checkpoints").iterdir())
    assert not (first / "model").exists()
    assert len([name for name in kept if not name.endswith(".part")]) in (2, 3, 4)

    second = instance("second")
    shutil.copytree(first / "checkpoints", second / "checkpoints", dirs_exist_ok=True)
    done = start_training(second, *arguments)

    assert done.returncode == 0, done.stdout
    taken = done.stdout.count("read from the checkpoint")
    assert taken == len([name for name in kept if not name.endswith(".part")])
    assert done.stdout.count("trained on") == 5 - taken
    assert objectives(done.stdout) == objectives(job[1])
    assert contents(second / "model") == contents(job[0] / "model")


def objectives(log: str) -> list[str]:
    return re.findall(r"validation .*", log)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_checkpoint_of_other_settings_is_not_taken(job: tuple[Path, str], tmp_path: Path) -> None:
    shutil.copytree(job[0] / "input", tmp_path / "input")
    shutil.copytree(job[0] / "checkpoints", tmp_path / "checkpoints")
    code, log = run_training(tmp_path, "--cost", "0.5", "--seed", "20", "--target_precision", "0.9")
    assert code == 0, log
    assert "trained on" in log
    assert "read from the checkpoint" not in log


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--cots", "1"), "unrecognized arguments"),
        (("--cost", "much"), "invalid float"),
        ((), "2 labels and got 0, in 0 different texts"),
    ],
)
def test_a_failure_leaves_its_reason_where_sagemaker_reads_it(tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    code, log = run_training(tmp_path, *arguments)
    assert code == 1
    assert reason in (tmp_path / "output/failure").read_text()
    assert "Traceback" not in log


def test_a_process_that_fails_exits_with_1_and_without_a_traceback(tmp_path: Path) -> None:
    done = start_training(tmp_path, "--cots", "1")
    assert done.returncode == 1
    assert "unrecognized arguments" in (tmp_path / "output/failure").read_text()
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("cost", value) for value in ("-1", "0", "nan", "inf", "1e-300")),
        *(("weight_power", value) for value in ("nan", "1e6", "-5")),
        *(("bayes_power", value) for value in ("nan", "-1", "1000")),
        *(("seed", value) for value in ("-1", "99999999999999999999")),
        *(("min_rows", value) for value in ("0", "-3")),
        *(("target_precision", value) for value in ("nan", "0", "1", "2")),
        ("folds", "1"),
    ],
)
def test_a_hyperparameter_out_of_its_range_is_refused_before_anything_is_read(name: str, value: str) -> None:
    train = load("train")
    with pytest.raises(train.TrainingError, match=f"hyperparameters: {name} must be between "):
        train.parse_settings([f"--{name}={value}"])


def test_an_unexpected_error_leaves_a_reason_too(tmp_path: Path) -> None:
    write_rows(tmp_path / "input/data/train/run_id=one", 60, 1, "train")
    (tmp_path / "model").write_text("a file where the model's folder should be")
    assert run_training(tmp_path)[0] == 1
    assert "Unexpected FileExistsError during training" in (tmp_path / "output/failure").read_text()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[" * 200_000, "is not JSON"),
        (rb'{"complaint_id": "1", "text": "x", "label": "\ud800"}', "half a character"),
        (rb'{"complaint_id": "1", "text": "x", "label": "a", "language": "\ud800"}', "half a character"),
        (b'{"complaint_id": "", "text": "x", "label": "a"}', "lacks complaint_id"),
    ],
)
def test_a_line_that_cannot_be_used_is_told_by_its_place(tmp_path: Path, line: bytes, reason: str) -> None:
    from complaint_model.labelled_files import DataError, read_labelled

    (tmp_path / "part-0").write_bytes(line)
    with pytest.raises(DataError, match=f"line 1 of file 1 in .*{reason}"):
        read_labelled(tmp_path)


def test_a_broken_line_is_named_by_its_place_and_not_by_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "input/data/train"
    folder.mkdir(parents=True)
    (folder / "maria-perez.jsonl").write_text('{"complaint_id": "1", "text": "secret"}\n')
    assert run_training(tmp_path)[0] == 1
    reason = (tmp_path / "output/failure").read_text()
    assert "line 1 of file 1 in train/" in reason
    assert "secret" not in reason
    assert "maria" not in reason


# ---------------------------------------------------------------- evaluation


@pytest.fixture
def processing(job: tuple[Path, str], tmp_path: Path) -> Path:
    base = tmp_path / "processing"
    shutil.copytree(TRAINING, base / "code", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "ptmlops_contracts", base / "code/ptmlops_contracts")  # as the source archive has it
    for name in ("candidate", "champion", "request"):
        (base / "input" / name).mkdir(parents=True)
    with tarfile.open(base / "input/candidate/model.tar.gz", "w:gz") as tar:
        tar.add(job[0] / "model", arcname=".")
    for name in ("train", "validation"):
        shutil.copytree(job[0] / "input/data" / name, base / "input" / name)
    write_rows(base / "input/test/run_id=one", 120, 3, "test")
    request = {"run_id": "r", "champion_version": "none", "target_precision": 0.9, "max_recall_drop": 0.1, "seed": 20}
    for name in ("champion", "request"):
        (base / "input" / name / "request.json").write_text(json.dumps(request))
    return base


def run_evaluation(base: Path) -> tuple[int, str]:
    """Run the evaluation job in this process, which has loaded its libraries. Returns (exit code, log)."""
    with logged() as log:
        code: int = load("evaluate", base / "code").main()
    assert "Traceback" not in log.getvalue(), log.getvalue()
    if code == 0:
        found = evaluation_of(base)
        jsonschema.validate(found, EVALUATION_SCHEMA["$defs"]["refused"] if "refused" in found else EVALUATION_SCHEMA)
    return code, log.getvalue()


def start_evaluation(base: Path) -> tuple[int, str]:
    """Run the evaluation job in a process of its own, as SageMaker does."""
    done = subprocess.run([sys.executable, str(base / "code/evaluate.py")], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def evaluation_of(base: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((base / "output/evaluation.json").read_text(encoding="utf-8"))
    return found


def give_champion(base: Path, model: Path | bytes, version: str = "3", **request_fields: str) -> None:
    """Put a champion where the job expects it: a model's folder, or the bytes of a broken archive."""
    archive = base / "input/champion/model.tar.gz"
    if isinstance(model, bytes):
        archive.write_bytes(model)
    else:
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(model, arcname=".")
    request = base / "input/request/request.json"
    request.write_text(json.dumps({**json.loads(request.read_text()), "champion_version": version, **request_fields}))


def test_a_first_candidate_is_measured_alone(processing: Path) -> None:
    code, log = start_evaluation(processing)
    assert code == 0, log
    result = evaluation_of(processing)
    jsonschema.validate(result, EVALUATION_SCHEMA)
    candidate = result["candidate"]
    assert result["champion"] is None
    assert result["comparison"] is None
    assert result["leakage"] == {"rows": 0}
    assert result["holdout"]["rows"] == 120
    assert candidate["training_rows"] == 360
    archive = (processing / "input/candidate/model.tar.gz").read_bytes()
    with tarfile.open(processing / "input/candidate/model.tar.gz") as tar:
        manifest = tar.extractfile("./manifest.json")
        assert manifest is not None
        assert candidate["archive"] == {
            "sha256": hashlib.sha256(archive).hexdigest(),
            "bytes": len(archive),
            "manifest_sha256": hashlib.sha256(manifest.read()).hexdigest(),
        }
    low, high = candidate["macro_f1_interval"]
    assert low <= candidate["macro_f1"] <= high
    assert sum(sum(answers.values()) for answers in candidate["confusion"].values()) == 120
    assert set(candidate["by_language"]) == {"es", "en"}
    profile = candidate["profile"]
    assert profile["rows"] == 120
    assert set(profile["counts"]) == set(DRIFT_KINDS)
    assert all(sum(rows.values()) == 120 for rows in profile["counts"].values())
    assert profile["counts"]["languages"] == {
        **{name: part["rows"] for name, part in candidate["by_language"].items()}, OTHER: 0,
    }  # fmt: skip
    assert [point["rows"] for point in profile["thresholds"]] == list(SIZES)
    assert (processing / "output/reliability.svg").read_text().startswith("<svg")
    # Publish finds it beside the evaluation.
    assert (processing / "output/term_profile.npz").read_bytes() == artifact.read_term_profile(
        processing / "input/candidate/model.tar.gz"
    )


def test_the_answers_to_held_out_rows_are_kept_without_texts_and_are_those_of_serving(
    job: tuple[Path, str], processing: Path
) -> None:
    assert run_evaluation(processing)[0] == 0
    answers = [json.loads(line) for line in (processing / "output/answers.jsonl").read_bytes().splitlines()]
    candidate = evaluation_of(processing)["candidate"]
    lines = [line for path in (processing / "input/test").rglob("part-0.jsonl") for line in path.read_bytes().splitlines()]
    rows = {row["complaint_id"]: row for row in map(json.loads, lines)}

    assert {answer["complaint_id"] for answer in answers} == set(rows)
    assert len(answers) == 120
    right = 0
    for answer in answers:
        row = rows[answer["complaint_id"]]
        assert (answer["label"], answer["text_digest"]) == (row["label"], text_digest(row["text"].upper()))
        right += answer["answer"] == row["label"]
        assert answer["answer"] in candidate["labels"]
    assert right / 120 == pytest.approx(candidate["accuracy"], abs=1e-6)
    serving = inference.predict_fn(lines, inference.model_fn(str(job[0] / "model")))
    served = {answer["complaint_id"]: answer for answer in map(json.loads, serving)}
    for answer in answers:
        assert served[answer["complaint_id"]]["label"] == answer["answer"]
        assert served[answer["complaint_id"]]["confidence"] == answer["confidence"]


def test_rows_of_all_splits_whose_label_is_wrong_are_listed_the_most_doubtful_first(processing: Path) -> None:
    """One row in fifteen has a label that its text contradicts (make_complaints)."""
    causes = {cause: label for label, phrases in CAUSES.items() for cause in phrases}

    def truth(text: str) -> str:
        return next(label for cause, label in causes.items() if cause in text)

    assert run_evaluation(processing)[0] == 0
    written = processing / "labels_to_check/labels_to_check.jsonl"
    found = [json.loads(line) for line in written.read_bytes().splitlines()]

    lines = [line for path in (processing / "input").rglob("part-0.jsonl") for line in path.read_bytes().splitlines()]
    rows = {row["complaint_id"]: row for row in map(json.loads, lines)}
    wrong = {name for name, row in rows.items() if row["label"] != truth(row["text"])}
    assert len(wrong) > 20
    listed = [row["complaint_id"] for row in found]
    # Texts are in this output alone, which expires with the run.
    beside = "".join(
        path.read_bytes().decode("utf-8", "replace") for path in (processing / "output").rglob("*") if path.is_file()
    )
    assert '"holdout"' in beside
    assert not any(row["text"] in beside for row in rows.values())
    assert len(wrong & set(listed)) >= 0.9 * len(wrong)
    assert wrong.issuperset(listed[: len(wrong) // 2])
    assert {re.sub(r"\d+$", "", name) for name in listed} == {"train", "validation", "test"}
    assert [row["given_probability"] for row in found] == sorted(row["given_probability"] for row in found)
    for row in found:
        assert (row["text"], row["given_label"]) == (rows[row["complaint_id"]]["text"], rows[row["complaint_id"]]["label"])
        assert row["complaint_id"] not in wrong or row["suggestion"] == truth(row["text"])
        assert row["language"] == (rows[row["complaint_id"]].get("language") or "")

    # The candidate names its rows by their place, which says nothing about other rows.
    write_rows(processing / "input/train/run_id=two", 1, 9, "new")
    assert run_evaluation(processing)[0] == 0
    names = [json.loads(line)["complaint_id"] for line in written.read_bytes().splitlines()]
    assert names == [name for name in listed if name.startswith("test")]


def test_a_model_holds_no_text_of_the_rows_whose_label_it_doubts(job: tuple[Path, str]) -> None:
    about = json.loads((job[0] / "model/model.json").read_text())["about"]
    assert len(about["doubts"]) > 5
    assert all(0 <= row < 360 and 0 <= label < 3 and of_given < of_best for row, label, of_given, of_best in about["doubts"])


def test_champion_and_candidate_are_compared_on_the_same_rows(processing: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_rows(other / "input/data/train/run_id=one", 40, 4, "other")
    assert run_training(other, "--cost", "0.01")[0] == 0
    give_champion(processing, other / "model")
    assert run_evaluation(processing)[0] == 0
    result = evaluation_of(processing)
    comparison = result["comparison"]
    assert result["champion"]["version"] == "3"
    assert set(comparison["recall"]) == set(result["holdout"]["labels"])
    expected = result["candidate"]["macro_f1"] - result["champion"]["macro_f1"]
    assert comparison["macro_f1_difference"] == pytest.approx(expected, abs=1e-5)
    assert comparison["interval"][0] <= comparison["macro_f1_difference"] <= comparison["interval"][1]
    assert 0 < comparison["p_value"] <= 1
    assert comparison["lower_recall"] == {"max_drop": 0.1, "labels": {}}
    assert (processing / "output/confusion-champion.svg").is_file()


def _other_format(model: Path) -> None:
    manifest = model / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 999}))


def _other_weights(model: Path) -> None:
    with (model / "weights.npy").open("r+b") as weights:
        weights.seek(-4, os.SEEK_END)
        weights.write(b"\x00\x00\x80\x7f")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_other_format, "the model has format 999"),
        (_other_weights, "weights.npy was changed after training"),
        (lambda model: (model / "bias.npy").unlink(), "bias.npy is missing"),
        (b"damaged", "model.tar.gz cannot be unpacked"),
        (gzip.compress(b"")[:10] + b"\x07", "model.tar.gz cannot be unpacked"),  # zlib.error
        (None, "there is no model.tar.gz at the address in its model package"),
    ],
)
def test_a_champion_that_cannot_be_read_is_said_and_the_candidate_measured(
    job: tuple[Path, str], processing: Path, tmp_path: Path, damage: Any, reason: str
) -> None:
    if callable(damage):
        shutil.copytree(job[0] / "model", tmp_path / "champion")
        damage(tmp_path / "champion")
        give_champion(processing, tmp_path / "champion")
    else:
        give_champion(processing, damage or b"")
        if damage is None:
            (processing / "input/champion/model.tar.gz").unlink()
    code, log = run_evaluation(processing)
    assert code == 0, log
    result = evaluation_of(processing)
    assert result["champion"]["version"] == "3"
    assert reason in result["champion"]["error"]
    assert result["comparison"] is None
    assert result["candidate"]["macro_f1"] > 0.7
    assert result["notes"][0].startswith("the champion was not compared: ")


@pytest.mark.parametrize(("registered", "is_compared"), [("same", True), ("none", True), ("other", False)])
def test_a_champion_is_compared_if_its_archive_is_the_registered_one(
    job: tuple[Path, str], processing: Path, registered: str, *, is_compared: bool
) -> None:
    """A version that an earlier release registered has no digest."""
    give_champion(processing, job[0] / "model")
    digest = hashlib.sha256((processing / "input/champion/model.tar.gz").read_bytes()).hexdigest()
    digests = {"same": digest, "none": "none", "other": "0" * 64}
    give_champion(processing, (processing / "input/champion/model.tar.gz").read_bytes(), champion_sha256=digests[registered])
    code, log = run_evaluation(processing)
    assert code == 0, log
    result = evaluation_of(processing)
    assert (result["comparison"] is not None) is is_compared
    if is_compared:
        assert result["champion"]["archive"]["sha256"] == digest
    else:
        assert result["champion"] == {
            "version": "3",
            "error": "champion: model.tar.gz is not the one that version 3 was registered with (its SHA-256 differs): restore that one",
        }
        assert result["candidate"]["macro_f1"] > 0.7


def _change_code(model: Path) -> None:
    (model / "code/complaint_model/scoring.py").write_text("import os\n")


def _add_code(model: Path) -> None:
    (model / "code/numpy.py").write_text("import os\n")


def _change_wheel(model: Path) -> None:
    (model / "wheels").mkdir()
    (model / "wheels/numba-1-py3-none-any.whl").write_bytes(b"wheel")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_change_code, "code/complaint_model/scoring.py was changed after training"),
        (_add_code, "code/numpy.py is not in manifest.json"),
        (_change_wheel, "wheels/numba-1-py3-none-any.whl is not in manifest.json"),
    ],
)
def test_a_candidate_whose_code_or_wheels_were_changed_is_not_evaluated(
    job: tuple[Path, str], processing: Path, tmp_path: Path, change: Callable[[Path], None], reason: str
) -> None:
    """They would serve. The evaluation runs its own code, and would not see them in its answers."""
    shutil.copytree(job[0] / "model", tmp_path / "candidate")
    change(tmp_path / "candidate")
    with tarfile.open(processing / "input/candidate/model.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "candidate", arcname=".")
    assert run_evaluation(processing)[0] == 1
    assert (processing.parent / "output/message").read_text().startswith(f"candidate: {reason}")
    assert not (processing / "output/evaluation.json").exists()


def test_labels_that_one_of_the_two_does_not_know_are_named(processing: Path, tmp_path: Path) -> None:
    """The champion knows a label that is gone, and not one that is new."""
    other = tmp_path / "other"
    write_rows(other / "input/data/train/run_id=one", 200, 5, "other")
    lines = (other / "input/data/train/run_id=one/part-0.jsonl").read_bytes().replace(b'"access"', b'"signing in"')
    (other / "input/data/train/run_id=one/part-0.jsonl").write_bytes(lines)
    assert run_training(other)[0] == 0
    give_champion(processing, other / "model")
    assert run_evaluation(processing)[0] == 0
    result = evaluation_of(processing)
    notes = " ".join(result["notes"])
    assert "labels that only the candidate knows: access" in notes
    assert "labels that only the champion knows: signing in" in notes
    assert "the champion does not know access" in notes
    assert result["champion"]["per_label"]["access"]["recall"] == 0
    assert result["candidate"]["per_label"]["signing in"]["support"] == 0
    assert result["comparison"]["macro_f1_difference"] > 0.1
    assert result["comparison"]["recall"]["access"]["gained"] > 10


def test_what_a_model_does_not_keep_is_noted(processing: Path, tmp_path: Path) -> None:
    """A holdout whose frauds are called billing; then a model that should be surer than any answer is."""
    part = processing / "input/test/run_id=one/part-0.jsonl"
    swapped = [line.replace(b'"fraud"', b'"billing"') for line in part.read_bytes().split(b"\n")]
    part.write_bytes(b"\n".join(swapped))
    assert run_evaluation(processing)[0] == 0
    assert any("fewer than the required 0.9, by more than chance" in note for note in evaluation_of(processing)["notes"])

    strict = tmp_path / "strict"
    shutil.copytree(processing / "input/train", strict / "input/data/train")
    assert run_training(strict, "--target_precision", "0.9999")[0] == 0
    with tarfile.open(processing / "input/candidate/model.tar.gz", "w:gz") as tar:
        tar.add(strict / "model", arcname=".")
    assert run_evaluation(processing)[0] == 0
    assert any("the candidate leaves every row to review" in note for note in evaluation_of(processing)["notes"])


def test_a_holdout_of_one_label_is_measured_and_said_to_be_small(processing: Path) -> None:
    shutil.rmtree(processing / "input/test")
    write_rows(processing / "input/test/run_id=one", 40, 6, "test")
    part = processing / "input/test/run_id=one/part-0.jsonl"
    part.write_bytes(b"\n".join(line for line in part.read_bytes().split(b"\n") if b'"label": "fraud"' in line))
    assert run_evaluation(processing)[0] == 0
    result = evaluation_of(processing)
    assert set(result["holdout"]["labels"]) == {"fraud"}
    assert 0 <= result["candidate"]["macro_f1"] <= 1
    assert any("too few to distinguish two models" in note for note in result["notes"])


def test_the_newest_label_of_a_text_is_the_one_that_is_learned(tmp_path: Path) -> None:
    from complaint_model.labelled_files import read_labelled

    for run, label in (("20260101-000000-a", "guess"), ("20260201-000000-b", "reviewed")):
        folder = tmp_path / "train" / f"run_id={run}"
        folder.mkdir(parents=True)
        line = {"complaint_id": run, "text": "Me cobraron dos veces", "label": label, "group_id": "g", "language": "es"}
        (folder / "part-00000.txt").write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert [(row.label, row.run_id) for row in read_labelled(tmp_path / "train")] == [("reviewed", "20260201-000000-b")]


@pytest.mark.parametrize("channel", ["train", "validation"])
def test_leaked_rows_are_counted_and_left_out_whatever_their_ids(processing: Path, channel: str) -> None:
    """Three rows that training learned from among the test rows: one by group, two by their words alone."""
    lines = next((processing / "input" / channel).rglob("*.jsonl")).read_bytes().split(b"\n")
    copies = [json.loads(line) for line in lines[:3]]
    for number, copy in enumerate(copies):
        copy["complaint_id"] = f"copy{number}"
        if number:
            copy["group_id"] = f"copy{number}"
            copy["text"] = copy["text"].upper() + " !"
    (processing / "input/test/more.jsonl").write_text("".join(json.dumps(copy) + "\n" for copy in copies))
    assert run_evaluation(processing)[0] == 0
    result = json.loads((processing / "output/evaluation.json").read_text())
    assert result["leakage"] == {"rows": 3}
    assert result["holdout"]["rows"] == 120
    assert "near-duplicates of training rows, left out: 3 held-out rows" in result["notes"]


def test_an_empty_holdout_gives_nulls_and_says_so(processing: Path) -> None:
    shutil.rmtree(processing / "input/test")
    assert run_evaluation(processing)[0] == 0
    result = json.loads((processing / "output/evaluation.json").read_text())
    assert result["candidate"]["macro_f1"] is None
    assert result["candidate"]["macro_f1_interval"] is None
    assert any("0 rows: too few" in note for note in result["notes"])


def test_a_label_that_no_model_knows_counts_as_wrong_and_is_named(processing: Path) -> None:
    row = {"complaint_id": "n", "text": "algo nuevo", "label": "new", "group_id": "n", "language": "es"}
    (processing / "input/test/more.jsonl").write_text(json.dumps(row) + "\n")
    assert run_evaluation(processing)[0] == 0
    result = json.loads((processing / "output/evaluation.json").read_text())
    assert result["candidate"]["per_label"]["new"] == {"precision": None, "recall": 0.0, "f1": 0.0, "support": 1}
    assert any("the candidate does not know new" in note for note in result["notes"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("target_precision", value) for value in ("x", None, float("nan"), 1.0)),
        *(("max_recall_drop", value) for value in ("x", None, float("nan"), 1.5, -0.1, True)),
        *(("seed", value) for value in (-1, None, 1 << 40, True)),
        ("champion_version", 3),
        ("champion_sha256", 3),
        ("champion_sha256", None),
        ("champion_runs", 3),
        ("champion_runs", [3]),
    ],
)
def test_a_request_that_cannot_be_used_is_refused(tmp_path: Path, name: str, value: Any) -> None:
    evaluate = load("evaluate")
    request = {"run_id": "r", "champion_version": "none", "target_precision": 0.9, "max_recall_drop": 0.1, "seed": 20}
    (tmp_path / "request.json").write_text(json.dumps({**request, name: value}))
    with pytest.raises(evaluate.DataError, match=f"no usable {name}"):
        evaluate._request(tmp_path)


def test_an_unusable_request_ends_in_a_message(processing: Path) -> None:
    (processing / "input/request/request.json").write_text("[" * 200_000)
    assert run_evaluation(processing)[0] == 1
    assert "request.json is missing or not JSON" in (processing.parent / "output/message").read_text()


def test_a_damaged_candidate_ends_in_a_message(processing: Path) -> None:
    (processing / "input/candidate/model.tar.gz").write_bytes(b"damaged")
    assert start_evaluation(processing)[0] == 1
    assert "candidate: model.tar.gz cannot be unpacked" in (processing.parent / "output/message").read_text()


def give_trial(base: Path, model: Path, name: str, *, code_version: str | None = None) -> None:
    """Put the model of another trial where the job expects it, trained by another version of the code if one is given."""
    folder = base / "trials" / name
    shutil.copytree(model, folder)
    if code_version:
        content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        content["about"]["code_version"] = code_version
        (folder / "model.json").write_text(json.dumps(content), encoding="utf-8")
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        manifest["members"]["model.json"] = dataclasses.asdict(content_of(folder / "model.json"))
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    archive = base / "input/trials" / name / "output/model.tar.gz"
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                tar.add(path, arcname=path.relative_to(folder).as_posix())


def test_trials_of_other_code_are_not_compared(job: tuple[Path, str], processing: Path) -> None:
    give_trial(processing, job[0] / "model", "t-001")
    give_trial(processing, job[0] / "model", "t-002", code_version="0123456789ab")
    assert run_evaluation(processing)[0] == 0
    refused = evaluation_of(processing)
    assert refused["run_id"] == "r"
    assert "its trials cannot be compared (1 ran 0123456789ab, 1 ran " in refused["refused"]


def test_trials_without_a_model_or_with_a_damaged_one_do_not_count(job: tuple[Path, str], processing: Path) -> None:
    give_trial(processing, job[0] / "model", "t-001")
    (processing / "empty").mkdir()
    give_trial(processing, processing / "empty", "t-002")
    give_trial(processing, job[0] / "model", "t-003", code_version="0123456789ab")
    (processing / "input/trials/t-003/output/model.tar.gz").write_bytes(b"damaged")
    assert run_evaluation(processing)[0] == 0
    assert evaluation_of(processing)["candidate"]["macro_f1"] > 0


@pytest.mark.parametrize(
    ("file", "refuses"), [("inference.py", True), ("complaint_model/scoring.py", True), ("evaluate.py", False)]
)
def test_a_candidate_is_measured_by_the_code_that_it_serves_with(processing: Path, file: str, refuses: bool) -> None:
    """A repaired evaluate.py measures a candidate that was trained before the repair."""
    path = processing / "code" / file
    path.write_text(path.read_text(encoding="utf-8") + "\n# Another version.\n", encoding="utf-8")
    assert start_evaluation(processing)[0] == 0
    refused = evaluation_of(processing).get("refused", "")
    assert ("the candidate serves with other code than evaluates it" in refused) is refuses


@pytest.mark.parametrize(
    ("deployed", "brought", "refuses"),
    [
        ({"a-1.whl": b"a"}, {}, False),
        ({"a-1.whl": b"a", "b-1.whl": b"b"}, {"a-1.whl": b"a", "b-1.whl": b"b"}, False),
        ({"a-1.whl": b"a"}, {"a-1.whl": b"other"}, True),
        ({"a-1.whl": b"a"}, {"a-1.whl": b"a", "numpy-9.whl": b"other"}, True),
        ({}, {"a-1.whl": b"a"}, True),
    ],
)
def test_a_candidate_serves_with_the_wheels_that_were_deployed(
    job: tuple[Path, str], processing: Path, deployed: dict[str, bytes], brought: dict[str, bytes], *, refuses: bool
) -> None:
    """Its manifest lists them: only a comparison shows whether they are those of requirements.lock."""
    for folder, wheels in ((processing / "code/wheels", deployed), (processing / "brought", brought)):
        folder.mkdir()
        for name, content in wheels.items():
            (folder / name).write_bytes(content)
    model = artifact.load(job[0] / "model")
    artifact.save(model.model, model.about, processing / "model", source=TRAINING, wheels=processing / "brought")
    with tarfile.open(processing / "candidate.tar.gz", "w:gz") as tar:
        tar.add(processing / "model", arcname=".")
    refused = find_disagreement(processing / "candidate.tar.gz", [], processing / "code")
    assert ("other wheels than evaluate it" in (refused or "")) is refuses


# ---------------------------------------------------------------- inference


@pytest.fixture(scope="module")
def model(job: tuple[Path, str]) -> Any:
    return inference.model_fn(str(job[0] / "model"))


def answers(model: Any, body: bytes | str) -> list[dict[str, Any]]:
    content, kind = inference.output_fn(
        inference.predict_fn(inference.input_fn(body, "application/jsonlines"), model), "application/jsonlines"
    )
    assert kind == "application/jsonlines"
    assert content.isascii()
    lines = content.split("\n")
    assert lines.pop() == ""
    return [json.loads(line) for line in lines]


def line(text: Any, identity: Any = "1") -> bytes:
    return json.dumps({"complaint_id": identity, "text": text}, ensure_ascii=False).encode()


def test_a_prediction_has_every_field_of_the_contract(model: Any) -> None:
    (answer,) = answers(model, line("Me cobraron dos veces la cuota de manejo 😡\u2028gracias"))
    assert (inference.UNFAMILIAR, inference.UNCERTAIN) == (ReviewReason.UNFAMILIAR, ReviewReason.UNCERTAIN)
    names = {
        "complaint_id",
        "label",
        "confidence",
        "alternatives",
        "needs_review",
        "review_reason",
        "known_share",
        "top_terms",
        "error",
    }
    assert set(answer) == names
    assert answer["review_reason"] == (ReviewReason.UNCERTAIN if answer["needs_review"] else None)
    assert answer["complaint_id"] == "1"
    assert answer["label"] == "billing"
    assert 0 < answer["known_share"] < 1
    assert answer["alternatives"][0] == {"label": "billing", "probability": answer["confidence"]}
    assert [len(answer["alternatives"]), answer["error"]] == [3, None]
    assert any("cobraron" in term["term"] for term in answer["top_terms"])


@pytest.mark.parametrize(
    ("bad", "identity", "error"),
    [
        (b"", None, "the line is empty"),
        (b"{bad", None, "the line is not JSON"),
        (line("x") + b" " + line("y"), None, "the line is not JSON"),
        (b"[1] 2", None, "the line is not JSON"),
        (b"\xff\xfe", None, "the line is not UTF-8 text"),
        (b"[1]", None, "not a JSON object"),
        (b"[" * 200_000, None, "the line is not JSON"),
        (b'{"text": "x"}', None, "complaint_id is missing"),
        (line("x", True), None, "complaint_id is missing"),
        (line(None), "1", "text is missing"),
        (line(["x"]), "1", "text is missing"),
        (line(" \n\u2028\x00"), "1", "text is empty"),
        (line("a" * 200_001), "1", "200001 characters"),
    ],
)
def test_a_bad_record_is_an_error_on_its_own_line(model: Any, bad: bytes, identity: str | None, error: str) -> None:
    good = line("no reconozco esta compra", "good")
    before, found, after = answers(model, b"\n".join([good, bad, good]) + b"\n")
    assert before == after
    assert before["error"] is None
    assert error in found["error"]
    assert found["complaint_id"] == identity
    assert [found["label"], found["confidence"], found["needs_review"], found["alternatives"]] == [None, None, None, []]


@pytest.mark.parametrize(
    "text", ["a\x00b cobro", "😡😡", "\\ud800 lone \ud800".replace("\ud800", "x"), "漢字", "x" * 199_999, "\u2028cobro"]
)
def test_unusual_texts_get_a_prediction(model: Any, text: str) -> None:
    (answer,) = answers(model, line(text))
    assert answer["error"] is None
    assert answer["label"]


def test_a_number_is_an_identity_and_a_mark_before_the_line_is_nothing(model: Any) -> None:
    (answer,) = answers(model, b"\xef\xbb\xbf" + line("cobro dos veces", 7))
    assert [answer["complaint_id"], answer["error"]] == ["7", None]


def test_a_lone_surrogate_in_an_escape_is_scored(model: Any) -> None:
    (answer,) = answers(model, rb'{"complaint_id": "1", "text": "cobro \ud800 dos veces"}')
    assert answer["label"]


def test_a_text_with_no_known_word_goes_to_review(model: Any) -> None:
    unknown, foreign = answers(model, line("zzyzx qwertyuiop") + b"\n" + line("漢字"))
    assert unknown["needs_review"] is True
    assert foreign["needs_review"] is True
    assert unknown["review_reason"] == foreign["review_reason"] == ReviewReason.UNFAMILIAR
    assert foreign["top_terms"] == []


def test_nothing_in_gives_nothing_out_and_text_bodies_work(model: Any) -> None:
    assert inference.input_fn(b"", "application/jsonlines") == []
    assert inference.output_fn(inference.predict_fn([], model), "*/*")[0] == ""
    assert len(answers(model, line("cobro").decode() + "\n")) == 1


@pytest.mark.parametrize("kind", ["text/csv", "application/json", "application/x-npy", ""])
def test_other_content_types_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="application/jsonlines"):
        inference.input_fn(b"{}", kind)
    if kind:
        with pytest.raises(ValueError, match="application/jsonlines"):
            inference.output_fn([], kind)


def test_the_label_comes_first_and_then_what_is_most_probable(model: Any) -> None:
    texts, _ = make_complaints(60, seed=31)
    found = answers(dataclasses.replace(model, offsets=np.asarray([1.5, 0.0, -1.5])), b"\n".join(line(text) for text in texts))
    for answer in found:
        chances = [alternative["probability"] for alternative in answer["alternatives"]]
        assert answer["alternatives"][0] == {"label": answer["label"], "probability": answer["confidence"]}
        assert chances[1:] == sorted(chances[1:], reverse=True)
    assert any(answer["alternatives"][1]["probability"] > answer["confidence"] for answer in found)  # an offset decided

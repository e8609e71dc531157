"""The way of a complaint through the deployed template: each test goes on from where the one before it left the deployment."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import re
import time
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pyarrow.dataset as ds
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from click.testing import Result
from complaints_etl.spreadsheet import active
from typer.testing import CliRunner

from local_aws import LocalAws
from ptmlops import generator, registry, runs, uploads
from ptmlops.main import app
from ptmlops.target import Target
from ptmlops_contracts.keys import OutputKeys, PreparedKeys, labelled_folders
from tests.athena import Athena
from tests.e2e.conftest import long_window
from tests.unit.publish.browser import chromium

LABELLED_ROWS, UNLABELLED_ROWS = 900, 150
NEW_KIND_ROWS, NEW_LABEL, KEPT_BACK = 90, "travel_insurance", 10
Run = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Checked:
    """What a person downloaded from the page of labels to check, and the row whose label changed."""

    file: Path
    row: dict[str, str]


Command = Callable[..., Result]


@pytest.fixture(scope="module")
def ptmlops(local_aws: LocalAws) -> Command:
    """A command in a folder, on the tests' local AWS."""

    def run(folder: Path, *arguments: str) -> Result:
        if not (folder / ".local_aws").exists():
            (folder / ".local_aws").symlink_to(local_aws.folder)
        with chdir(folder):
            return CliRunner().invoke(app, [*arguments, "-e", "local", "--local"], catch_exceptions=False)

    return run


@pytest.fixture(scope="module")
def drop(target: Target) -> Callable[[Path], Run]:
    """Drop a file, follow its run to the end, give its id and run.json."""

    def work(path: Path) -> Run:
        run_id = uploads.wait_for_run(target, uploads.upload(target, path))
        for _ in runs.follow(target, run_id):
            pass
        return run_id, runs.run_document(target, run_id)

    return work


@pytest.fixture(scope="module")
def before_any_model(drop: Callable[[Path], Run], made: Path) -> Run:
    path = made / "unlabelled.csv"
    generator.write_csv(path, UNLABELLED_ROWS, labelled=False, seed=8, broken=2)
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(complaints_of_a_new_kind())
    return drop(path)


@pytest.fixture(scope="module")
def first_training(before_any_model: Run, drop: Callable[[Path], Run], made: Path) -> Run:
    path = made / "labelled.csv"
    generator.write_csv(path, LABELLED_ROWS, seed=7, broken=6)
    return drop(path)


@pytest.fixture(scope="module")
def checked(first_training: Run, ptmlops: Command, target: Target, tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """A person keeps the first label to check and takes the suggestion for the second one, by keyboard."""
    run_id, folder = first_training[0], tmp_path_factory.mktemp("checked")
    pulled = ptmlops(folder, "review", "pull", run_id, "--json")
    assert pulled.exit_code == 0, pulled.stderr
    path = folder / "labels.csv"
    with chromium() as browser:
        tab = browser.new_page()
        tab.goto((folder / json.loads(pulled.stdout)["page"]).as_uri())
        assert tab.title().startswith("Etiquetas por comprobar")
        tab.keyboard.press("1")
        tab.keyboard.press("2")
        with tab.expect_download() as found:
            tab.keyboard.press("d")
        path.write_bytes(Path(found.value.path()).read_bytes())
    return Checked(path, csv_rows(target, OutputKeys(run_id).labels_to_check)[1])


@pytest.fixture(scope="module")
def scored(before_any_model: Run, first_training: Run, target: Target) -> Run:
    """The run that found no model, redriven now that there is one."""
    run_id, _ = before_any_model
    target.client("stepfunctions").redrive_execution(executionArn=runs.execution_arn(target, run_id))
    for _ in runs.follow(target, run_id):
        pass
    return run_id, runs.run_document(target, run_id)


def complaints_of_a_new_kind() -> list[list[str]]:
    """Complaints on travel insurance, which no labelled file knows; a spreadsheet would compute their ids."""
    draw = random.Random(4)  # noqa: S311 - test data
    slots = (
        ("El seguro de viaje", "La póliza de viaje", "Mi seguro de asistencia en viaje", "El seguro del viajero"),
        ("no cubrió", "se negó a pagar", "tardó meses en responder por", "rechazó sin razón", "solo reembolsó la mitad de"),
        ("el hospital", "la maleta perdida", "el vuelo cancelado", "la cirugía de urgencia", "el hotel", "la repatriación"),
        ("en Lima", "en Madrid", "en Cancún", "durante la escala en Panamá", "al volver de Roma", "en un crucero"),
        ("La aseguradora pide papeles que ya mandé", "El asesor del seguro cortó la llamada", "Nadie del seguro contesta",
         "Dicen que la póliza no aplica para viajeros mayores", "El médico del seguro nunca llegó"),
    )  # fmt: skip
    texts = {" ".join(draw.choice(words) for words in slots) + f". Fue el día {draw.randrange(1, 29)}." for _ in range(200)}
    chosen = draw.sample(sorted(texts), NEW_KIND_ROWS)
    return [[f"=viaje-{number}", "2026-07-01", "app", text] for number, text in enumerate(chosen)]


@pytest.fixture(scope="module")
def taught(scored: Run, checked: Checked, ptmlops: Command, target: Target, made: Path) -> Run:
    """A person answers the scored run's list on its page, all but some of the new kind, and drops the file.

    The labels that the person has checked are in the same run.

    The file is the page's download, with the rows that were left out as the list has them.
    """
    run_id, _ = scored
    known = {complaint.complaint_id: complaint.label for complaint in generator.complaints(UNLABELLED_ROWS, seed=8)}
    rows = csv_rows(target, OutputKeys(run_id).review)
    kept_back = [row for row in rows if "viaje-" in row["complaint_id"]][:KEPT_BACK]
    left_out = {active(row["complaint_id"]) for row in kept_back}
    labels = {
        name: NEW_LABEL if "viaje-" in name else known.get(name, "") for name in (active(row["complaint_id"]) for row in rows)
    }
    page = made / "review.html"
    page.write_bytes(body(target, "OutputBucketName", OutputKeys(run_id).review_page))
    path = made / "review.csv"
    path.write_bytes(answered(page, {name: label for name, label in labels.items() if label and name not in left_out}))
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, list(rows[0])).writerows(kept_back)
    with long_window(target, "10"):
        pushed = ptmlops(checked.file.parent, "review", "push", checked.file.name)
        assert pushed.exit_code == 0, pushed.stderr
        run_id = uploads.wait_for_run(target, uploads.upload(target, path))
    for _ in runs.follow(target, run_id):
        pass
    return run_id, runs.run_document(target, run_id)


def answered(page: Path, labels: Mapping[str, str]) -> bytes:
    """Open a review page, answer the complaints by keyboard, and return the download. Complaints that are not named are skipped."""
    with chromium() as browser:
        tab = browser.new_page()
        tab.goto(page.as_uri())
        while tab.locator("#card").is_visible():
            label = labels.get(tab.locator("#facts").inner_text().rpartition(" · ")[2])
            tab.keyboard.press("/" if label else "s")
            if label:
                tab.keyboard.type(label)
                tab.keyboard.press("Enter")
        with tab.expect_download() as found:
            tab.keyboard.press("d")
        return Path(found.value.path()).read_bytes()


def published_rows(target: Target, run_id: str, folder: Path) -> list[dict[str, Any]]:
    files = [str(path) for path in runs.copy_output(target, folder, run_id=run_id) if path.suffix == ".parquet"]
    rows: list[dict[str, Any]] = ds.dataset(files).to_table().to_pylist()
    return rows


def body(target: Target, output: str, key: str) -> bytes:
    content: bytes = target.client("s3").get_object(Bucket=target.outputs[output], Key=key)["Body"].read()
    return content


def keys(target: Target, output: str, prefix: str) -> list[str]:
    pages = target.client("s3").get_paginator("list_objects_v2").paginate(Bucket=target.outputs[output], Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def csv_rows(target: Target, key: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body(target, "OutputBucketName", key).decode("utf-8-sig"), newline="")))


def test_unlabelled_complaints_with_no_model_end_in_a_failure_that_says_what_to_drop(before_any_model: Run) -> None:
    _, run = before_any_model

    assert run["status"] == "FAILED"
    assert run["error"]["state"] == "Plan"
    assert "labelled" in run["error"]["message"]
    assert run["rows"]["read"] > 0


def test_a_labelled_file_trains_and_promotes_a_model(first_training: Run, target: Target) -> None:
    run_id, run = first_training

    assert run["status"] == "SUCCEEDED", run.get("error")
    assert run["trained"] is True
    assert run["promoted"] is True
    assert [(version["version"], version["status"]) for version in registry.versions(target)] == [(1, "Approved")]
    evaluation = json.loads(body(target, "ModelsBucketName", f"evaluations/{run_id}/evaluation.json"))
    assert run["model"]["macro_f1"] == pytest.approx(evaluation["candidate"]["macro_f1"])
    # The generator's categories can be learned; an untrained or mislabelled model is near 1/10.
    assert evaluation["candidate"]["macro_f1"] > 0.75
    assert evaluation["holdout"]["rows"] > 50
    assert evaluation["leakage"]["rows"] == 0


def test_a_run_that_scores_nothing_offers_its_labels_to_check(
    first_training: Run, checked: Checked, ptmlops: Command, target: Target, tmp_path: Path
) -> None:
    run_id, run = first_training
    lists = OutputKeys(run_id)
    found = keys(target, "PreparedBucketName", PreparedKeys(run_id).labels_folder)
    listed = [json.loads(line) for line in body(target, "PreparedBucketName", found[0]).splitlines()]

    assert run["scored"] == 0
    assert len(listed) >= 2
    assert keys(target, "OutputBucketName", lists.review_folder) == [lists.labels_to_check, lists.review_page]
    assert set(json.loads(body(target, "OutputBucketName", lists.marker))["files"]) >= {
        lists.labels_to_check,
        lists.review_page,
    }
    rows = csv_rows(target, lists.labels_to_check)
    assert [active(row["text"]) for row in rows] == [row["text"] for row in listed]
    # The texts are in the run's folder, which expires, and not beside the evaluation, which is kept.
    beside = b"".join(body(target, "ModelsBucketName", key) for key in keys(target, "ModelsBucketName", "evaluations/"))
    assert not any(row["text"].encode() in beside for row in listed)
    # `review pull` without a run finds it, and the page's download has the label that changes.
    pulled = ptmlops(tmp_path, "review", "pull", "--out", "list.csv")
    assert pulled.exit_code == 0, pulled.stderr
    assert pulled.stdout.split() == ["list.html", "list.labels.csv"]
    [row] = list(csv.DictReader(io.StringIO(checked.file.read_text("utf-8-sig"), newline="")))
    assert (active(row["text"]), row["label"]) == (listed[1]["text"], listed[1]["suggestion"])


def test_every_row_is_accepted_rejected_or_a_duplicate(first_training: Run, scored: Run, made: Path, target: Target) -> None:
    for (run_id, run), name in ((first_training, "labelled.csv"), (scored, "unlabelled.csv")):
        rows = run["rows"]
        assert rows["read"] == rows["accepted"] + rows["rejected"] + rows["duplicates"]
        with (made / name).open(encoding="utf-8", newline="") as file:
            assert rows["read"] == sum(1 for _ in csv.reader(file)) - 1
        [key] = keys(target, "OutputBucketName", f"rejected/run_id={run_id}/")
        assert len(csv_rows(target, key)) == rows["rejected"] > 0


def test_a_failed_run_is_redriven_to_its_end(scored: Run) -> None:
    _, run = scored

    assert run["status"] == "SUCCEEDED", run.get("error")
    assert run["trained"] is False
    assert run["scored"] == run["rows"]["accepted"]
    assert run["model"]["version"] == 1


def test_every_accepted_complaint_has_one_prediction(scored: Run, target: Target, tmp_path: Path) -> None:
    run_id, run = scored
    copied = runs.copy_output(target, tmp_path, run_id=run_id)
    files = [str(path) for path in copied if path.suffix == ".parquet"]

    rows = ds.dataset(files).to_table().to_pylist()

    assert len(rows) == len({row["complaint_id"] for row in rows}) == run["rows"]["accepted"]
    labels = set(generator.EVENTS)
    for row in rows:
        assert row["label"] in labels
        assert 0 < row["confidence"] <= 1
        assert row["alternatives"][0]["label"] == row["label"]
        assert row["top_terms"]
        assert row["model_version"] in (1, "1")


def test_the_predictions_are_the_models_and_are_right(scored: Run, target: Target, tmp_path: Path) -> None:
    """What is published agrees with what the generator knows, far beyond chance."""
    run_id, _ = scored
    files = [str(path) for path in runs.copy_output(target, tmp_path, run_id=run_id) if path.suffix == ".parquet"]
    predicted = {row["complaint_id"]: row["label"] for row in ds.dataset(files).to_table().to_pylist()}
    known = {complaint.complaint_id: complaint.label for complaint in generator.complaints(UNLABELLED_ROWS, seed=8)}
    both = predicted.keys() & known.keys()

    assert len(both) > 100
    assert sum(predicted[name] == known[name] for name in both) / len(both) > 0.75


def test_the_export_has_a_line_for_every_row_in_the_order_of_the_file(scored: Run, target: Target, made: Path) -> None:
    run_id, run = scored
    key, workbook = sorted(keys(target, "OutputBucketName", f"exports/run_id={run_id}/"))
    assert workbook == key.replace(".csv", ".xlsx")

    exported = csv_rows(target, key)

    assert key.endswith("/unlabelled.csv")
    assert len(exported) == run["rows"]["read"]
    with (made / "unlabelled.csv").open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
        original = {row[0]: row for row in csv.reader(file) if len(row) == len(header)}
    assert list(exported[0])[: len(header)] == header
    dates = [row["received_at"] for row in exported if row["complaint_id"] in original]
    assert dates == [original[row["complaint_id"]][1] for row in exported if row["complaint_id"] in original]


def test_the_report_is_a_page_with_the_runs_numbers(scored: Run, target: Target) -> None:
    run_id, run = scored
    page = body(target, "OutputBucketName", f"runs/run_id={run_id}/report.html").decode()

    assert page.startswith("<!doctype html>")
    assert f"{run['scored']:,}" in page
    assert "http://" not in page.replace("http://www.w3.org", "")  # self-contained: it opens with no network


def test_the_saved_queries_answer_on_what_was_published(
    first_training: Run, scored: Run, target: Target, tmp_path: Path
) -> None:
    """The queries that Athena lists, on the tables that Glue lists, over the files that the runs left."""
    (training_id, training), (run_id, run) = first_training, scored
    for key in keys(target, "OutputBucketName", ""):
        if training_id in key or run_id in key:
            path = tmp_path / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body(target, "OutputBucketName", key))
    athena, glue = target.client("athena"), target.client("glue")
    identifiers = athena.list_named_queries(WorkGroup=target.outputs["WorkgroupName"])["NamedQueryIds"]
    queries = [athena.get_named_query(NamedQueryId=identifier)["NamedQuery"] for identifier in identifiers]
    tables = glue.get_tables(DatabaseName=target.outputs["DatabaseName"])["TableList"]
    engine = Athena(tables, tmp_path, database=target.outputs["DatabaseName"])

    answers = {
        query["Name"]: engine.ask(
            query["QueryString"],
            *(["nobody's"] if query["Name"] == "complaint history" else []),
            today=datetime.fromisoformat(run["finished_at"]).date(),
        )
        for query in queries
    }

    assert {query["Database"] for query in queries} == {target.outputs["DatabaseName"]}
    assert sum(row["complaints"] for row in answers["categories per week"]) == run["scored"]
    assert [(row["model_version"], row["complaints"]) for row in answers["model comparison"]] == [("1", run["scored"])]
    assert answers["model comparison"][0]["held_out_macro_f1"] == pytest.approx(run["model"]["macro_f1"])
    assert len(answers["review queue"]) == run["needs_review"]
    rejected = run["rows"]["rejected"] + training["rows"]["rejected"]
    assert sum(row["rejected_rows"] for row in answers["rejects by reason"]) == rejected
    costs = {row["run_id"]: row for row in answers["runs and costs"]}
    assert costs[run_id]["scored"] == run["scored"]
    assert costs[run_id]["cost_usd"] == pytest.approx(run["cost_usd"])
    assert answers["top terms"]
    assert answers["amounts by category"]


def test_the_marker_lists_what_is_there_and_a_retry_of_publish_leaves_the_same(scored: Run, target: Target) -> None:
    run_id, run = scored
    s3, bucket = target.client("s3"), target.outputs["OutputBucketName"]

    def content() -> dict[str, bytes]:
        mine = [key for key in keys(target, "OutputBucketName", "") if f"run_id={run_id}/" in key]
        # Parquet files get new names, and Record has written run.json.
        names = [key for key in mine if not key.endswith((".parquet", "run.json"))]
        found = {key: body(target, "OutputBucketName", key) for key in names}
        # Record has filled the costs into the report.
        return {key: re.sub(rb"(?s)<!-- costs -->.*<!-- end of costs -->", b"", content) for key, content in found.items()}

    before = content()
    marker = json.loads(before[f"runs/run_id={run_id}/published.json"])
    assert run["published"] is True
    assert marker["scored"] == run["scored"]
    assert [export["rows"] for export in marker["exports"]] == [run["rows"]["read"]]
    for key in marker["files"]:
        assert keys(target, "OutputBucketName", key), key
    # As a run leaves it that was ended half-way, under settings that made more files.
    s3.put_object(Bucket=bucket, Key=f"exports/run_id={run_id}/unlabelled.part-001.csv", Body=b"stale")
    s3.delete_object(Bucket=bucket, Key=f"runs/run_id={run_id}/published.json")
    glue, job = target.client("glue"), target.outputs["PublishJobName"]
    tried = max(
        (one for one in glue.get_job_runs(JobName=job)["JobRuns"] if one["Arguments"]["--run_id"] == run_id),
        key=lambda one: one["StartedOn"],
    )
    asked = {name: tried["Arguments"][name] for name in ("--run_id", "--model_version", "--evaluation_uri")}
    again = glue.start_job_run(JobName=job, Arguments=asked)["JobRunId"]
    while (state := glue.get_job_run(JobName=job, RunId=again)["JobRun"]["JobRunState"]) in ("STARTING", "RUNNING"):
        time.sleep(0.5)

    assert state == "SUCCEEDED"
    assert content() == before
    assert len([key for key in keys(target, "OutputBucketName", "predictions/") if run_id in key]) == 1


def test_what_is_published_as_the_reason_is_the_models_own(scored: Run, target: Target, tmp_path: Path) -> None:
    """The terms' contributions are those of the model that serves, and with its bias they sum to the score."""
    import numpy as np
    from complaint_model import artifact
    from complaint_model.explain import explain

    [package] = target.client("sagemaker").list_model_packages(ModelPackageGroupName=target.outputs["ModelPackageGroupName"])[
        "ModelPackageSummaryList"
    ]
    described = target.client("sagemaker").describe_model_package(ModelPackageName=package["ModelPackageArn"])
    place = urlparse(described["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
    archive = tmp_path / "model.tar.gz"
    target.client("s3").download_file(place.netloc, place.path.lstrip("/"), str(archive))
    model = artifact.load(artifact.unpack(archive, tmp_path / "model")).model
    for row in published_rows(target, scored[0], tmp_path / "out")[:20]:
        logits = []
        for index, label in enumerate(model.labels):
            terms, bias = explain(model, row["text"], index)
            logits.append(sum(term.contribution for term in terms) + bias)
            if label == row["label"]:
                known = {(term.term, round(term.contribution, 4)) for term in terms}
                assert {(term["term"], term["contribution"]) for term in row["top_terms"]} <= known
        shares = np.exp(logits - np.max(logits))
        confidence = (shares / shares.sum())[model.labels.index(row["label"])]
        assert confidence == pytest.approx(row["confidence"], abs=1e-4)


def test_a_filled_in_review_list_teaches_the_next_champion(scored: Run, taught: Run, target: Target, tmp_path: Path) -> None:
    before = published_rows(target, scored[0], tmp_path / "before")
    run_id, run = taught
    after = {row["complaint_id"]: row for row in published_rows(target, run_id, tmp_path / "after")}

    assert run["status"] == "SUCCEEDED", run.get("error")
    assert run["rows"]["rejected"] == 0
    assert (run["trained"], run["promoted"], run["model"]["version"]) == (True, True, 2)
    assert NEW_LABEL not in {row["label"] for row in before}
    evaluation = json.loads(body(target, "ModelsBucketName", f"evaluations/{run_id}/evaluation.json"))
    assert NEW_LABEL in evaluation["candidate"]["per_label"]
    # What the person left out was asked again, under the ids and texts that it had, and the new champion knows it.
    was = {row["complaint_id"]: row for row in before}
    kept_back = [row for name, row in after.items() if name.startswith("=viaje-")]
    assert len(kept_back) == KEPT_BACK
    for row in kept_back:
        assert row["text"] == was[row["complaint_id"]]["text"]
        assert row["model_version"] in (2, "2")
    assert sum(row["label"] == NEW_LABEL for row in kept_back) >= 0.8 * KEPT_BACK


def test_answers_that_came_back_with_a_label_give_live_accuracy(
    first_training: Run, scored: Run, taught: Run, target: Target, tmp_path: Path
) -> None:
    """The figures follow from the list and the answers, weighted by hand; the run that scored had nothing to compare."""
    assert scored[1]["live_accuracy"] == first_training[1]["live_accuracy"] == []
    [live] = taught[1]["live_accuracy"]
    answers = {row["complaint_id"]: row for row in published_rows(target, scored[0], tmp_path / "answers")}
    known = {complaint.complaint_id: complaint.label for complaint in generator.complaints(UNLABELLED_ROWS, seed=8)}
    rows = csv_rows(target, OutputKeys(scored[0]).review)
    listed = [active(row["complaint_id"]) for row in rows if row["why"] != "not answered"]
    kept_back = [name for name in listed if "viaje-" in name][:KEPT_BACK]
    truth = {name: NEW_LABEL if "viaje-" in name else known[name] for name in listed if name not in kept_back}

    published = json.loads(body(target, "OutputBucketName", OutputKeys(scored[0]).marker))
    shares, checked = [], 0
    for doubtful, size in ((False, published["audit"]), (True, published["doubtful_sample"])):
        names = [name for name, row in answers.items() if row["needs_review"] is doubtful]
        draws = {name: hashlib.sha256(f"{scored[0]}{name}".encode()).hexdigest() for name in names}
        back = [name for name in names if name in truth]
        if len(back) < 0.95 * len(names):
            back = [name for name in sorted(names, key=lambda name: draws[name])[:size] if name in truth]
        checked += len(back)
        shares.append((len(names), sum(answers[name]["label"] == truth[name] for name in back) / len(back)))
    assert (live["model_version"], live["measured_by"], live["answers"]) == ("1", taught[0], len(answers))
    assert (live["checked"], live["returned"]) == (checked, len(truth))
    assert live["accuracy"] == pytest.approx(sum(rows * share for rows, share in shares) / len(answers), abs=1e-4)
    assert live["accuracy_interval"][0] < live["accuracy"] < live["accuracy_interval"][1]
    assert live["fall"] > 0.05, "nobody can answer right about a kind of complaints that no model knows"
    report = body(target, "OutputBucketName", OutputKeys(taught[0]).report_page).decode()
    assert "Respuestas revisadas por personas" in report


def test_a_label_that_a_person_corrected_is_learned(
    first_training: Run, taught: Run, checked: Checked, target: Target
) -> None:
    text = active(checked.row["text"])

    def labels(run_id: str) -> list[str]:
        parts = [key for folder in labelled_folders(run_id)[:3] for key in keys(target, "PreparedBucketName", folder)]
        rows = [json.loads(line) for key in parts for line in body(target, "PreparedBucketName", key).splitlines()]
        return [row["label"] for row in rows if row["text"] == text]

    run_id, run = taught
    manifest = json.loads(body(target, "PreparedBucketName", PreparedKeys(run_id).manifest))
    assert {file["key"] for file in manifest["files"]} == {"labels.csv", "review.csv"}
    # Of a text in two runs, training takes the newest label.
    assert labels(first_training[0]) == [checked.row["given_label"]]
    assert labels(run_id) == [checked.row["suggestion"]] != [checked.row["given_label"]]
    assert run["trained"] is True


def test_a_file_with_no_text_column_fails_before_anything_is_trained_and_its_rejects_are_told(
    drop: Callable[[Path], Run], first_training: Run, made: Path, target: Target
) -> None:
    path = made / "wrong.csv"
    path.write_text("date,amount\n2026-01-01,3\n2026-01-02,4\n", encoding="utf-8")

    run_id, run = drop(path)

    assert run["status"] == "FAILED"
    assert run["error"]["state"] == "Prepare"
    assert "text column" in run["error"]["message"]
    assert run["trained"] is False
    assert run["rows"] == {"read": 1, "accepted": 0, "rejected": 1, "duplicates": 0}
    key = f"rejected/run_id={run_id}/rejected.csv"
    assert run["error"]["message"].endswith(f"s3://{target.outputs['OutputBucketName']}/{key}")
    [row] = csv_rows(target, key)
    assert (row["reason"], row["record"]) == ("no_text_column", "date,amount")


def test_the_same_arrival_twice_starts_one_run(target: Target, scored: Run) -> None:
    """SQS delivers at least once: the second delivery finds the version claimed."""
    run_id, _ = scored
    manifest = json.loads(body(target, "PreparedBucketName", f"runs/{run_id}/manifest.json"))
    file = manifest["files"][0]
    event = {
        "detail-type": "Object Created",
        "time": "2026-11-24T10:00:00Z",
        "detail": {
            "bucket": {"name": file["bucket"]},
            "object": {"key": file["key"], "size": file["size"], "etag": file["etag"], "version-id": file["version_id"]},
        },
    }
    record = {"messageId": "again", "body": json.dumps(event), "eventSource": "aws:sqs"}
    before = len(runs.list_runs(target, 100))

    answer = target.client("lambda").invoke(
        FunctionName=target.outputs["StartRunFunctionName"], Payload=json.dumps({"Records": [record]})
    )

    assert "FunctionError" not in answer
    assert json.loads(answer["Payload"].read()) == {"batchItemFailures": []}
    assert len(runs.list_runs(target, 100)) == before


def test_what_cannot_be_an_arrival_is_told_apart_from_the_rest(target: Target) -> None:
    records = [{"messageId": "bad", "body": "{}", "eventSource": "aws:sqs"}]

    answer = target.client("lambda").invoke(
        FunctionName=target.outputs["StartRunFunctionName"], Payload=json.dumps({"Records": records})
    )

    assert json.loads(answer["Payload"].read()) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}


def test_the_ledger_knows_how_each_run_ended(first_training: Run, scored: Run, target: Target) -> None:
    for run_id, run in (first_training, scored):
        item = target.client("dynamodb").get_item(
            TableName=target.outputs["LedgerTableName"], Key={"pk": {"S": f"RUN#{run_id}"}}
        )["Item"]
        assert item["status"]["S"] == run["status"]
        assert item["finished_at"]["S"] > item["started_at"]["S"]


def test_no_personal_data_reaches_a_log_or_an_execution(first_training: Run, scored: Run, target: Target) -> None:
    """The generator's complaints hold emails, phones and card numbers; none is in any log line or execution history."""
    personal = re.compile(r"[\w.]+@[\w.]+\.\w+|\b(?:\d[ -]?){13,16}\b|\b3\d{2}[ .-]?\d{3}[ .-]?\d{4}\b")
    made = [complaint.text for complaint in generator.complaints(LABELLED_ROWS, seed=7)]
    values = {value for text in made for value in personal.findall(text)}
    assert len(values) > 20  # the test would see it
    phrases = values | {" ".join(text.split()[3:8]) for text in made if len(text.split()) > 12}
    logs, states = target.client("logs"), target.client("stepfunctions")
    seen = 0
    for group in logs.describe_log_groups()["logGroups"]:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
            for event in page["events"]:
                seen += 1
                message = event["message"]
                assert not any(phrase in message for phrase in phrases), (group["logGroupName"], message)
    assert seen > 50
    for run_id, _ in (first_training, scored):
        events = states.get_execution_history(executionArn=runs.execution_arn(target, run_id))["events"]
        text = json.dumps(events, default=str)
        assert not any(phrase in text for phrase in phrases)


def test_a_role_cannot_do_what_its_template_does_not_say(local_aws: LocalAws, target: Target) -> None:
    """The run's roles are enforced: plan_run may read the registry, and may not delete from any bucket."""
    function = target.client("lambda").get_function(FunctionName=target.outputs["StartRunFunctionName"])["Configuration"]
    credentials = target.client("sts").assume_role(RoleArn=function["Role"], RoleSessionName="test")["Credentials"]
    import boto3

    session = boto3.Session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        region_name=target.session.region_name,
    )
    s3 = session.client("s3", endpoint_url=local_aws.endpoint_url)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.list_objects_v2(Bucket=target.outputs["OutputBucketName"])
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=target.outputs["RawBucketName"], Key="unlabelled.csv")


def test_a_stopped_execution_stops_its_job(target: Target, first_training: Run, made: Path) -> None:
    path = made / "stopped.csv"
    generator.write_csv(path, 60, labelled=False, seed=11)
    run_id = uploads.wait_for_run(target, uploads.upload(target, path))
    arn = runs.execution_arn(target, run_id)
    glue, job = target.client("glue"), target.outputs["PrepareJobName"]
    for step in runs.follow(target, run_id):
        if step.state == "Prepare" and not step.ended:
            while not any(run["JobRunState"] == "RUNNING" for run in glue.get_job_runs(JobName=job)["JobRuns"]):
                pass
            target.client("stepfunctions").stop_execution(executionArn=arn, error="Operator", cause="a test")

    run = runs.run_document(target, run_id)

    assert run["status"] == "ABORTED"
    newest = max(glue.get_job_runs(JobName=job)["JobRuns"], key=lambda found: found["StartedOn"])
    assert newest["JobRunState"] in ("STOPPING", "STOPPED")


def test_more_labels_are_tuned_from_the_last_job_and_judged_against_the_champion(
    target: Target, first_training: Run, taught: Run
) -> None:
    first_id, _ = first_training
    run_id, run = taught

    assert "Train warm" in run["states"]
    job = target.client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=f"{run_id}-0-0")
    assert job["WarmStartConfig"] == {
        "WarmStartType": "TransferLearning",
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": f"{first_id}-0-0"}],
    }
    evaluation = json.loads(body(target, "ModelsBucketName", f"evaluations/{run_id}/evaluation.json"))
    assert evaluation["champion"]["version"] == "1"
    low, high = evaluation["comparison"]["interval"]
    assert low <= evaluation["comparison"]["macro_f1_difference"] <= high
    decision = json.loads(body(target, "ModelsBucketName", f"evaluations/{run_id}/promotion.json"))
    assert decision["decision"] == run["promotion"]["decision"]
    assert (decision["decision"] == "Rejected") == any(not check["passed"] for check in decision["checks"])
    assert {"macro_f1_difference", "expected_calibration_error", "holdout_rows"} <= {c["name"] for c in decision["checks"]}


@pytest.mark.parametrize(
    ("kind", "suffix"), [("HyperParameterTuning", "0-0"), ("Processing", "0-0-vs-1"), ("Transform", "0-0")]
)
def test_a_stopped_execution_stops_its_sagemaker_job(target: Target, taught: Run, kind: str, suffix: str) -> None:
    """The state machine's role starts a job like the last run's, and stops it."""
    run_id, _ = taught
    sagemaker, states = target.client("sagemaker"), target.client("stepfunctions")
    describe = getattr(sagemaker, f"describe_{xform_name(kind)}_job")
    name, described = f"{kind}JobName", describe(**{f"{kind}JobName": f"{run_id}-{suffix}"})
    members = sagemaker.meta.service_model.operation_model(f"Create{kind}Job").input_shape.members
    request = {key: value for key, value in described.items() if key in members}
    request |= {name: "20260101-000000-0000cafe-0-0", "Tags": [{"Key": "environment", "Value": "local"}]}
    integration = f"arn:aws:states:::sagemaker:create{kind}Job.sync"
    state = {"Type": "Task", "Resource": integration, "Parameters": request, "End": True}
    role = states.describe_state_machine(stateMachineArn=target.outputs["StateMachineArn"])["roleArn"]
    definition = json.dumps({"StartAt": "Job", "States": {"Job": state}})
    machine = states.create_state_machine(name=f"stopped-{kind}", definition=definition, roleArn=role)["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]

    def status() -> str:
        try:
            return str(describe(**{name: request[name]})[f"{kind}JobStatus"])
        except ClientError:
            return "not created yet"

    def until(*expected: str) -> None:
        deadline = time.monotonic() + 30
        while (now := status()) not in expected:
            assert time.monotonic() < deadline, (now, states.describe_execution(executionArn=execution))
            time.sleep(0.1)

    until("InProgress")
    states.stop_execution(executionArn=execution)
    until("Stopping", "Stopped")

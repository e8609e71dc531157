"""Personal data of each kind is planted wherever an upload can hold it, and then searched for wherever the pipeline writes.

Allowed are the uploaded objects, the columns of the uploaded file in its export, and names of files in keys, manifests, the ledger and
queues. A value is searched as it was written and, if it is a number, as its digits.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

import pytest
import python_calamine
from complaints_etl.redaction import TYPES

from benchmarks.load.burst import upload_together
from ptmlops import generator, runs, uploads
from ptmlops.target import Target
from ptmlops_contracts.keys import EXPORTS
from ptmlops_contracts.report import NOT_A_COMPLAINT
from tests.contents import texts_in
from tests.unit.etl.workbooks import workbook

pytestmark = pytest.mark.slow


class Canary(NamedTuple):
    """A made-up value of one kind.

    Attributes:
        text: a sentence that holds the value.
        value: as a cell holds it, in a column whose name identifies the kind.
        column: that name.
        needles: what must be found nowhere.
    """

    text: str
    value: str
    column: str
    needles: tuple[str, ...]


CANARIES = {
    "URL_QUERY": Canary("Entré a https://banco.example/clave?token=zx81canaria9", "https://banco.example/clave?token=zx81canaria9",
                        "enlace", ("zx81canaria9",)),
    "EMAIL": Canary("Escriban a canaria.serrana@correo.example", "canaria.serrana@correo.example", "correo", ("canaria.serrana",)),
    "SECRET": Canary("Mi clave es Tr3bolCanario29", "Tr3bolCanario29", "clave", ("Tr3bolCanario29",)),
    "PHONE": Canary("Mi celular es 310 555 8264", "310 555 8264", "celular", ("310 555 8264", "3105558264")),
    "ID_NUMBER": Canary("Mi cédula es 1.073.264.918", "1073264918", "num_documento", ("1.073.264.918", "1073264918")),
    "ACCOUNT": Canary("Mi cuenta de ahorros No. 24087531962", "24087531962", "numero_cuenta", ("24087531962",)),
    "IBAN": Canary("Giren a ES91 2100 0418 4502 0005 1332", "ES91 2100 0418 4502 0005 1332", "iban",
                   ("2100 0418 4502 0005 1332", "21000418450200051332")),
    "CLABE": Canary("Mi CLABE 032180000118359719", "032180000118359719", "clabe", ("032180000118359719",)),
    "CARD": Canary("Pagué con la 4539 5787 6362 1486", "4539 5787 6362 1486", "tarjeta", ("5787 6362 1486", "4539578763621486")),
    "NIT": Canary("La empresa NIT 900.123.456-8", "900123456-8", "nit", ("900.123.456", "900123456")),
    "IP": Canary("Entraron desde la IP 190.24.118.77", "190.24.118.77", "ip", ("190.24.118.77",)),
    "REFERENCE": Canary("El radicado PQR-2026884127 sigue abierto", "PQR-2026884127", "radicado", ("2026884127",)),
    "NAME": Canary("Me llamo Yolima Andrea Quiñonez Cárdenas", "Yolima Quiñonez", "nombre_cliente", ("Quiñonez", "Yolima")),
    "ADDRESS": Canary("Vivo en la Carrera 47B # 82-119 apto 603", "Carrera 47B # 82-119 apto 603", "direccion", ("82-119",)),
    "BIRTH_DATE": Canary("Nací el 17 de septiembre de 1963", "17/09/1963", "fecha_nacimiento",
                         ("septiembre de 1963", "17/09/1963", "1963-09-17")),
}  # fmt: skip
# Recognised by themselves, without a keyword. Digits alone in the column of ids are the id of the complaint, whatever else they could be (docs/explanation/redaction.md).
RECOGNISED_ALONE = ("URL_QUERY", "EMAIL", "PHONE", "IBAN", "CARD", "IP", "NAME", "ADDRESS")
FILE_NAME = "quejas de canaria.archivo@correo.example 311 555 4073"
IN_NAMES = ("canaria.archivo", "3115554073", "311 555 4073")
HEADER = "nota de canaria.columna@correo.example"
SHEET = "Hoja 312 555 9186"
IN_HEADER, IN_SHEET = ("canaria.columna",), ("312 555 9186", "3125559186")
SEPARATE = "Además me cobraron dos veces la cuota de manejo de la tarjeta y nadie responde."
GOOD_ROWS, LEARNED_ROWS = 150, 600
# A run of each kind: one that learns and classifies, and one that fails because no file has a text column.
Runs = tuple[list[str], dict[str, bytes]]


def everything() -> str:
    return ". ".join(canary.text for canary in CANARIES.values()) + ". " + SEPARATE


def alone(kind: str) -> str:
    """Return the value if it is recognised without a keyword, else an id of the complaint."""
    return CANARIES[kind].value if kind in RECOGNISED_ALONE else f"I-{kind}"


def labelled_file(path: Path) -> bytes:
    generator.write_csv(path, LEARNED_ROWS, seed=17)
    file = io.StringIO(path.read_text(encoding="utf-8"), newline="")
    columns = [
        "complaint_id",
        "received_at",
        "channel",
        "text",
        "label",
        *(canary.column for canary in CANARIES.values()),
        HEADER,
    ]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, restval="")
    writer.writeheader()
    rows = list(csv.DictReader(file))
    writer.writerows(rows)
    for number, (kind, canary) in enumerate(CANARIES.items()):
        cells = {other.column: other.value for other in CANARIES.values()}
        for repeat in range(3):  # so often that a model could learn its words
            text = f"{canary.text}. {rows[number * 3 + repeat]['text']}"
            writer.writerow({"complaint_id": f"C-{kind}-{repeat}", "text": text, "label": rows[number * 3]["label"], **cells})
        writer.writerow({"complaint_id": alone(kind), "text": f"{SEPARATE} {kind}", "label": rows[number]["label"]})
        writer.writerow({"complaint_id": f"L-{kind}", "text": f"{everything()} {number}", "label": f"Fraude: {canary.text}"})
        writer.writerow(
            {
                "complaint_id": f"D-{kind}",
                "received_at": alone(kind),
                "text": f"{SEPARATE} {number}",
                "label": "x" * 90 + f" {alone(kind)}",
            }
        )
        writer.writerow({"complaint_id": f"N-{kind}", "text": everything(), "label": NOT_A_COMPLAINT, **cells})
    return out.getvalue().encode()


def rows_that_fail() -> Iterator[bytes]:
    """Lines of a file with the columns id, canal, texto and HEADER, each rejected for another reason."""
    for kind, canary in CANARIES.items():
        value = alone(kind) if kind in ("SECRET", "BIRTH_DATE") else canary.value  # long numbers are redacted in records
        yield f"1,web\n2,web,{canary.text},x,{value},{value}\n".encode()
        yield f"{alone(kind)},{alone(kind)},N/A,{canary.text}\n".encode()
        yield f'3,"web "{value}" x",{canary.text},""{value}"\n'.encode()
    yield b"4,web,\xc3\x28 \xff\xfe " + everything().encode() + b",\n"
    yield b"5,web," + everything().encode() + b" a" * 1_100_000 + b",\n"


def classified_file(path: Path, faults: Iterable[bytes], *, seed: int) -> bytes:
    generator.write_csv(path, GOOD_ROWS, labelled=False, seed=seed)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    header = ["id", "canal", "texto", HEADER]
    writer.writerow(header)
    for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")):
        writer.writerow([row["complaint_id"], row["channel"], row["text"], ""])
    for number, (kind, canary) in enumerate(CANARIES.items()):
        writer.writerow([alone(kind), alone(kind), f"{canary.text}. {SEPARATE} {number}", canary.text])
    writer.writerow(header)
    return out.getvalue().encode() + b"".join(faults) + f'9,web,"{everything()}\n'.encode()


def uploaded_files(folder: Path) -> dict[str, bytes]:
    faults = list(rows_that_fail())
    path = folder / "canaries.csv"
    cells = [["id", "texto", HEADER]] + [
        [alone(kind), f"{c.text}. {SEPARATE} {kind} hoja", c.text] for kind, c in CANARIES.items()
    ]
    lines = [
        json.dumps({"id": alone(kind), "texto": f"{c.text}. {SEPARATE} json", HEADER: c.text}) for kind, c in CANARIES.items()
    ]
    # Rejected for their empty text, with a cell that only its column gives away, as PHP and Python write it.
    empty = [
        json.dumps({"id": alone(kind), "texto": "", c.column: c.value}).replace("/", "\\/") for kind, c in CANARIES.items()
    ]
    broken = [f'{{"id": "{c.value}", "texto": "{c.text}", "texto": "{c.text}"}}' for c in [*CANARIES.values()][:1]]
    broken += [f'{{"id": "{c.value}" "texto" {c.text}' for c in [*CANARIES.values()][:1]]
    return {
        f"canaries/{FILE_NAME}/learned.csv": labelled_file(path),
        f"canaries/{FILE_NAME} few faults.csv": classified_file(path, faults[:20], seed=18),
        f"canaries/{FILE_NAME} refused.csv": classified_file(path, faults * 3, seed=19),
        f"canaries/{FILE_NAME}.jsonl": "\n".join([*lines * 6, *empty, *broken]).encode(),
        f"canaries/{FILE_NAME}.xlsx": workbook({SHEET: cells, f"{SHEET} b": cells, "vacía": []}),
        f"canaries/{FILE_NAME} broken.xlsx": workbook({SHEET: cells})[:900],
        f"canaries/{FILE_NAME}.gz": everything().encode(),
        f"canaries/{FILE_NAME}.txt": everything().encode(),
        f"canaries/{FILE_NAME}.pdf": everything().encode(),
    }


@pytest.fixture(scope="module")
def notices(target: Target) -> Iterator[str]:
    """A queue that receives what the topic of alarms sends."""
    sqs, sns = target.client("sqs"), target.client("sns")
    url = str(sqs.create_queue(QueueName="canary-notices")["QueueUrl"])
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    made = [
        sns.subscribe(TopicArn=topic["TopicArn"], Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
        for topic in sns.list_topics()["Topics"]
    ]
    yield url
    for subscription in made:
        sns.unsubscribe(SubscriptionArn=subscription)


@pytest.fixture(scope="module")
def planted(target: Target, notices: str, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Upload the files, and return the runs that took them."""
    before = {run["name"] for run in runs.list_runs(target, 100)}
    files = uploaded_files(tmp_path_factory.mktemp("canaries"))
    key, content = f"canaries/{FILE_NAME} no text.csv", f"{HEADER},{everything().replace(',', ' ')}\n1,2\n".encode()
    bucket = target.outputs["RawBucketName"]
    version = target.client("s3").put_object(Bucket=bucket, Key=key, Body=content)["VersionId"]
    steps = runs.follow(target, failing := uploads.wait_for_run(target, uploads.Upload(Path(key), bucket, key, version)))
    assert any(step.state == "Prepare" for step in steps)  # no other file joins it any more, so that both runs work at once
    burst = upload_together(target, files, rows=0, limit_seconds=400)
    assert burst.failed_runs == 0
    for _ in steps:
        pass
    assert runs.run_document(target, failing)["status"] == "FAILED"
    return [run["name"] for run in runs.list_runs(target, 100) if run["name"] not in before], files | {key: content}


def needles() -> dict[str, tuple[str, ...]]:
    kinds = {kind: canary.needles for kind, canary in CANARIES.items()}
    return kinds | {"file name": IN_NAMES, "column name": IN_HEADER, "sheet name": IN_SHEET}


def found_in(texts: Iterable[str]) -> dict[str, str]:
    """Return the kinds whose value is in one of the texts, with what is around it."""
    found = {}
    for text in texts:
        searched = text.casefold().replace("\\/", "/")
        for kind, values in needles().items():
            for value in values:
                if (place := searched.find(value.casefold())) >= 0:
                    found[kind] = text[max(place - 60, 0) : place + 60]
    return found


def without_names(texts: Iterable[str]) -> list[str]:
    """Return the texts without the whole name of an uploaded file or sheet, as it is written in keys of S3, JSON and URLs."""
    sheets = [
        f"/{SHEET}",
        *(f"{SHEET}{rest}.{ending}" for rest in ("", " b") for ending in ("csv", "xlsx")),
    ]  # in keys of exports
    forms = {form for name in (FILE_NAME, *sheets) for form in (name, quote(name), quote_plus(name), quote(name, safe=""))}
    pattern = re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))
    return [pattern.sub("", text) for text in texts]


def objects(target: Target) -> Iterator[tuple[str, str, bytes]]:
    """Yield bucket, key and content of each version of each object, but for uploaded ones."""
    s3 = target.client("s3")
    for bucket in [found["Name"] for found in s3.list_buckets()["Buckets"]]:
        if bucket == target.outputs["RawBucketName"] or "cdk-" in bucket:
            continue
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for version in page.get("Versions", []):
                body = s3.get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])["Body"].read()
                yield bucket, version["Key"], body


def of_ours(key: str, body: bytes) -> list[str]:
    """Return the cells of an export that are not the source's own."""
    if key.endswith(".xlsx"):
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(body))
        tables: list[list[list[Any]]] = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
    else:
        [text] = texts_in(body)
        tables = [list(csv.reader(io.StringIO(text, newline=""), delimiter=";" if text.count(";") > text.count(",") else ","))]
    texts = []
    for table in tables:
        names = next((row for row in table if any(str(cell).startswith("ptmlops_") for cell in row)), None)
        if names is None:
            texts += [str(cell) for row in table for cell in row]
        else:
            ours = [place for place, name in enumerate(names) if str(name).startswith("ptmlops_")]
            texts += [str(row[place]) for row in table for place in ours if place < len(row)]
    return texts


def test_each_kind_that_is_redacted_has_a_canary() -> None:
    assert set(CANARIES) == set(TYPES)


def test_the_search_finds_each_canary_in_what_was_uploaded(planted: Runs) -> None:
    _, files = planted
    texts = [text for body in files.values() for text in texts_in(body)]
    assert set(found_in([*texts, *files])) == set(needles())


def test_no_canary_is_in_an_object(planted: Runs, target: Target) -> None:
    leaks: dict[tuple[str, str], dict[str, str]] = {}
    seen = set()
    for bucket, key, body in objects(target):
        texts = of_ours(key, body) if key.startswith(EXPORTS) else list(texts_in(body))
        if kinds := found_in(without_names(texts)):
            leaks[bucket, key] = kinds
        seen.add(key.split("/")[0])
    assert not leaks, "\n".join(f"{key}: {found}" for key, found in leaks.items())
    assert seen >= {
        "runs",
        "labelled",
        "training",
        "evaluations",
        "predictions",
        "exports",
        "review",
        "rejected",
        "run_history",
    }


def test_no_canary_is_in_a_log(planted: Runs, target: Target) -> None:
    logs, groups = target.client("logs"), set()
    for group in logs.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
            for event in page["events"]:
                groups.add(name)
                assert not found_in([event["message"]]), (name, event["message"])
    assert len(groups) > 8


def test_no_canary_is_in_an_execution_a_job_or_a_metric(planted: Runs, target: Target) -> None:
    run_ids, _ = planted
    states, glue, sagemaker = target.client("stepfunctions"), target.client("glue"), target.client("sagemaker")
    documents: list[Mapping[str, Any]] = []
    for run_id in run_ids:
        arn = runs.execution_arn(target, run_id)
        documents.append(states.describe_execution(executionArn=arn))
        documents += states.get_paginator("get_execution_history").paginate(executionArn=arn)
    documents += [glue.get_job_runs(JobName=job["Name"]) for job in glue.get_jobs()["Jobs"]]
    documents += [
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=job["HyperParameterTuningJobName"])
        for job in sagemaker.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]
    ]
    documents += [sagemaker.list_model_packages(), target.client("cloudwatch").list_metrics()]
    assert len(run_ids) >= 2
    for document in documents:
        text = json.dumps(document, ensure_ascii=False, default=str)
        assert not found_in([text]), found_in([text])


def test_no_canary_but_names_of_files_is_in_the_ledger_or_a_queue(planted: Runs, target: Target) -> None:
    _, files = planted
    items = target.client("dynamodb").scan(TableName=target.outputs["LedgerTableName"])["Items"]
    texts = [json.dumps(item, ensure_ascii=False, default=str) for item in items]
    sqs = target.client("sqs")
    for url in sqs.list_queues()["QueueUrls"]:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
        if "canary-notices" not in url:
            texts += [message["Body"] for message in messages]
    assert len(items) > len(files)
    assert set(found_in(texts)) == {"file name"}
    assert not found_in(without_names(texts))


def test_no_canary_is_in_a_notice(planted: Runs, target: Target, notices: str) -> None:
    messages = target.client("sqs").receive_message(QueueUrl=notices, MaxNumberOfMessages=10).get("Messages", [])
    assert messages, "the failed run sends a notice"
    assert not found_in(message["Body"] for message in messages)

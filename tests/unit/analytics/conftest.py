"""Three runs as the jobs leave them: prepared from files, answered, published and recorded by the code that does it on AWS."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from complaints_etl.job_settings import JobSettings
from complaints_etl.prepare import prepare
from complaints_etl.publish.join import Run, join_answers, predictions, read_answers
from complaints_etl.readers.storage import SourceFile
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from record_run.summary import run_document

from ptmlops_contracts.keys import OutputKeys
from tests.athena import Athena
from tests.stacks.conftest import Template, templates
from tests.unit.etl.conftest import settings

__all__ = ["settings", "templates"]

TODAY = date(2026, 7, 15)  # a Wednesday; the runs below are of Mondays


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """A row of a dropped file, and what the model said of it."""

    name: str
    text: str
    received: str = ""
    label: str = ""
    confidence: float = 0.9
    review: bool = False
    terms: tuple[str, ...] = ()


RUNS = {
    ("20260622-140000-0000000a", 1): [
        Complaint(name="r1", text="Me cobraron $120.000 de cuota de manejo y nadie responde por ese valor", received="2026-06-16",
                  label="fees", confidence=0.97, terms=("cobraron", "cuota")),
        Complaint(name="r2", text="Otra vez la cuota de manejo que yo nunca pedí en mi tarjeta de crédito", received="2026-06-23",
                  label="fees", confidence=0.91, terms=("cuota", "tarjeta")),
        Complaint(name="r3", text="They charged me a fee of USD 15.50 on my debit card and I never agreed to it", received="2026-06-23",
                  label="fees", confidence=0.55, review=True, terms=("fee",)),
        Complaint(name="r4", text="Alguien hizo compras con mi tarjeta en otra ciudad y yo no las reconozco", received="2026-06-24",
                  label="fraud", confidence=0.88, terms=("compras", "reconozco")),
        Complaint(name="e1", text=""),
    ],
    ("20260629-140000-0000000b", 1): [
        Complaint(name="s1", text="El cobro de la comisión por retiro apareció dos veces en mi extracto del mes",
                  label="fees", confidence=0.93, terms=("cobro", "comisión")),
        Complaint(name="s2", text="La comisión de avance que me cobraron en abril no estaba en el contrato firmado",
                  label="fees", confidence=0.64, review=True, terms=("comisión",)),
        Complaint(name="s3", text="Recibí una llamada falsa del banco y sacaron $ 2.500.000 de mi cuenta de ahorros",
                  label="fraud", confidence=0.99, terms=("sacaron", "llamada")),
        Complaint(name="s4", text="My card was cloned at a petrol station and used abroad the same evening",
                  label="fraud", confidence=0.95, terms=("cloned",)),
    ],
    ("20260713-140000-0000000c", 2): [
        Complaint(name="r3", text="They charged me a fee of USD 15.50 on my debit card and I never agreed to it", received="2026-06-23",
                  label="fees", confidence=0.85, terms=("fee", "charged")),
        Complaint(name="t2", text="Me suplantaron y pidieron un préstamo de $800.000 a mi nombre sin autorización", received="2026-07-13",
                  label="fraud", confidence=0.98, terms=("suplantaron",)),
        Complaint(name="t3", text="Aparecen transferencias que yo no hice desde mi billetera hacia desconocidos", received="2026-07-13",
                  label="fraud", confidence=0.92, terms=("transferencias",)),
        Complaint(name="t4", text="Una persona desconocida entró a mi billetera y cambió mi clave de acceso", received="2026-07-14",
                  label="fraud", confidence=0.45, review=True, terms=("clave",)),
        Complaint(name="t5", text="La aplicación se cierra sola cada vez que intento pagar el recibo de la luz", received="2026-07-14",
                  label="app", confidence=0.71, review=True, terms=("aplicación", "cierra")),
        Complaint(name="e2", text=""),
        Complaint(name="e3", text=""),
    ],
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Published:
    """The output bucket, and what Prepare reported of each run."""

    bucket: Path
    reports: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def published(spark: SparkSession, settings: JobSettings, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """`predictions/` after the runs. Their files are prepared at once, because that is most of the time."""
    folder = tmp_path_factory.mktemp("analytics")
    first = {complaint.name: run_id for (run_id, _), found in reversed(RUNS.items()) for complaint in found}
    files = {run_id: _csv([c for c in found if first[c.name] == run_id]) for (run_id, _), found in RUNS.items()}
    sources = [
        SourceFile(
            key=f"{run_id}.csv", version_id="1", size=len(body), read=lambda start, end, b=body: b[start:end], bucket="raw"
        )  # type: ignore[misc]
        for run_id, body in files.items()
    ]
    lenient = dataclasses.replace(settings, max_reject_share=1.0)
    prepared = prepare(spark, sources, lenient, run_id="20260622-140000-0000000a", salt="salt")
    records, rejected = prepared.records.cache(), prepared.rejected.collect()
    reports = {}
    for (run_id, version), found in RUNS.items():
        names = [complaint.name for complaint in found if complaint.text]
        answers = folder / "answers" / run_id / "part-00000.txt.out"
        answers.parent.mkdir(parents=True)
        answers.write_text("".join(_answer(complaint) for complaint in found if complaint.text), encoding="utf-8")
        mine = records.where(F.col("complaint_id").isin(names))
        run = Run(run_id=run_id, model_version=str(version), answered_at=_published_at(run_id), audit_sample=0)
        table = predictions(join_answers(mine, read_answers(spark, str(answers.parent))), run)
        table.coalesce(1).write.parquet(str(folder / "output" / OutputKeys(run_id).predictions))
        reasons = Counter(row["reason"] for row in rejected if row["source_file"] == f"{run_id}.csv")
        rows = {"read": len(found), "accepted": len(names), "rejected": reasons.total(), "duplicates": 0}
        reports[run_id] = {"rows": rows, "files": [{}], "rejects": dict(reasons)}
    return Published(bucket=folder / "output", reports=reports)


@pytest.fixture
def bucket(published: Published) -> Path:
    """The bucket with `run_history/` too, in the words of record_run."""
    for (run_id, version), found in RUNS.items():
        counts: Any = {"scored": sum(bool(c.text) for c in found), "needs_review": sum(c.review for c in found)}
        state: Any = {"run_id": run_id, "plan": {"champion": {"version": str(version), "macro_f1": 0.7 + version / 100}}}
        started = _published_at(run_id)
        left = {"timestamp": started + timedelta(seconds=61), "stateExitedEventDetails": {"name": "Prepare"}}
        run = run_document(
            run_id, "SUCCEEDED", state, published.reports[run_id], counts,
            started=started, ended=started + timedelta(minutes=9),
            events=[{"timestamp": started, "stateEnteredEventDetails": {"name": "Prepare"}}, left],
            jobs=[
                {"part": "prepare", "job": "jr_1", "statuses": {"SUCCEEDED": 1}, "instance": None, "seconds": 164.0, "usd": 0.02},
                {"part": "training", "job": run_id, "statuses": {"Completed": 2}, "instance": "ml.x.large", "seconds": 9.0, "usd": None},
            ],
            prices={"region": "us-east-1", "recorded": "2026-11-23", "run_region": "us-east-1"},
        )  # fmt: skip
        path = published.bucket / OutputKeys(run_id).history
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(run, ensure_ascii=False), encoding="utf-8")
    return published.bucket


@pytest.fixture
def athena(bucket: Path, templates: dict[str, Template]) -> Athena:
    tables = [table["TableInput"] for table in templates["storage"].properties("AWS::Glue::Table")]
    return Athena(tables, bucket)


def _published_at(run_id: str) -> datetime:
    return datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)


def _csv(complaints: list[Complaint]) -> bytes:
    lines = ["radicado,texto,fecha", *(f'{c.name},"{c.text}",{c.received}' for c in complaints)]
    return "\n".join(lines).encode()


def _answer(complaint: Complaint) -> str:
    other = round(1 - complaint.confidence, 4)
    answer = {
        "complaint_id": complaint.name,
        "label": complaint.label,
        "confidence": complaint.confidence,
        "alternatives": [
            {"label": complaint.label, "probability": complaint.confidence},
            {"label": "app" if complaint.label != "app" else "fees", "probability": other},
        ],
        "needs_review": complaint.review,
        "top_terms": [{"term": term, "contribution": 2.0 / place} for place, term in enumerate(complaint.terms, start=1)],
        "error": None,
    }
    return json.dumps(answer, ensure_ascii=False) + "\n"

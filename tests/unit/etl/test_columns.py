"""Which columns of a file are read: by names, by cells, by the labels that are known, and by what a person named."""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection, Sequence
from typing import Any

import pytest
from complaints_etl.readers.header import find_columns
from complaints_etl.readers.parts import Part
from complaints_etl.readers.sample import read_sample
from complaints_etl.readers.storage import SourceFile
from complaints_etl.records.column_choice import ChosenColumns, choose_columns
from complaints_etl.records.labels import LabelMap
from complaints_etl.records.raw_rows import PartSummary, read_batches
from complaints_etl.records.several_labels import several_labels
from complaints_etl.text.subject import join_subject, refers_to_subject

from ptmlops_contracts.columns import from_metadata, to_metadata
from stacks.config import load_settings

ALIASES = load_settings("local").complaints.columns.model_dump()
MOTIVES, PRODUCTS = ("cobros", "cajero", "aplicación"), ("Tarjeta de crédito", "Cuenta de ahorros", "Billetera")


def source(name: str, content: str | bytes, **named: str) -> SourceFile:
    body = content if isinstance(content, bytes) else content.encode()
    return SourceFile(key=name, version_id="1", size=len(body), read=lambda start, end: body[start:end], named=named)


def table(header: str, *columns: Sequence[str], rows: int = 30) -> str:
    """A CSV with an id, columns whose values repeat, and a text."""
    lines = [
        ",".join((f"A{n}", *(values[n % len(values)] for values in columns), f"La queja número {n} de la semana"))
        for n in range(rows)
    ]
    return "\n".join((header, *lines)) + "\n"


def choose(*files: SourceFile, known: Collection[str] = (), labels: dict[str, str] | None = None) -> ChosenColumns:
    label_map = LabelMap.of(labels or {}, unknown_labels="keep")
    return choose_columns(files, ALIASES, label_map, known, lambda look, sources: [look(file) for file in sources])


def read(file: SourceFile, aliases: Any) -> tuple[PartSummary, list[dict[str, Any]]]:
    summaries: list[PartSummary] = []
    batches = read_batches(file, Part(0, 0, 0, file.size), aliases, lambda _, summary: summaries.append(summary))
    rows = [row for batch in batches for row in batch.to_pylist()]
    return summaries[0], rows


def columns(*files: SourceFile, known: Collection[str] = (), labels: dict[str, str] | None = None) -> list[dict[str, str]]:
    """The columns that each file is read with."""
    chosen = choose(*files, known=known, labels=labels)
    summaries = [read(file, aliases)[0] for file, aliases in zip(files, chosen.aliases, strict=True)]
    return [dict(summary.format.columns) if summary.format else {} for summary in summaries]


# -- the label --------------------------------------------------------------------------------------------------------

BOTH = table("radicado,producto,motivo,queja", PRODUCTS, MOTIVES)
MOTIVE = table("radicado,motivo,queja", MOTIVES)
PRODUCT = table("radicado,producto,queja", PRODUCTS)


@pytest.mark.parametrize(
    "name",
    ["motivo", "Tipo de queja", "TIPOLOGÍA", "Issue", "issue_type", "Reason", "causa", "Categoría", "category", "intent"],
)
@pytest.mark.parametrize("other", ["producto", "Product", "queue", "Departamento"])
def test_the_category_is_the_label_whatever_stands_first(name: str, other: str) -> None:
    for header in (f"id,{other},{name},queja", f"id,{name},{other},queja"):
        [found] = columns(source("a.csv", table(header, PRODUCTS, MOTIVES)))
        assert found["label"] == name


@pytest.mark.parametrize(
    ("content", "known", "label", "why"),
    [
        (BOTH, (), "motivo", "its name says so"),
        (BOTH, MOTIVES, "motivo", "the model knows its values"),
        (BOTH, PRODUCTS, "producto", "the model has learned products until now"),
        (PRODUCT, (), "producto", "nothing is known, and there is no other"),
        (PRODUCT, MOTIVES, None, "the model knows none of its values: the week is classified"),
        (PRODUCT, ("TARJETA DE CREDITO", "billetera"), "producto", "case and accents do not matter"),
        (PRODUCT, ("Billetera", "cobros"), None, "a third of its rows have a known label by chance"),
        (MOTIVE, PRODUCTS, "motivo", "the name is certain: what it brings is noted when it is learned"),
        (table("id,categoria,motivo,queja", ("VIP",), MOTIVES), (), "motivo", "one value for all rows is no category"),
        (table("id,categoria,motivo,queja", ("alta", "baja"), MOTIVES), ("cobros",), "motivo", "some of its labels are known"),
        (table("id,motivo,producto,queja", ("",), PRODUCTS), (), "motivo", "a column to fill in: the rows are classified"),
        (table("id,tipo de caso,queja", MOTIVES), PRODUCTS, None, "only the words of its name say that it may be the label"),
        (table("id,tipo de caso,queja", MOTIVES), (), "tipo de caso", "there is no other"),
    ],
)
def test_the_label_is_chosen_by_names_cells_and_known_labels(
    content: str, known: tuple[str, ...], label: str | None, why: str
) -> None:
    [found] = columns(source("a.csv", content), known=known)
    assert found.get("label") == label, why


def test_the_files_of_a_run_agree_on_what_the_label_is() -> None:
    history, week = source("historico.csv", MOTIVE), source("semana.csv", PRODUCT)
    assert [found.get("label") for found in columns(history, week)] == ["motivo", None]
    assert [found.get("label") for found in columns(week, history)] == [None, "motivo"]
    assert choose(week, history).notes == [{"code": "column_not_label", "file": "semana.csv", "column": "producto"}]
    _, rows = read(week, choose(history, week).aliases[1])
    assert {row["label_read"] for row in rows} == {None}
    assert dict(rows[0]["carried_raw"])["producto"] == PRODUCTS[0]  # the export keeps the column


def test_two_files_of_products_are_learned_together() -> None:
    more = table("id,producto,queja", ("Préstamo", "Billetera"))
    assert [found["label"] for found in columns(source("a.csv", PRODUCT), source("b.csv", more))] == ["producto", "producto"]


def test_labels_are_compared_as_the_label_map_renames_them() -> None:
    renamed = {"Tarjeta de crédito": "card", "Cuenta de ahorros": "account", "Billetera": "wallet"}
    [found] = columns(source("a.csv", PRODUCT), known=("card", "account"), labels=renamed)
    assert found["label"] == "producto"


@pytest.mark.parametrize(
    "file",
    [
        source("semana.csv.gz", gzip.compress(PRODUCT.encode())),
        source("semana.csv", PRODUCT.encode("utf-16")),
        source("semana.csv", table("radicado,producto,queja", PRODUCTS, rows=4000).encode("utf-16-be").join((b"\xfe\xff", b""))),
        source("semana.csv", table("radicado,producto,queja", PRODUCTS, rows=4000).encode("utf-16")),
        source("semana.csv", PRODUCT.replace(",", ";").encode("cp1252")),
        source("semana.jsonl", "".join(json.dumps({"producto": PRODUCTS[n % 3], "queja": f"Queja {n} de hoy"}) + "\n" for n in range(30))),
        source("semana.csv", table("radicado,producto,queja", PRODUCTS, rows=4000)),
    ],
    ids=["gzip", "utf-16", "large utf-16 (big endian)", "large utf-16", "windows", "json", "large"],
)  # fmt: skip
def test_every_kind_of_file_is_looked_at(file: SourceFile) -> None:
    assert "label" not in columns(file, known=MOTIVES)[0]
    assert columns(file, known=PRODUCTS)[0]["label"] == "producto"


def test_a_label_that_becomes_other_is_not_a_known_one() -> None:
    labels = LabelMap.of({"cobro": "cobros"}, unknown_labels="other")
    [aliases] = choose_columns(
        [source("a.csv", PRODUCT)], ALIASES, labels, ("cobros", "other"), lambda look, files: list(map(look, files))
    ).aliases
    assert aliases["label"] == ()


def test_a_file_that_cannot_be_looked_at_is_not_learned_by_a_name_that_is_not_certain() -> None:
    file = source("a.csv", "x" * 70_000 + ",producto,queja\n1,Billetera,no funciona\n")
    [aliases] = choose(file, known=MOTIVES).aliases
    assert find_columns(("producto", "queja"), aliases) == {"text": "queja"}


def test_a_file_that_cannot_be_read_changes_nothing_for_the_others() -> None:
    broken = [
        source("a.csv.gz", b"no gzip"),
        source("b.csv", b""),
        source("c.png", b"\x89PNG"),
        source("d.txt", "Una queja sola"),
    ]
    chosen = choose(*broken, source("e.csv", MOTIVE), source("f.csv", PRODUCT))
    assert chosen.aliases[4]["label"] == ("motivo",)
    assert chosen.aliases[5]["label"] == ()


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("complaint_id,product,complaint_what_happened", {"complaint_id": "complaint_id", "label": "product", "text": "complaint_what_happened"}),
        ("Ticket ID,Ticket Type,Ticket Priority,Ticket Description", {"complaint_id": "Ticket ID", "label": "Ticket Type", "text": "Ticket Description"}),
        ("subject,body,queue,priority", {"subject": "subject", "text": "body", "label": "queue"}),
        ("caseNumber,issueType,ticketDescription", {"complaint_id": "caseNumber", "label": "issueType", "text": "ticketDescription"}),
        ("asunto,fecha", {"text": "asunto", "received_at": "fecha"}),
        ("utterance,intent", {"text": "utterance", "label": "intent"}),
        ("Motivo (obligatorio),¿Reclamación? *", {"label": "Motivo (obligatorio)", "text": "¿Reclamación? *"}),
        ("Fecha de la queja,Descripción del caso,¿Cuál es el motivo de su queja?", {"text": "Descripción del caso", "label": "¿Cuál es el motivo de su queja?"}),
        ("Complaint Details,Complaint Category", {"text": "Complaint Details", "label": "Complaint Category"}),
        ("Data,Assunto,Descrição", {"label": "Assunto", "text": "Descrição"}),
        ("motivo de cierre,observaciones", {"text": "observaciones"}),
        ("fecha de la queja,estado del caso", {}),
    ],
)  # fmt: skip
def test_names_that_people_give_their_columns(header: str, expected: dict[str, str]) -> None:
    assert find_columns(header.split(","), ALIASES, by_words=True) == expected


# -- what a person names ----------------------------------------------------------------------------------------------

SURVEY = "Marca,¿Qué pasó?,Clase\n" + "".join(
    f"{n},El cajero número {n} no entregó el dinero,{MOTIVES[n % 3]}\n" for n in range(12)
)


def test_named_columns_are_read_and_no_others() -> None:
    file = source("a.csv", SURVEY, text="¿que paso?", label="CLASE", complaint_id="Marca")
    assert columns(file, known=PRODUCTS) == [{"text": "¿Qué pasó?", "label": "Clase", "complaint_id": "Marca"}]
    without = source("a.csv", MOTIVE, label="")
    assert columns(without) == [{"text": "queja", "complaint_id": "radicado"}]


def test_a_named_column_that_is_not_there_is_noted_and_nothing_else_is_taken_for_it() -> None:
    file = source("a.csv", BOTH, label="Motivos", text="queja")
    assert "label" not in columns(file)[0]
    assert choose(file).notes == [{"code": "column_missing", "file": "a.csv", "column": "Motivos"}]
    summary, [row] = read(source("a.csv", MOTIVE, text="nada"), choose(source("a.csv", MOTIVE, text="nada")).aliases[0])
    assert summary.rejected == "no_text_column"
    assert row["detail"].startswith('its upload named "nada" as the text column, and it has no such column')
    assert "(radicado, motivo, queja)" in row["detail"]


def test_the_names_survive_the_metadata_of_an_upload() -> None:
    named = {"text": "¿Qué pasó, según usted? 100% + ", "label": "", "date": "日付"}
    metadata = to_metadata(named)
    assert all(f"{key}{value}".isascii() and " " not in value for key, value in metadata.items())
    assert from_metadata({**metadata, "other": "x"}) == {"text": named["text"], "label": "", "received_at": "日付"}
    assert from_metadata({"PTMLOPS-Text": "body"}) == {"text": "body"}
    with pytest.raises(ValueError, match="2,048"):
        to_metadata({"text": "é" * 400})


# -- no text column ---------------------------------------------------------------------------------------------------


def test_a_file_without_a_text_column_is_told_its_columns_the_likeliest_and_each_way_out() -> None:
    [row] = read(source("a.csv", SURVEY), ALIASES)[1]
    assert 'among 3 columns (Marca, ¿Qué pasó?, Clase); the likeliest is "¿Qué pasó?", with 3' in row["detail"]
    for way in ("--text", "rename the column to text", "complaints.columns.text"):
        assert way in row["detail"]


@pytest.mark.parametrize(
    "content",
    [
        "Ana Peña,me cobraron dos veces la cuota\n" + "Luis Gil,no puedo entrar a la aplicación desde ayer\n" * 9,
        "no sirve\n" + "".join(f"Llevo {n} días esperando la respuesta de la entidad\n" for n in range(9)),
        "1,no sirve,cobros\n" + "".join(f"{n},Llevo {n} días esperando la respuesta,cobros\n" for n in range(9)),
        "secreto,no sirve\n" + "".join(f"nombre{chr(97 + n)},Llevo {n} días esperando la respuesta de ustedes\n" for n in range(9)),
        "secreto@example.com,motivos\n" + "".join(f"{n},Llevo {n} días esperando la respuesta de ustedes\n" for n in range(9)),
        "secreto,no sirve\n1,otra queja más larga que la primera\n",
    ],
)  # fmt: skip
def test_a_first_line_that_may_be_a_complaint_is_not_quoted(content: str) -> None:
    [row] = read(source("a.csv", content), ALIASES)[1]
    assert row["reason"] == "no_text_column"
    for cell in content.split("\n", 1)[0].split(","):
        assert len(cell) < 2 or cell not in row["detail"].replace("motivo,", "")


def test_the_sample_of_a_file_ends_with_a_whole_row() -> None:
    sample = read_sample(source("a.csv", table("id,motivo,queja", MOTIVES, rows=4000)), ALIASES)
    assert sample is not None
    assert {row["motivo"] for row in sample.rows} == set(MOTIVES)


# -- subject and description ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "description", "text"),
    [
        ("Cobro doble", "Me cobraron dos veces.", "Cobro doble\nMe cobraron dos veces."),
        ("Me cobraron dos veces", None, "Me cobraron dos veces"),
        ("Me cobraron dos veces", "N/A", "Me cobraron dos veces"),
        ("Me cobraron dos veces", "(Ver asunto)", "Me cobraron dos veces"),
        (None, "Me cobraron dos veces", "Me cobraron dos veces"),
        ("-", "Me cobraron dos veces", "Me cobraron dos veces"),
        ("4711", "Me cobraron dos veces", "Me cobraron dos veces"),
        ("Me cobraron", "me cobraron dos veces", "me cobraron dos veces"),
        (None, None, None),
    ],
)
def test_a_subject_and_a_description_are_one_text(subject: str | None, description: str | None, text: str | None) -> None:
    assert join_subject(subject, description) == text


@pytest.mark.parametrize(
    "cell",
    ["Ver asunto", "VÉASE EL ASUNTO.", "igual que el título", "See subject line", "same as title", "Vide assunto", "idem"],
)
def test_a_description_may_only_refer_to_the_subject(cell: str) -> None:
    assert refers_to_subject(cell)


@pytest.mark.parametrize("cell", ["Ver asunto: me cobraron", "No funciona", "El título valor no llegó", "arriba", ""])
def test_a_description_with_words_of_its_own_is_read(cell: str) -> None:
    assert not refers_to_subject(cell)


@pytest.mark.parametrize("broken", ["", '"sin cerrar\n'], ids=["in bulk", "row by row"])
def test_both_readers_join_subject_and_description(broken: str) -> None:
    body = (
        "Case Number,Subject,Description,Category\n1,Cobro doble,Ver asunto,a\n2,Queja,El cajero no dio dinero,b\n3,Sola,,a\n"
    )
    summary, rows = read(source("a.csv", body + broken), choose(source("a.csv", body)).aliases[0])
    assert summary.format
    assert summary.format.columns["subject"] == "Subject"
    texts = [row["raw_text"] for row in rows if not row["reason"]]
    assert texts == ["Cobro doble", "Queja\nEl cajero no dio dinero", "Sola"]
    assert [dict(row["carried_raw"]) for row in rows[:2]] == [{"Subject": "Cobro doble"}, {"Subject": "Queja"}]


# -- several labels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "rows", "separator"),
    [
        ({"cobros": 30, "fraude": 20, "cobros;fraude": 7, "app; cobros": 3, "app": 9}, 10, ";"),
        ({"fees": 9, "fraud": 8, "fees, fraud": 5}, 5, ","),
        ({"fees": 9, "fraud": 8, "Fees / Fraud": 5}, 5, "/"),
        ({"cobros": 9, "fraude": 8, "Cobros y fraude": 5, "fees and charges": 3}, 5, " y "),
        ({"a|b": 3, "a|c": 4, "b|c": 5}, 12, "|"),
        ({"['fees', 'fraud']": 3, "['fees']": 4, "['card']": 5}, 3, ","),
        ({"a": 9, "b": 9, **{f"a;b;{n}": 1 for n in "cdefgh"}, **dict.fromkeys("cdefgh", 1)}, 6, ";"),
    ],
)
def test_cells_with_several_labels_are_one_note(given: dict[str, int], rows: int, separator: str) -> None:
    [note] = several_labels(given)
    assert (note["rows"], note["separator"]) == (rows, separator)
    assert len(note["values"]) <= 5
    assert len(note["values"]) + note["more"] == sum(separator in name for name in given)


@pytest.mark.parametrize(
    "given",
    [
        {"Comisiones, cuotas y cargos": 30, "Fraude": 4},
        {"Tarjeta / Cobros": 3, "Tarjeta / Fraude": 3, "Cuenta / Cobros": 3},
        {"Robo y fraude": 4, "fraude": 5},
        {"Loans, credit": 3, "Loans": 2, "Cards, debit": 9, "Cash, atm": 4},
        {"fees": 9, "fraud": 8},
    ],
)
def test_a_label_with_a_comma_in_its_name_is_one_label(given: dict[str, int]) -> None:
    assert several_labels(given) == []


def test_the_first_label_of_a_cell_counts_if_the_settings_say_so() -> None:
    labels = LabelMap.of({}, unknown_labels="keep", separator=";")
    assert [labels.resolve(cell)[0] for cell in ("fees;fraud", " ; fraud", "fees", ";", None)] == [
        "fees",
        "fraud",
        "fees",
        None,
        None,
    ]
    whole = LabelMap.of({"fees;fraud": "both"}, unknown_labels="keep", separator=";")
    assert whole.resolve("Fees;Fraud")[0] == "both"

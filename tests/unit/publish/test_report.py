"""The report shows the run's numbers in both languages, and escapes what files and labels contain."""

from __future__ import annotations

import dataclasses
import pickle
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from complaints_etl.publish.report_page import Page, load_texts, render
from complaints_etl.publish.statistics import RunStatistics

from local_aws import ROOT
from ptmlops_contracts.drift import Drift
from ptmlops_contracts.live import LiveAccuracy
from ptmlops_contracts.report import NoteCode, Reason
from stacks.components.code_assets import unit_members
from tests.unit.publish.conftest import LABELS

VOID = {"path", "wbr", "meta", "br", "circle", "rect", "line"}


class Structure(HTMLParser):
    """Collects elements and texts, and checks that elements close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open, tag
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Structure:
    structure = Structure()
    structure.feed(html)
    structure.close()
    assert structure.open == []
    return structure


def test_both_languages_have_the_same_texts_with_the_same_placeholders() -> None:
    placeholders = {
        language: {
            (section, name): sorted(re.findall(r"{(\w+)}", text))
            for section, texts in load_texts(language).items()
            for name, text in texts.items()
        }
        for language in ("es", "en")
    }
    assert placeholders["es"] == placeholders["en"]


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_reason_for_a_rejection_has_a_text(language: str) -> None:
    assert load_texts(language)["reasons"].keys() == {str(reason.value) for reason in Reason}


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_page_is_well_formed_and_loads_nothing(page: Page, language: str) -> None:
    structure = read(render(dataclasses.replace(page, language=language)))

    assert {"script", "img", "link", "iframe"}.isdisjoint({tag for tag, _ in structure.seen})
    addresses = [value for _, attributes in structure.seen for name, value in attributes.items() if name in ("src", "href")]
    assert addresses
    assert all(str(address).startswith("../../") for address in addresses)


def test_numbers_are_written_as_the_language_writes_them(page: Page) -> None:
    assert "1.250" in render(page)
    assert "1,250" in render(dataclasses.replace(page, language="en"))


def test_names_from_files_and_labels_are_text_and_never_markup(page: Page) -> None:
    html = render(page)

    assert "<de julio>" not in html
    assert "<indebidos>" not in html
    assert 'href="../../exports/run_id%3D20260715-093000-0123abcd/quejas%20%3Cde%20julio%3E%20%26%20agosto.csv"' in html


def test_each_file_leads_to_its_export_and_a_large_one_to_all_its_parts(page: Page) -> None:
    structure = read(render(page))
    links = [attributes["href"] for tag, attributes in structure.seen if tag == "a"]
    # The review list three times in what needs a person, the export and the review list to open, the export beside the uploaded file.
    assert len(links) == 6
    assert links[0] == links[1] == links[2] == links[4]
    assert links[3] == links[5]
    assert "150 por decidir y 50 elegidas al azar" in "".join(structure.text)
    keys = tuple(f"exports/run_id=x/a.part-{number:03d}.csv" for number in range(1, 8))
    files = {"export": keys}
    many = dataclasses.replace(page, files=files, exports=[dataclasses.replace(page.exports[0], keys=keys)])
    structure = read(render(many))
    assert [attributes["href"] for tag, attributes in structure.seen if tag == "a"] == [
        f"../../{key.replace('=', '%3D')}" for key in keys
    ]
    assert "7 archivos, enlazados" in "".join(structure.text)


def test_a_category_is_compared_with_its_share_of_the_runs_before(page: Page) -> None:
    # 900 of 1,200 is 75%, and it was 50%: 25 points more.
    html = render(dataclasses.replace(page, language="en"))
    assert "+25.0" in html
    assert "−25.0" in html


def test_the_model_card_names_what_the_model_is_bad_at(page: Page) -> None:
    html = render(dataclasses.replace(page, language="en"))
    assert "fraud: the model finds only 42% of the complaints" in html
    assert "In English, 70% of the answers are correct" in html
    assert "95%: 0.78 to 0.84" in html


@pytest.mark.parametrize(("rows", "cross_fitted"), [(29, True), (30, False)])
def test_with_few_test_rows_the_figures_are_cross_fitted(
    page: Page, evaluation: dict[str, Any], rows: int, *, cross_fitted: bool
) -> None:
    fraud = {"precision": 0.71, "recall": 0.33, "f1": 0.45, "support": 187}
    figures = {"accuracy": 0.717, "accuracy_interval": [0.65, 0.78], "macro_f1": 0.679, "macro_f1_interval": [0.61, 0.74]}
    evaluation["candidate"]["cross_fitted"] = {
        "rows": 1234, **figures, "expected_calibration_error": 0.04, "answered_share": 0.2, "per_label": {"fraud": fraud}
    }  # fmt: skip
    evaluation["holdout"]["rows"] = rows

    text = " ".join(" ".join(read(render(dataclasses.replace(page, language="en"))).text).split())

    assert ("29 test rows: these figures are of all 1,234 training rows" in text) is cross_fitted
    assert ("0.679" in text and "95%: 0.61 to 0.74" in text) is cross_fitted
    assert ("fraud: the model finds only 33% of the complaints" in text) is cross_fitted
    assert ("0.81" in text and "95%: 0.78 to 0.84" in text) is not cross_fitted
    assert ("Confusion matrix" in text) is not cross_fitted  # it would be of 29 rows


def test_the_champions_own_numbers_are_shown_where_the_candidate_was_refused(page: Page, evaluation: dict[str, Any]) -> None:
    evaluation["champion"] = {**evaluation["candidate"], "macro_f1": 0.777, "version": "3"}
    assert "0.777" in render(dataclasses.replace(page, language="en", evaluation=evaluation))


def test_a_new_theme_has_its_terms_its_size_and_an_example(page: Page) -> None:
    structure = read(render(page))
    words = " ".join(" ".join(structure.text).split())
    assert "Temas nuevos Quejas que se parecen entre sí" in words
    assert "seguro de viaje, vuelo <cancelado> (Quejas: 37; lo usual serían unas 2)" in words
    assert "El seguro de viaje no cubrió el vuelo cancelado y <NAME> no responde" in words
    assert "Quejas de temas nuevos por leer 37" in words


def test_a_run_without_new_themes_says_so_and_one_that_was_not_searched_does_not(page: Page) -> None:
    nothing, unknown = (render(dataclasses.replace(page, themes=themes)) for themes in ([], None))
    assert "Ningún tema nuevo" in nothing
    assert "Ningún tema nuevo" not in unknown
    assert "Temas nuevos" not in nothing + unknown


def test_a_run_that_scored_nothing_and_has_no_model_has_a_page_too(page: Page) -> None:
    nothing = dataclasses.replace(
        page, language="en", statistics=RunStatistics(), evaluation=None, model_version="none", earlier=[], files={}
    )
    html = render(nothing)
    read(html)
    assert "This run classified no complaints." in html
    assert "No model is in use yet." in html


def test_the_page_renders_from_a_zip_archive_as_glue_imports_it(page: Page, tmp_path: Path) -> None:
    """Template, style and texts come out of the archive; the working directory has no copy of them."""
    archive = str(tmp_path / "library.zip")
    with zipfile.ZipFile(archive, "w") as library:
        for name, content in unit_members(ROOT / "glue_jobs", ["complaints_etl"]).items():
            library.writestr(name, content)
    (tmp_path / "page.pickle").write_bytes(pickle.dumps(page))
    script = (
        "import pickle, sys; sys.path.insert(0, sys.argv[1])\n"
        "from complaints_etl.publish import report_page\n"
        "assert report_page.__file__.startswith(sys.argv[1])\n"
        "sys.stdout.buffer.write(report_page.render(pickle.load(open('page.pickle', 'rb'))).encode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, archive], cwd=tmp_path, env={}, capture_output=True, timeout=60, check=True
    )

    assert done.stdout.decode() == render(page)


def test_drift_is_shown_with_its_thresholds_and_proposes_a_training(page: Page) -> None:
    drift: dict[str, Drift] = {
        "categories": {"index": 0.31, "threshold": 0.12},
        "languages": {"index": 0.02, "threshold": 0.05},
        "vocabulary": {"index": None, "threshold": None},
    }
    text, words = load_texts("en")["drift"], words_of(render(replace(page, language="en", drift=drift)))
    assert "Categories 0.31 0.12 beyond chance Languages 0.02 0.05 within chance Vocabulary – – –" in words
    assert text["proposal"] in words
    assert f"{load_texts('en')['tasks']['drift']} 1" in words
    calm: dict[str, Drift] = {**drift, "categories": {"index": 0.11, "threshold": 0.12}}
    assert text["proposal"] not in words_of(render(replace(page, language="en", drift=calm)))
    assert text["too_few"].format(n=50) in words_of(render(replace(page, language="en", drift={})))


def live_accuracy(**changed: Any) -> LiveAccuracy:
    """Version 3 as Publish measures it: 89% of 1,200 answers, of which 130 were checked."""
    part: Any = {"answers": 600, "checked": 60, "accuracy": 0.7, "accuracy_interval": [0.6, 0.8]}
    figures: Any = {
        "answers": 1200, "checked": 130, "accuracy": 0.891, "accuracy_interval": [0.83, 0.925], "model_version": "3",
        "measured_by": "20260715-093000-0123abcd", "returned": 300, "certain": {**part, "accuracy": 0.984}, "doubtful": part,
        "labels": {LABELS[0]: part, LABELS[1]: {"answers": 20, "checked": 4, "accuracy": None, "accuracy_interval": None}},
        "held_out_accuracy": 0.94, "fall": 0.049,
    }  # fmt: skip
    found: LiveAccuracy = {**figures, **changed}
    return found


def test_checked_answers_are_shown_with_interval_classes_and_categories(page: Page) -> None:
    text = words_of(render(replace(page, language="en", live=[live_accuracy()])))
    assert "3 89.1% 83.0% to 92.5% 98.4% 70.0% 130 1,200 94.0%" in text
    assert "Version 3: people confirm fewer answers than the test data promised, by 4.9 percentage points" in text
    assert f"{LABELS[0]} 70.0% 60.0% to 80.0% 60 600" in text
    assert f"{LABELS[1]} – – 4 20" in text
    assert load_texts("en")["live"]["title"] not in words_of(render(replace(page, language="en")))


def test_too_few_checked_answers_are_said_to_be_too_few(page: Page) -> None:
    nothing: Any = {"accuracy": None, "accuracy_interval": None, "fall": None, "checked": 12, "returned": 40}
    text = words_of(render(replace(page, language="en", live=[live_accuracy(**nothing)])))
    assert "too little came back to tell. Categories came back: 40" in text
    assert "whole: 12; at least 30 are needed" in text
    assert "By answered category" not in text


def words_of(document: str) -> str:
    """The page's text with single blanks."""
    structure = Structure()
    structure.feed(document)
    return " ".join("".join(f" {part} " for part in structure.text).split())


def test_the_columns_of_each_file_and_the_notes_on_it_are_stated(page: Page) -> None:
    [file] = page.report["files"]
    columns = {"text": "Relato <b>", "subject": "Asunto", "label": "Motivo"}
    notes = [
        {"code": "column_not_label", "file": file["key"], "column": "producto"},
        {
            "code": "unfamiliar_labels",
            "file": file["key"],
            "column": "Motivo",
            "values": list("abcde"),
            "more": 1234,
            "rows": 60,
        },
        {"code": "several_labels", "separator": ";", "values": ["a;b"], "more": 0, "rows": 7},
        {"code": "repeated_rows", "rows": 1500},
    ]
    report = {**page.report, "files": [{**file, "columns": columns}], "notes": notes}
    text = " ".join("".join(read(render(dataclasses.replace(page, language="en", report=report))).text).split())

    assert "text: Relato <b> with Asunto; label: Motivo; id: none; date: none" in text
    plain = {**report, "files": [{**file, "columns": {"text": "queja", "complaint_id": "caso", "received_at": "día"}}]}
    text_of_plain = "".join(read(render(dataclasses.replace(page, language="es", report=plain))).text)
    assert "texto: queja; etiqueta: ninguna; id: caso; fecha: día" in text_of_plain
    assert "the column “producto” was not taken for the category" in text
    assert "(a, b, c, d, e and 1,234 more) have nothing in common with those of the model" in text
    assert "with “;” between them: a;b. Rows: 7." in text
    assert "not learned again: 1,500." in text


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_note_has_a_text(language: str) -> None:
    assert load_texts(language)["notes"].keys() == {str(code.value) for code in NoteCode}

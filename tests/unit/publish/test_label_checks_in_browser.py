"""Labels to check on the review page, in headless Chromium: by keyboard, to the file that Prepare's reader takes."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from complaints_etl.publish.label_checks import page_row
from complaints_etl.publish.review import REVIEW_COLUMNS
from complaints_etl.publish.review_page import PageRow
from complaints_etl.readers import read_table
from complaints_etl.spreadsheet import active

from ptmlops.review_list import read_review
from ptmlops_contracts.report import NOT_A_COMPLAINT
from ptmlops_contracts.review import LabelToCheck
from stacks.config import load_settings
from tests.unit.publish.browser import AXE
from tests.unit.publish.test_report_in_browser import RUN_AXE
from tests.unit.publish.test_review_in_browser import LABELS, TEXTS, downloaded, heading, html_of, press, reload

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

CHECKS = 7
OVERFLOWING = "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).length"


def checks() -> list[PageRow]:
    """Labels to check with the texts of the review list backwards: other ids, and all that is hard to show or to write."""
    return [
        page_row(
            LabelToCheck(
                complaint_id=f"{'=' if number == 2 else ''}t-{number}",
                text=TEXTS[-2 - number],
                given_label=LABELS[number % 3],
                suggestion=LABELS[3 + number % 3],
                given_probability=0.012,
                suggestion_probability=0.914,
                language="es",
            )
        )
        for number in range(CHECKS)
    ]


def page_of(language: str = "es", **changed: Any) -> str:
    return html_of(language, **({"checks": checks(), "checks_total": CHECKS} | changed))


@pytest.fixture
def address(tmp_path: Path) -> str:
    path = tmp_path / "review.html"
    path.write_text(page_of(), encoding="utf-8")
    return path.as_uri()


def answered(tab: Page) -> list[tuple[str, str]]:
    rows = csv.DictReader(io.StringIO(downloaded(tab).decode("utf-8-sig"), newline=""), delimiter=";")
    return [(active(row["complaint_id"]), active(row["label"])) for row in rows]


def tabs(tab: Page) -> list[tuple[str, str | None]]:
    """The names of the tabs and whether each is selected, as a screen reader has them."""
    return [(one.inner_text(), one.get_attribute("aria-selected")) for one in tab.get_by_role("tab").all()]


def test_both_lists_are_answered_by_keyboard_and_read_by_prepare(tab: Page, tmp_path: Path) -> None:
    press(tab, "x", "1")  # two complaints of the review list
    press(tab, "l")
    assert heading(tab) == "Etiqueta 1 de 7"
    seen, said = [], []
    for keys in (
        ["1"],  # the given label is kept
        ["2"],  # the suggestion is taken
        ["/", *"fraude", "Enter"],  # another label
        ["x"],
        ["s"],
        ["/", *"Nueva clase", "Enter"],
        ["/", *"cobros", "Enter"],  # the given label, found by the search: kept, too
    ):
        facts = tab.locator("#facts").inner_text().replace("\xa0", " ")
        seen.append((tab.locator("#text").inner_text(), facts, tab.locator("#text").get_attribute("lang")))
        press(tab, *keys)
        said.append(tab.get_by_role("status").inner_text())
    assert tab.locator("#ended").is_visible()
    body = downloaded(tab)

    assert said == [
        f"Guardado: se conserva {LABELS[0]}",
        f"Guardado: {LABELS[4]}",
        "Guardado: fraude",
        "Guardado: no es una queja. Su etiqueta anterior sigue en los datos de entrenamiento; para cambiarla, elija otra.",
        "Omitida",
        "Guardado: Nueva clase",
        f"Guardado: se conserva {LABELS[0]}",
    ]

    for number, row in enumerate(checks()):
        text, facts, language = seen[number]
        given, suggested = LABELS[number % 3], LABELS[3 + number % 3]
        assert (text.replace("\xa0", " "), language) == (row.cells["text"], "es")
        assert facts == f"Etiqueta dada: {given}, 1 %. Sugerencia del modelo: {suggested}, 91 % · {row.cells['complaint_id']}"
    labels = {1: LABELS[4], 2: "fraude", 3: NOT_A_COMPLAINT, 5: "Nueva clase"}
    expected = [("c-0", TEXTS[0], NOT_A_COMPLAINT), ("c-1", TEXTS[1], LABELS[1])]
    expected += [(checks()[n].cells["complaint_id"], checks()[n].cells["text"], label) for n, label in labels.items()]
    for environment in ("dev", "local"):
        table = read_table("review.csv", body, load_settings(environment).complaints.columns.model_dump())
        assert list(table.header) == list(REVIEW_COLUMNS)
        read = list(table.rows)
        assert [row.reason for row in read] == [None] * 6
        assert expected == [
            tuple(active(row.values[table.columns[name]]) for name in ("complaint_id", "text", "label")) for row in read
        ]
        assert [row.values["why"] for row in read] == ["not answered", "uncertain", *["label to check"] * 4]
    path = tmp_path / "review.csv"
    path.write_bytes(body)
    reviewed = read_review(path, load_settings("local").complaints.columns.model_dump())
    assert (reviewed.labels, reviewed.not_complaints, reviewed.blank) == (
        [LABELS[1], LABELS[4], "fraude", "Nueva clase"], 2, 0,
    )  # fmt: skip


def test_the_lists_are_tabs_that_say_what_is_left_and_each_has_its_progress(tab: Page, address: str) -> None:
    assert tabs(tab) == [("Quejas por revisar (12)", "true"), ("Etiquetas por comprobar (7)", "false")]
    press(tab, "x", "s")
    tab.get_by_role("tab", selected=True).focus()
    press(tab, "ArrowRight")
    assert tabs(tab) == [("Quejas por revisar (11)", "false"), ("Etiquetas por comprobar (7)", "true")]
    assert tab.locator("[role=tab]:focus").inner_text() == "Etiquetas por comprobar (7)"
    # The panel has the tab's name, and what a screen reader announces says where one is.
    panel = tab.get_by_role("tabpanel", name="Etiquetas por comprobar (7)")
    assert panel.get_by_role("heading", name="Etiqueta 1 de 7").is_visible()
    assert tab.get_by_role("status").inner_text() == "Etiquetas por comprobar: 0 de 7 respondidas"
    assert tab.locator("#progress").get_attribute("max") == "7"
    press(tab, "1", "2", "s")
    assert tab.locator("#count").inner_text() == "2 de 7 respondidas · omitidas: 1"
    press(tab, "l")
    assert (heading(tab), tab.locator("#count").inner_text()) == ("Queja 3 de 12", "1 de 12 respondidas · omitidas: 1")
    assert tab.locator("#heading:focus").count() == 1

    reload(tab)  # both go on
    assert (heading(tab), tabs(tab)[1][0]) == ("Queja 3 de 12", "Etiquetas por comprobar (5)")
    press(tab, "l")
    assert heading(tab) == "Etiqueta 4 de 7"
    press(tab, "u")
    assert tab.get_by_role("status").inner_text() == "Deshecho: vuelve la etiqueta 3"
    press(tab, "u", "1")  # the second label is kept, after all
    assert heading(tab) == "Etiqueta 3 de 7"
    press(tab, "2")
    press(tab, "l")
    press(tab, "u", "u")  # and undo is that of the list that is shown
    assert heading(tab) == "Queja 1 de 12"
    press(tab, "x", "2")
    assert answered(tab) == [("c-0", NOT_A_COMPLAINT), ("c-1", LABELS[2]), ("=t-2", LABELS[5])]

    other = tab.context.new_page()
    other.goto(address)
    press(other, "l", "x")
    tab.wait_for_function("document.getElementById('tab-checks').textContent.includes('(3)')")


def test_a_page_of_kept_labels_alone_has_nothing_to_download_and_says_so(browser: Browser) -> None:
    tab = browser.new_page(viewport={"width": 360, "height": 740})
    tab.set_content(html_of("es", checks=checks(), checks_total=CHECKS, rows=[], total=0))
    assert tab.title().startswith("Etiquetas por comprobar")
    assert tab.get_by_role("tab").count() == 0
    assert tab.locator("#other").is_hidden()
    for number in range(CHECKS):
        assert heading(tab) == f"Etiqueta {number + 1} de 7"
        tab.get_by_role("button", name=f"Conservar la etiqueta: {LABELS[number % 3]}").click()
    assert tab.locator("#summary").inner_text() == (
        "Respondidas: 7. Omitidas: 0. Etiquetas conservadas: 7; no necesitan fila en el archivo."
    )
    assert tab.locator("#download").is_disabled()
    press(tab, "u", "2")
    assert answered(tab) == [("t-6", LABELS[3])]
    assert tab.locator("#summary").inner_text().endswith("Descargue el archivo y vuelva a cargarlo.")
    tab.close()


def test_the_end_of_one_list_leads_to_the_other(tab: Page) -> None:
    press(tab, *["x"] * 12)
    assert tab.locator("#ended").inner_text() == "No quedan quejas por responder"
    tab.get_by_role("button", name="Etiquetas por comprobar (7)").click()
    assert heading(tab) == "Etiqueta 1 de 7"
    assert tab.locator("#heading:focus").count() == 1
    reload(tab)  # rows without an answer come first
    assert heading(tab) == "Etiqueta 1 de 7"
    press(tab, *["1"] * 7)
    assert tab.locator("#ended").inner_text() == "No quedan etiquetas por comprobar"
    assert tab.locator("#other").is_hidden()
    assert len(answered(tab)) == 12


def test_a_page_without_labels_to_check_has_no_tabs(browser: Browser) -> None:
    tab = browser.new_page()
    tab.set_content(html_of("en"))
    assert tab.title().startswith("Complaints to review")
    assert tab.get_by_role("tab").count() == tab.get_by_role("tabpanel").count() == 0
    press(tab, "l")
    assert heading(tab) == "Complaint 1 of 12"
    tab.close()


@pytest.mark.parametrize(("language", "scheme", "width"), [("es", "light", 360), ("en", "dark", 360), ("es", "dark", 1280)])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(browser: Browser, language: str, scheme: Any, width: int) -> None:
    # The checker is put in past the page's policy, which forbids it too.
    context = browser.new_context(viewport={"width": width, "height": 740}, bypass_csp=True, color_scheme=scheme)
    tab = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    try:
        tab.set_content(page_of(language, total=5000, checks_total=900))
        tab.add_script_tag(path=AXE)
        tab.locator("summary").click()
        for keys in ([], ["l"], ["1", "2"], ["/", "f"], ["Escape", *["x"] * 5], ["l"], ["x"] * 12):
            press(tab, *keys)
            assert tab.evaluate(RUN_AXE) == []
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.evaluate(OVERFLOWING) == 0
        assert tab.locator("#ended").is_visible()
        assert (asked, errors) == ([], [])
    finally:
        context.close()

"""The review page in headless Chromium: a person reviews by keyboard, and Prepare's reader takes the downloaded file."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from complaints_etl.publish.review import AUDIT_SAMPLE, NOT_ANSWERED, REVIEW_COLUMNS, UNCERTAIN
from complaints_etl.publish.review_page import PageRow, render_review
from complaints_etl.readers import read_table
from complaints_etl.spreadsheet import active, inert

from ptmlops.review_list import read_review
from ptmlops_contracts.report import NOT_A_COMPLAINT
from stacks.config import load_settings
from tests.unit.publish.browser import AXE
from tests.unit.publish.test_report_in_browser import RUN_AXE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

RUN = "20260715-093000-0123abcd"
LABELS = ["Cobros & comisiones <indebidos>", "fraude", "acceso", "tarjeta_de_crédito", "=atención", "seguros"]
TEXTS = (
    "Me cobraron una comisión de <NUMBER> pesos el 3 de julio y nadie responde.\nCOBRARON dos veces lo mismo.",
    '</script><script>document.title="run"</script> <!-- me cobraron "dos" veces; ¿por qué?',
    "=1+1 me cobraron",
    "' =2+2, me cobraron",
    "línea uno\u2028línea dos\u2029línea tres & me cobraron <b>mucho</b>",
    "🙂 me cobraron 👍🏽 <EMAIL>",
    '"entre comillas", me cobraron',
    "me cobraron \\u003c \\n ${x} {n}",
    "unapalabramuylargasinespacios" * 12 + " me cobraron",
    "-12.5",
    "@cmd me cobraron; -5",
    "Sobra",
)


def rows_of() -> list[PageRow]:
    rows = []
    for number, text in enumerate(TEXTS):
        why = (NOT_ANSWERED, *(UNCERTAIN,) * 9, AUDIT_SAMPLE)[min(number, 10)]
        alternatives = [] if why == NOT_ANSWERED else [(LABELS[(number + k) % 3], 0.6 - 0.2 * k) for k in range(3)]
        cells = {
            "complaint_id": f"{'=' if number == 3 else ''}c-{number}",
            "text": text,
            "suggestion": alternatives[0][0] if alternatives else "",
            "confidence": "0.6000" if alternatives else "",
            "alternatives": "; ".join(f"{label} {share:.2f}" for label, share in alternatives),
            "top_terms": "=cobraron; me cobraron",
            "why": why,
            "received_at": "2026-07-03" if number % 2 else "",
        }
        terms = ["cobraron", "me … veces"] if alternatives else []
        rows.append(PageRow(cells=cells, why=why, language="es", alternatives=alternatives, terms=terms))
    return rows


def html_of(language: str, **changed: Any) -> str:
    rows = rows_of()
    values: dict[str, Any] = {
        "rows": rows, "total": len(rows), "labels": LABELS, "columns": REVIEW_COLUMNS, "separator": ";",
    }  # fmt: skip
    return render_review(**(values | changed), language=language, run_id=RUN)


@pytest.fixture
def address(tmp_path: Path) -> str:
    path = tmp_path / "review.html"
    path.write_text(html_of("es"), encoding="utf-8")
    return path.as_uri()


def press(tab: Page, *keys: str) -> None:
    for key in keys:
        tab.keyboard.press(key)


def downloaded(tab: Page) -> bytes:
    with tab.expect_download() as found:
        tab.keyboard.press("d")
    assert found.value.suggested_filename == f"review-{RUN}.csv"
    return Path(found.value.path()).read_bytes()


def reload(tab: Page) -> None:
    """Load the page again, once Chromium has taken what the page stored: that is a message to another process."""
    tab.wait_for_timeout(500)
    tab.reload()


def heading(tab: Page) -> str:
    return tab.locator("#heading").inner_text()


def test_ten_complaints_are_reviewed_by_keyboard_and_read_by_prepare(tab: Page, tmp_path: Path) -> None:
    assert tab.title() != "run"  # a text with a script is a text
    shown = []
    for keys in (
        ["/", "f", "r", "a", "u", "Enter"],  # the model had no answer: search
        ["1"],
        ["2"],
        ["3"],
        ["x"],
        ["s"],
        ["/", "T", "A", "R", "J", "E", "T", "A", "_", "D", "E", "_", "c", "r", "e", "d", "i", "t", "o", "Enter"],
        ["/", *"Nueva  clase", "Enter"],
        ["/", *"atenci", "ArrowDown", "Enter"],
        ["x"],
        ["1"],
    ):
        shown.append(tab.locator("#text").inner_text())
        press(tab, *keys)
    body = downloaded(tab)

    assert [text.replace("\xa0", " ") for text in shown] == list(TEXTS[:11])
    rows = rows_of()
    labels = {
        0: "fraude", 1: LABELS[1], 2: LABELS[0], 3: LABELS[2], 4: NOT_A_COMPLAINT, 6: "tarjeta_de_crédito", 7: "Nueva clase",
        8: "=atención", 9: NOT_A_COMPLAINT, 10: LABELS[1],
    }  # fmt: skip
    # As the list that Publish writes beside it, with labels.
    expected = [list(REVIEW_COLUMNS), *([*rows[number].cells.values(), label] for number, label in labels.items())]
    written = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), delimiter=";", strict=True))
    assert written == [list(map(inert, cells)) for cells in expected]
    assert body.startswith(b"\xef\xbb\xbf")
    assert body.count(b"\r\n") == 11
    for environment in ("dev", "local"):
        table = read_table("review.csv", body, load_settings(environment).complaints.columns.model_dump())
        read = list(table.rows)
        assert [row.reason for row in read] == [None] * 10
        found = [tuple(active(row.values[table.columns[name]]) for name in ("complaint_id", "text", "label")) for row in read]
        assert found == [(rows[n].cells["complaint_id"], TEXTS[n], label) for n, label in labels.items()]
    path = tmp_path / "review.csv"
    path.write_bytes(body)
    reviewed = read_review(path, load_settings("local").complaints.columns.model_dump())
    assert (len(reviewed.labels), reviewed.not_complaints, reviewed.blank) == (8, 2, 0)


def test_undo_brings_the_complaint_back_and_forgets_its_answer(tab: Page) -> None:
    press(tab, "x", "1", "s", "2")
    assert heading(tab) == "Queja 5 de 12"
    press(tab, "u")
    assert heading(tab) == "Queja 4 de 12"
    press(tab, "u", "u", "3")
    rows = list(csv.DictReader(io.StringIO(downloaded(tab).decode("utf-8-sig"), newline=""), delimiter=";"))

    assert [(row["complaint_id"], row["label"]) for row in rows] == [("c-0", NOT_A_COMPLAINT), ("c-1", LABELS[0])]
    press(tab, "u", "u", "u", "u")
    assert heading(tab) == "Queja 1 de 12"
    assert tab.locator("#undo").is_disabled()
    assert tab.locator("#download").is_disabled()


def test_a_reload_keeps_the_progress_of_this_page_and_no_other(tab: Page, address: str, tmp_path: Path) -> None:
    press(tab, "x", "1", "s", "2")
    reload(tab)

    assert heading(tab) == "Queja 5 de 12"
    assert tab.locator("#count").inner_text() == "3 de 12 respondidas · omitidas: 1"
    press(tab, "u", "3")  # what was undone after the reload is what was done last before it
    rows = list(csv.DictReader(io.StringIO(downloaded(tab).decode("utf-8-sig"), newline=""), delimiter=";"))
    assert [row["label"] for row in rows] == [NOT_A_COMPLAINT, LABELS[1], LABELS[2]]
    # The run's page was written again with other contents: the same address, and no answer of the old page.
    (tmp_path / "review.html").write_text(html_of("es", labels=["otra"]), encoding="utf-8")
    reload(tab)
    assert heading(tab) == "Queja 1 de 12"
    assert tab.locator("#count").inner_text() == "0 de 12 respondidas"


def test_two_tabs_of_the_page_do_not_undo_each_others_answers(tab: Page, address: str) -> None:
    other = tab.context.new_page()
    other.goto(address)
    press(tab, "x")
    other.wait_for_function("document.getElementById('heading').textContent === 'Queja 2 de 12'")
    press(other, "1")
    tab.wait_for_function("document.getElementById('heading').textContent === 'Queja 3 de 12'")
    assert downloaded(tab).count(b"\r\n") == 3


@pytest.mark.parametrize(
    "stored", ['{"row": 0}', "no json", '[{"row": 99, "kind": "label", "label": "x"}]', '[{"row": 0, "kind": "label"}]']
)
def test_damaged_progress_is_left_out(tab: Page, stored: str) -> None:
    press(tab, "x")
    tab.evaluate("stored => Object.keys(localStorage).forEach(key => localStorage.setItem(key, stored))", stored)
    reload(tab)

    assert heading(tab) == "Queja 1 de 12"
    press(tab, "x")
    assert heading(tab) == "Queja 2 de 12"


def test_without_storage_the_page_works_and_says_that_it_keeps_nothing(browser: Browser, address: str) -> None:
    context = browser.new_context()
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})"
    )
    tab = context.new_page()
    try:
        tab.goto(address)
        assert "no guarda el avance" in tab.locator("#warning").inner_text()
        press(tab, "x", "1")
        assert downloaded(tab).count(b"\r\n") == 3
        assert tab.locator("#heading").inner_text() == "Queja 3 de 12"
    finally:
        context.close()


def test_skipped_complaints_come_again_at_the_end(tab: Page) -> None:
    press(tab, "s", *["x"] * 10, "s")
    assert tab.locator("#ended").is_visible()
    assert tab.locator("#summary").inner_text().startswith("Respondidas: 10. Omitidas: 2.")
    tab.get_by_role("button", name="Ver las omitidas").click()
    assert heading(tab) == "Queja 1 de 12"
    press(tab, "x")
    assert heading(tab) == "Queja 12 de 12"


def test_words_are_marked_and_search_ignores_case_and_accents(tab: Page) -> None:
    assert tab.locator("mark").count() == 0  # no answer, so nothing contributed
    press(tab, "x")
    assert tab.locator("mark").all_inner_texts() == ["me cobraron", "veces"]
    press(tab, "/")
    tab.keyboard.type("CREDÍ")
    assert tab.locator("#found button").all_inner_texts() == ["tarjeta_de_crédito", "Categoría nueva: CREDÍ"]
    press(tab, "Escape")
    assert tab.locator("#found button").count() == len(LABELS)
    tab.locator("summary").click()
    tab.get_by_label("Usar teclas de una letra o cifra").uncheck()
    press(tab, "x", "1", "s")
    assert heading(tab) == "Queja 2 de 12"
    reload(tab)
    press(tab, "x")
    assert heading(tab) == "Queja 2 de 12"


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(browser: Browser, language: str, scheme: Any, width: int) -> None:
    # The checker is put in past the page's policy, which forbids it too.
    context = browser.new_context(viewport={"width": width, "height": 740}, bypass_csp=True, color_scheme=scheme)
    tab = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    try:
        tab.set_content(html_of(language, total=5000))
        tab.add_script_tag(path=AXE)
        tab.locator("summary").click()
        for keys in (["x"], ["s"], ["/", "f"], ["Escape", *["x"] * 6], ["x"], ["x"] * 4):
            press(tab, *keys)
            assert tab.evaluate(RUN_AXE) == []
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            wide = (
                "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).length"
            )
            assert tab.evaluate(wide) == 0
        assert tab.locator("#ended").is_visible()
        assert (asked, errors) == ([], [])
    finally:
        context.close()


def test_the_policy_stops_what_the_page_does_not_bring_along(tab: Page) -> None:
    blocked: list[str] = []
    tab.on("console", lambda message: blocked.append(message.text))
    tab.evaluate(
        """() => { const s = document.createElement('script'); s.textContent = 'document.title = "run"'; document.body.append(s);
        const i = new Image(); i.src = 'https://example.com/x.png'; document.body.append(i); }"""
    )
    assert tab.title() != "run"
    assert len([text for text in blocked if "Content Security Policy" in text]) == 2


def test_the_data_block_cannot_end_its_element() -> None:
    html = html_of("en")
    [block] = re.findall(r'<script type="application/json" id=data>(.*?)</script>', html, re.DOTALL)

    assert not {"<", ">", "&", "\u2028", "\u2029"} & set(block)
    assert ["".join(row["parts"]) for row in json.loads(block)["rows"]] == list(TEXTS)

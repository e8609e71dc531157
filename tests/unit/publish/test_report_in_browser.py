"""The report in headless Chromium: nothing overflows at a desk or on a phone, axe finds nothing, and it prints on A4."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import pytest
from complaints_etl.publish.changes import EarlierRun
from complaints_etl.publish.report_page import Page, render
from complaints_etl.publish.statistics import RunStatistics

from tests.unit.publish.browser import AXE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

# Everything that sticks out, except inside what scrolls by itself; and what a column squeezed to a letter makes tall.
MEASURE = """() => ({
  title: document.querySelector('h1').getBoundingClientRect().height,
  width: innerWidth, scroll: document.documentElement.scrollWidth,
  late: [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll *, svg *') &&
    e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.tagName + ' ' + e.textContent.slice(0, 60)),
  tall: [...document.querySelectorAll('td, th')].filter(e => e.getBoundingClientRect().height > 170).map(e => e.textContent),
  broken: [...document.images].filter(i => !i.complete || !i.naturalWidth).length,
})"""
RUN_AXE = """() => axe.run(document).then(found => found.violations.map(
  v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 120)).join(' | ')))"""


def pages(page: Page) -> dict[str, Page]:
    """A run that classified, one whose files were all labelled, one of which nothing could be used, one with no model."""
    rows = {"read": 900, "accepted": 900, "rejected": 0, "duplicates": 0}
    nothing: dict[str, Any] = {"statistics": RunStatistics(), "audit": 0, "earlier": []}
    files = [{**file, "rows": rows} for file in page.report["files"]]
    labels = {"fraud": 500, "Cobros & comisiones <indebidos>": 400}
    split = {"train": 720, "validation": 90, "test": 90}
    labelled = {**page.report, "rows": rows, "files": files, "rejects": {}, "labelled": split, "labels": labels}
    lost = {"read": 20, "accepted": 0, "rejected": 20, "duplicates": 0}
    refused = {**page.report, "rows": lost, "languages": {}, "files": [{**page.report["files"][0], "rows": lost}]}
    return {
        "classified": page,
        "labelled": dataclasses.replace(page, report=labelled, **nothing),
        "nothing": dataclasses.replace(page, report=refused, evaluation=None, model_version="none", **nothing),
    }


def look(browser: Browser, html: str, width: int) -> dict[str, Any]:
    """What the page looks like in a window of this width, as it is served: no script of its own may run."""
    # The checker is put in past the page's policy, which forbids it too.
    context = browser.new_context(viewport={"width": width, "height": 900}, bypass_csp=True)
    try:
        tab = context.new_page()
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.set_content(html)
        found: dict[str, Any] = tab.evaluate(MEASURE)
        tab.add_script_tag(path=AXE)
        return {**found, "violations": tab.evaluate(RUN_AXE), "asked": asked}
    finally:
        context.close()


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("kind", ["classified", "labelled", "nothing"])
def test_nothing_overflows_and_axe_finds_nothing(browser: Browser, page: Page, kind: str, language: str) -> None:
    html = render(dataclasses.replace(pages(page)[kind], language=language))
    for width in (1280, 360):
        found = look(browser, html, width)

        assert found["title"] > 20  # there is a font: text without one overflows nowhere
        assert found["width"] == width
        assert found["scroll"] <= width
        assert found["late"] == []
        assert found["tall"] == []
        assert found["broken"] == 0
        assert found["violations"] == []
        assert found["asked"] == []


def test_the_measurement_sees_an_overflow_and_an_inaccessible_image(browser: Browser, page: Page) -> None:
    bad = render(page).replace("<h2", '<img src="data:image/png;base64,AAAA"><div style="width:700px">x</div><h2', 1)
    found = look(browser, bad, 390)

    assert found["scroll"] > 390
    assert found["late"]
    assert found["broken"] == 1
    assert any(violation.startswith("image-alt") for violation in found["violations"])


def test_a_hostile_label_or_name_runs_nothing(browser: Browser, page: Page, evaluation: dict[str, Any]) -> None:
    """Even if markup came through, the page's policy would stop its script; here neither the one nor the other is needed."""
    hostile = '"><img src=x onerror="document.title=\'run\'"><script>document.title="run"</script>'
    file = {**page.report["files"][0], "key": f"a{hostile}.csv"}
    category = next(iter(page.statistics.categories.values()))
    evil = dataclasses.replace(
        page,
        report={**page.report, "files": [file], "rejects": {hostile: 3}, "labels": {hostile: 3}, "languages": {hostile: 1}},
        statistics=dataclasses.replace(page.statistics, categories={hostile: category}, languages={hostile: 3}),
        evaluation={**evaluation, "candidate": {**evaluation["candidate"], "per_label": {
            hostile: {"precision": 0.1, "recall": 0.1, "f1": 0.1, "support": 100}}, "confusion": {hostile: {hostile: 100}}}},
        earlier=[EarlierRun(run_id=page.run_id, categories={hostile: 3})],
        files={"export": [f"exports/{hostile}.csv"]},
        exports=[],
    )  # fmt: skip
    # Without the policy, so that only the escaping is between the names and the page.
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", render(evil))
    tab = browser.new_page()
    try:
        tab.set_content(html, wait_until="load")
        assert tab.title() != "run"
        assert tab.locator("script, img").count() == 0
        assert hostile in tab.locator("main").inner_text()
    finally:
        tab.close()


@pytest.mark.parametrize("kind", ["classified", "labelled", "nothing"])
def test_it_prints_on_a_few_pages_of_a4(browser: Browser, page: Page, kind: str) -> None:
    tab = browser.new_page()
    try:
        tab.set_content(render(pages(page)[kind]))
        pdf = tab.pdf(prefer_css_page_size=True, print_background=False)
    finally:
        tab.close()

    found = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", pdf)
    assert 1 <= len(found) <= 8
    assert {(round(float(width)), round(float(height))) for width, height in found} == {(595, 842)}

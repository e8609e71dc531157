"""The report in headless Chromium: nothing overflows at a desk or on a phone, axe finds nothing, and it prints on A4."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest
from complaints_etl.report import Page, render

pytestmark = pytest.mark.slow

NODE = Path(__file__).parent / "node"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Runs inside the page that is tested: everything that sticks out, except inside what scrolls by itself.
MEASURE = """
const late = [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll *, svg *') &&
  e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.tagName + ' ' + e.textContent.slice(0, 60));
axe.run(document).then(found => parent.postMessage({
  width: innerWidth, scroll: document.documentElement.scrollWidth, late,
  tall: [...document.querySelectorAll('td, th')].filter(e => e.getBoundingClientRect().height > 170).map(e => e.textContent),
  broken: [...document.images].filter(i => !i.complete || !i.naturalWidth).length,
  violations: found.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 120)).join(' | '))}, '*'));
"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser on the PATH ({', '.join(BROWSERS)}): what a page looks like cannot be measured")
    return found


@pytest.fixture(scope="module")
def axe() -> str:
    script = NODE / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=NODE, check=True, timeout=120)
    return script.read_text(encoding="utf-8")


def _run(browser: str, *arguments: str) -> str:
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=os.environ).stdout


def _measure(browser: str, axe: str, html: str, width: int, folder: Path) -> dict[str, Any]:
    """A window cannot be as narrow as a phone, a frame can: the page is laid out inside one."""
    # The policy that forbids scripts is what a reader gets; here it would forbid the checker too.
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    page = page.replace("</body>", f"<script>{axe}</script><script>{MEASURE}</script></body>")
    outer = folder / f"frame{width}.html"
    outer.write_text(
        "<!doctype html><script>addEventListener('message', e => {const out = document.createElement('pre');"
        "out.id = 'found'; out.textContent = JSON.stringify(e.data); document.body.append(out)})</script>"
        f'<body style="margin:0"><iframe style="border:0;height:900px;width:{width}px" srcdoc="{escape(page)}"></iframe></body>',
        encoding="utf-8",
    )
    dom = _run(browser, "--window-size=1400,1000", "--virtual-time-budget=20000", "--dump-dom", outer.as_uri())
    found = re.search(r'<pre id="found">(.*?)</pre>', dom, re.DOTALL)
    assert found, "the page did not answer"
    answer: dict[str, Any] = json.loads(unescape(found.group(1)))
    return answer


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_overflows_and_axe_finds_nothing(
    browser: str, axe: str, page: Page, tmp_path: Path, *, width: int, language: str
) -> None:
    found = _measure(browser, axe, render(dataclasses.replace(page, language=language)), width, tmp_path)

    assert found["width"] == width
    assert found["scroll"] <= width
    assert found["late"] == []
    assert found["tall"] == []  # a column squeezed to a letter does not overflow, and cannot be read
    assert found["broken"] == 0
    assert found["violations"] == []


def test_the_measurement_sees_an_overflow_and_an_inaccessible_image(
    browser: str, axe: str, page: Page, tmp_path: Path
) -> None:
    bad = render(page).replace("<h2>", '<img src="none.png"><div style="width:700px">x</div><h2>', 1)
    found = _measure(browser, axe, bad, 390, tmp_path)

    assert found["scroll"] > 390
    assert found["broken"] == 1
    assert any(violation.startswith("image-alt") for violation in found["violations"])


def test_it_prints_on_a_few_pages_of_a4(browser: str, page: Page, tmp_path: Path) -> None:
    source, target = tmp_path / "report.html", tmp_path / "report.pdf"
    source.write_text(render(page), encoding="utf-8")

    _run(browser, "--no-pdf-header-footer", f"--print-to-pdf={target}", source.as_uri())

    pdf = target.read_bytes()
    pages = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", pdf)
    assert 2 <= len(pages) <= 8
    assert {(round(float(width)), round(float(height))) for width, height in pages} == {(595, 842)}

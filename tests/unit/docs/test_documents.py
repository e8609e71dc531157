"""The documentation: complete, up to date with the code, without dead links, and loaded from no other host."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(DOCS.rglob("*.md"))]
CODE = (
    "stacks",
    "lambdas",
    "glue_jobs",
    "training",
    "ptmlops",
    "ptmlops_contracts",
    "local_aws",
    "benchmarks",
    "tests",
    "docs",
)
# A path in backticks: it begins with a folder of the repository, and holds no placeholder.
NAMED_PATH = re.compile(rf"`((?:{'|'.join((*CODE, 'environments', 'examples'))})/[\w./-]*)`")


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a dead link, a missing anchor or a page outside of the navigation fails here."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.mark.slow
def test_generated_parts_are_what_the_code_says(generate: ModuleType) -> None:
    """A setting, a reason code or a report field that is not documented fails here: run `python docs/generate.py`."""
    outdated = [path.name for path, text in generate.pages() if text != path.read_text(encoding="utf-8")]
    assert outdated == []


def test_every_generated_part_is_on_a_page(generate: ModuleType) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md"))
    assert set(re.findall(r"<!-- generated: ([\w-]+) -->", text)) == set(generate.GENERATORS)


def test_every_code_and_every_field_has_a_meaning(generate: ModuleType) -> None:
    obvious = {"run_id", "bucket", "version_id", "source_version", "version", "decision", "reasons", "state", "error"}
    for part in ("reason-codes", "flags", "record-statuses", "export-statuses", "run-statuses"):
        assert all(meaning for _, meaning in _cells(generate.GENERATORS[part]()))
    for part in ("report-fields", "run-fields", "published-fields"):
        for field, _, meaning in _cells(generate.GENERATORS[part]()):
            assert meaning or field.strip("`").split(".")[-1] in obvious, f"{part}: {field}"


def _cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_every_command_is_documented() -> None:
    from ptmlops.main import app

    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    assert [name for name in _commands(get_command(app)) if f"ptmlops {name}" not in text] == []


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name))


@pytest.mark.slow
def test_the_site_loads_nothing_from_another_host(site: Path) -> None:
    foreign = re.compile(r"""(?:<script[^>]+src|<link[^>]+rel="stylesheet"[^>]+href|<img[^>]+src)=["']?(?:https?:)?//""")
    assert [page.name for page in site.rglob("*.html") if foreign.search(page.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_and_folder_that_a_page_names_exists(page: Path) -> None:
    named = set(NAMED_PATH.findall(page.read_text(encoding="utf-8")))
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_every_page_that_code_refers_to_exists() -> None:
    sources = [path for folder in CODE for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts]
    named = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in [*sources, *(ROOT / "environments").glob("*.toml"), ROOT / "Makefile"]
        for name in re.findall(r"\bdocs/[\w/.-]+\.(?:md|json)\b", path.read_text(encoding="utf-8"))
    }
    assert sorted(pair for pair in named if not (ROOT / pair[1]).is_file()) == []


def test_links_of_pages_outside_of_the_site_lead_somewhere() -> None:
    for page in PAGES[:3]:
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert link.startswith("https://") or (ROOT / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize("path", sorted((DOCS / "measurements").glob("*.json")), ids=lambda path: path.stem)
def test_a_measurement_says_when_where_and_how_and_is_on_a_page(path: Path) -> None:
    measured = json.loads(path.read_text(encoding="utf-8"))["measured"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", measured["date"])
    assert measured["machine"]
    assert measured["command"]
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    assert f"measurements/{path.name}" in pages


def test_every_decision_is_in_the_list_of_decisions() -> None:
    text = (DOCS / "decisions" / "index.md").read_text(encoding="utf-8")
    pages = {path.name for path in (DOCS / "decisions").glob("0*.md")}
    assert {name for name in pages if f"({name})" not in text} == set()


def test_every_control_names_a_test_that_exists() -> None:
    page = (DOCS / "explanation" / "security.md").read_text(encoding="utf-8")
    controls = [row for row in page.splitlines() if re.match(r"\| [STRIDE]: ", row)]
    named = set(re.findall(r"`(test_\w+)`", page))
    assert all("`test_" in row.rsplit("|", 2)[1] for row in controls)
    defined = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(controls) >= 25
    assert sorted(name for name in named if f"def {name}(" not in defined) == []

"""The lexicon is data: a word is added in one line of one file, and mistakes are reported."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import complaints_etl
import pytest
from complaints_etl.lexicon import LEXICON

# Prints what redaction makes of each text, and of a cell of a column with the name of the last argument.
SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from complaints_etl.redaction import redact, redact_value
texts, column = json.loads(sys.argv[2]), sys.argv[3]
print(json.dumps([*(redact(text, alone=False)[0] for text in texts), redact_value(column, "52123456")]))
"""
TEXTS = (
    "mi zarandaja es 52.123.456",  # the rule: right behind the word
    "la zarandaja que les mandé ayer, 52123456",  # the rule: some words behind it
    "Me pidieron la zarandaja. Y el número que les di fue 52.123.456 en total",  # the context: in another sentence
    "zarandaja52123456",  # typed without a space
    "mi zarandaja es cinco dos uno dos tres cuatro",  # spelled out
)


def redacted_with(
    folder: Path, word: str, *, beside: str = '  "cédula",\n', texts: tuple[str, ...] = TEXTS, column: str = "Zarandaja"
) -> list[str]:
    """Redact texts in an interpreter of its own, with a copy of the package, read from an archive as Glue does.

    The copy's lexicon has the word right behind the entry `beside`.
    """
    package = folder / "package"
    shutil.copytree(
        Path(complaints_etl.__file__).parent, package / "complaints_etl", ignore=shutil.ignore_patterns("__pycache__")
    )
    file = package / "complaints_etl" / "lexicon" / "es.toml"
    written = file.read_text(encoding="utf-8")
    file.write_text(written.replace(beside, f'{beside}  "{word}",\n', 1), encoding="utf-8")
    archive = shutil.make_archive(str(folder / "library"), "zip", package)
    command = [sys.executable, "-c", SCRIPT, archive, json.dumps(texts), column]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_a_synonym_is_one_line_and_reaches_rules_context_and_column_names(tmp_path: Path) -> None:
    assert redacted_with(tmp_path, "zarandaja") == [
        "mi zarandaja es <ID_NUMBER>",
        "la zarandaja que les mandé ayer, <ID_NUMBER>",
        "Me pidieron la zarandaja. Y el número que les di fue <ID_NUMBER> en total",
        "zarandaja <ID_NUMBER>",
        "mi zarandaja es <ID_NUMBER>",
        "<ID_NUMBER>",
    ]


def test_a_synonym_of_a_word_before_names_reaches_the_rule_and_an_archive_has_the_tagger(tmp_path: Path) -> None:
    texts = ("zarandaja: Nubia Guarnizo. Plazos: los de ley.", "hablé con Nubia Guarnizo")
    with_the_line = redacted_with(tmp_path / "with", "zarandaja", beside='  "me llamo",', texts=texts, column="asesor")
    assert with_the_line == ["zarandaja: <NAME>. Plazos: los de ley.", "hablé con <NAME>", "52123456"]


def test_without_the_line_the_word_is_unknown(tmp_path: Path) -> None:
    *texts, cell = redacted_with(tmp_path, "otra palabra")
    assert texts == list(TEXTS)
    assert cell == "52123456"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("cosa|cosas", "write 'cosa|cosas' as several entries"),
        ("(?:una )?cosa", "must begin with two letters or digits"),
        ("cosa(", "is not a regular expression"),
    ],
)
def test_a_word_that_cannot_be_looked_for_is_refused(tmp_path: Path, word: str, message: str) -> None:
    with pytest.raises(AssertionError, match="ValueError") as error:
        redacted_with(tmp_path, word)
    assert "es.toml [identity] words: " in str(error.value)
    assert message in str(error.value)


def test_an_accent_may_be_missing_in_a_text() -> None:
    assert "c[eé]dula" in LEXICON.terms("identity", "near")


def test_months_and_weekdays_of_both_languages_have_numbers() -> None:
    assert {LEXICON.months[name] for name in ("enero", "ene", "january", "jan")} == {1}
    assert LEXICON.months["setiembre"] == LEXICON.months["september"] == 9
    assert LEXICON.weekdays["miercoles"] == LEXICON.weekdays["wednesday"] == 2

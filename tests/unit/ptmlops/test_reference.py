"""The command line's reference page and help: generated, complete, with an example per command."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable

import pytest
import typer
from typer.testing import CliRunner

from ptmlops import reference
from ptmlops.main import COMMANDS, EXAMPLES, REVIEW, app
from ptmlops.options import with_common_options
from ptmlops_contracts.files import ARCHIVE_ENDINGS, WORKBOOK_ENDINGS

ALL: dict[str, Callable[..., None]] = {
    **{name: command for commands in COMMANDS.values() for name, command in commands.items()},
    **{f"review {name}": command for name, command in REVIEW.items()},
}


def test_the_page_is_what_the_commands_say_now() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run python -m ptmlops.reference"


@pytest.mark.parametrize("name", ALL)
def test_every_command_and_option_is_documented(name: str) -> None:
    page = reference.page()
    assert f"### ptmlops {name}\n" in page
    section = page.partition(f"### ptmlops {name}\n")[2].partition("\n### ")[0]
    for parameter in inspect.signature(with_common_options(ALL[name]), eval_str=True).parameters.values():
        (about,) = parameter.annotation.__metadata__
        assert about.help
        assert f"| {about.help.rstrip('.')}." in section


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_examples_that_its_parser_accepts(name: str) -> None:
    examples = inspect.cleandoc(ALL[name].__doc__ or "").partition(EXAMPLES)[2].splitlines()
    assert examples
    shown = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "100"}).stdout
    group = typer.main.get_command(app)
    for example in examples:
        assert example.strip() in shown
        words = shlex.split(example)
        if words[0] != "ptmlops":  # eval "$(ptmlops up)"
            continue
        assert " ".join(words[1:]).startswith(name)
        context = group
        for word in name.split():
            context = context.commands[word]  # type: ignore[attr-defined]
        context.make_context(name, words[1 + len(name.split()) :])


@pytest.mark.parametrize("name", ALL)
def test_every_command_that_reports_something_has_json(name: str) -> None:
    assert "as_json" in inspect.signature(with_common_options(ALL[name])).parameters


@pytest.mark.parametrize("command", ["drop", "run"])
def test_the_help_of_uploads_lists_every_format(command: str) -> None:
    shown = " ".join(CliRunner().invoke(app, [command, "--help"]).stdout.split())
    for form in (
        "CSV, TSV, JSON Lines, a JSON list of objects or text",
        ".gz",
        *WORKBOOK_ENDINGS,
        ARCHIVE_ENDINGS[0][1:] + " archive",
    ):
        assert form in shown

"""Print the output of `ptmlops demo`: its plan at the start, the results and the next step at the end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ptmlops.terminal import console, print_file
from ptmlops_contracts.keys import OutputKeys


def show_plan(labelled: int, unlabelled: int, folder: Path) -> None:
    """Print the steps of the demo and how long it usually takes."""
    steps = Table.grid(padding=(0, 1))
    for number, step in enumerate(
        (
            f"make {labelled:,} labelled and {unlabelled:,} unlabelled complaints",
            "start a local AWS and deploy the application to it",
            "run the labelled complaints: prepare them, train and evaluate a model",
            "run the unlabelled complaints: classify them with that model",
            "show the results",
        ),
        start=1,
    ):
        steps.add_row(f"  {number}.", step)
    console().print("PTMLops demo: the whole pipeline on this machine, without an AWS account.")
    console().print(steps)
    console().print(f"It usually takes 1 to 3 minutes. Everything is written to {folder}/.", markup=False)
    console().print("Ctrl-C ends the demo and everything that it started.\n")


def show_outcome(document: dict[str, Any], files: Sequence[Path], seconds: float) -> None:
    """Print the results of the last run, where its files are, and the command that classifies a file of the user."""
    import pyarrow.dataset as ds

    from ptmlops.views.results import show_results

    out = Console(highlight=False)
    out.print()
    show_results(document, ds.dataset([str(path) for path in files if path.suffix == ".parquet"]).to_table())
    model = document["model"]
    out.print(f"Model version {model['version']}: macro-F1 {model['macro_f1']:.3f} on held-out complaints")
    out.print("\nFiles")
    run = OutputKeys(document["run_id"])
    for title, part in (
        ("report", run.report_page), ("predictions", run.predictions), ("spreadsheet", run.exports),
        ("to review", run.review_folder), ("rejected", run.rejected_folder),
    ):  # fmt: skip
        for path in files:
            if part in path.as_posix():
                print_file(path.parent if path.suffix == ".parquet" else path, title)
    out.print(f"\nThe demo took {seconds:.0f} s. Its local AWS has ended; the files stay.")
    out.print("\nNext, try a file of your own with a column of texts and a column of labels:")
    print_file(f"{_program()} try --labelled YOUR_FILE.csv --out results")
    out.print("\nOr start a local AWS that stays, and upload files to it:")
    print_file(f"{_program()} up")
    print_file(f"{_program()} drop YOUR_FILE.csv --local --wait")


def _program() -> str:
    """Return what to type to run ptmlops from this folder; `make demo` runs it from an environment that is not activated."""
    program = Path(sys.executable).with_name("ptmlops")
    return str(program.relative_to(Path.cwd())) if program.is_relative_to(Path.cwd()) else "ptmlops"

"""Made-up complaints: `generate` writes a file of them, `demo` runs the whole pipeline on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ptmlops.errors import RUN_FAILED, OperatorError, report_errors
from ptmlops.options import LOCAL_ENVIRONMENT, AsJson, Overwrite
from ptmlops.terminal import console, print_json
from ptmlops_contracts.words import quantity


@report_errors()
def demo(
    rows: Annotated[int, typer.Option(min=1, help="How many labelled complaints to make.")] = 3000,
    to_score: Annotated[int, typer.Option(min=1, help="How many unlabelled complaints to make.")] = 1000,
    out: Annotated[Path, typer.Option(help="A folder for the complaints and the results.")] = Path("demo"),
    as_json: AsJson = False,
) -> None:
    """Run the whole pipeline on made-up complaints.

    The command needs no AWS account and takes 1 to 3 minutes. Its local AWS ends with it.

    Examples:
        ptmlops demo
        ptmlops demo --rows 20000 --out big-demo
    """
    import time

    from ptmlops.output_paths import RUN_FOLDERS, check_output_file, check_output_folder
    from ptmlops.views.demo import show_outcome, show_plan

    labelled, unlabelled, results = out / "in" / "labelled.csv", out / "in" / "unlabelled.csv", out / "out"
    check_output_folder(out)
    check_output_folder(results, RUN_FOLDERS)
    for made in (labelled, unlabelled):
        check_output_file(made, overwrite=True)  # a demo may be repeated
    started = time.monotonic()
    if not as_json:
        show_plan(rows, to_score, out)  # before the imports below, which take a second
    from ptmlops import file_runs, generator
    from ptmlops_contracts.keys import OutputKeys

    generator.write_csv(labelled, rows, seed=7, broken=6)
    generator.write_csv(unlabelled, to_score, labelled=False, seed=8, broken=4)
    ended = file_runs.run_locally([labelled, unlabelled], results, LOCAL_ENVIRONMENT, quiet=as_json)
    if not all(one.succeeded for one in ended):
        raise typer.Exit(RUN_FAILED)
    last = ended[-1]
    run = OutputKeys(last.run_id)
    folders = [results / folder for folder in (run.predictions, *run.rewritten_folders)]
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    seconds = time.monotonic() - started
    if as_json:
        documents = [one.document for one in ended]
        print_json({"runs": documents, "files": [str(path) for path in files], "seconds": round(seconds, 1)})
    else:
        show_outcome(last.document, files, seconds)


@report_errors()
def generate(
    out: Annotated[Path, typer.Option(help="The CSV file to write.", show_default=False)],
    rows: Annotated[int, typer.Option(min=1, help="How many complaints to make.")] = 1000,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Leave the label column out.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed makes the same file.")] = 7,
    characters: Annotated[int | None, typer.Option(min=100, help="The approximate length of a text.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write a file of made-up complaints, in Spanish and English.

    Examples:
        ptmlops generate --out labelled.csv --rows 3000
        ptmlops generate --out new.csv --unlabelled --seed 8
    """
    from ptmlops import generator
    from ptmlops.output_paths import check_output_file
    from ptmlops_contracts.files import file_ending

    if out.suffix == ".gz" or file_ending(out.name) not in (".csv", ".txt", None):
        raise OperatorError(f"{out} does not end in .csv, and a CSV file is written: choose another --out")
    check_output_file(out, overwrite=overwrite)
    generator.write_csv(out, rows, labelled=not unlabelled, seed=seed, characters=characters)
    if as_json:
        print_json({"file": str(out), "rows": rows, "labelled": not unlabelled})
    else:
        console().print(f"{quantity(rows, 'complaint')} in {out}", markup=False)

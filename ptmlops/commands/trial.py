"""`try`: how well the product works on a person's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ptmlops.errors import report_errors
from ptmlops.options import (
    LOCAL_ENVIRONMENT,
    AsJson,
    DateColumn,
    EnvironmentName,
    IdColumn,
    LabelColumn,
    TextColumn,
    named_columns,
)
from ptmlops.terminal import print_file, print_json, step
from ptmlops_contracts.columns import NAMED_COLUMNS


@report_errors()
def try_(
    labelled: Annotated[Path, typer.Option(help="Labelled complaints, to train on.", show_default=False)],
    out: Annotated[Path, typer.Option(help="A folder for the results.", show_default=False)],
    score: Annotated[Path | None, typer.Option(help="Complaints to classify; labels in it are ignored.")] = None,
    text: TextColumn = None,
    label: LabelColumn = None,
    id_: IdColumn = None,
    date: DateColumn = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier trial's results in the folder.")] = False,
    as_json: AsJson = False,
    environment: EnvironmentName = None,
) -> None:
    """Evaluate the pipeline on your files, in a minute or two.

    The command needs no AWS account. It evaluates a model as a run does, then trains on all labelled rows and classifies the file of --score.
    Its predictions.csv repeats the rows of that file, not redacted. --text, --id and --date name columns of both files.

    Examples:
        ptmlops try --labelled labelled.csv --out results
        ptmlops try --labelled labelled.csv --score new.csv --out results
        ptmlops try --labelled survey.csv --text "What happened?" --out results
    """
    from ptmlops import uploads
    from ptmlops.extras import require_extra

    require_extra("jobs", "ptmlops try")
    named = named_columns(text=text, label=label, id_=id_, date=date)
    for path in filter(None, (labelled, score)):  # one by one: in two folders they may have the same name
        uploads.check_files([path])
    from ptmlops.trial import flow
    from ptmlops.views.trial import show_trial
    from stacks.config import Training, load_settings

    settings = load_settings(environment or LOCAL_ENVIRONMENT)
    target_source = f"as in environments/{settings.name}.toml"
    if not environment:
        # Generated complaints are easy, so environments/local.toml asks for more precision than suits real ones.
        precision = Training.model_fields["target_precision"].default
        target_source = f"the default; environments/{settings.name}.toml has {settings.training.target_precision:g}"
        training = settings.training.model_copy(update={"target_precision": precision})
        settings = settings.model_copy(update={"training": training})
    columns = {NAMED_COLUMNS[option]: name for option, name in named.items()}
    trial = flow.run(labelled, score, out, settings, step, overwrite=overwrite, named=columns)
    if as_json:
        print_json({**trial.document, "files": [str(path) for path in trial.files]})
        return
    show_trial(trial.document, target_source=target_source)
    for path in trial.files:
        print_file(path)

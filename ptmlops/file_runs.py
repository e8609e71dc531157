"""Run files through the pipeline one after another, and fetch what the runs wrote."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ptmlops import runs, uploads
from ptmlops.extras import require_extra
from ptmlops.output_paths import writing
from ptmlops.target import Target
from ptmlops.terminal import console, progress
from ptmlops.views.run_progress import EndedRun, follow_run


def run_locally(
    files: Sequence[Path],
    out: Path,
    environment: str,
    *,
    columns: Mapping[str, str] = uploads.NOTHING_NAMED,
    quiet: bool = False,
) -> list[EndedRun]:
    """Run the files on a local AWS that is started for them and ended afterwards. `columns` as for `uploads.upload`."""
    require_extra("local", "local AWS")
    from local_aws import LocalAws

    with (
        tempfile.TemporaryDirectory(prefix="ptmlops-", ignore_cleanup_errors=True) as scratch,
        LocalAws.start(Path(scratch), environment=environment) as aws,
    ):
        with progress("local AWS") as report:
            aws.deploy(environment=environment, on_progress=report)
        return run_in_order(Target.local(aws, environment, ends_with_command=True), files, out, columns=columns, quiet=quiet)


def run_in_order(
    target: Target, files: Sequence[Path], out: Path, *, columns: Mapping[str, str] = uploads.NOTHING_NAMED, quiet: bool
) -> list[EndedRun]:
    """Upload a file once the run of the file before has ended; stop at the first run that fails. Copy the output to `out`.

    `columns` as for `uploads.upload`.
    """
    ended: list[EndedRun] = []
    for path in files:
        uploaded = uploads.upload_with_progress(target, path, columns)
        if not quiet:
            console().print(f"Uploaded {path.name} ({path.stat().st_size:,} bytes)", markup=False)
        ended.append(follow_run(target, uploads.wait_for_run(target, uploaded), quiet=quiet))
        if not ended[-1].succeeded:
            break
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    runs.copy_output(target, out)
    return ended

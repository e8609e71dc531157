"""Cache the synthesized app until one of its inputs changes: synthesis takes half of a deployment's time.

    python -m local_aws.assembly [ENVIRONMENT]

`make install` calls it, so that the first deployment finds the assembly. A deployment calls `find_or_synthesize`.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from local_aws.paths import ROOT, clean_environment

KEPT = ROOT / "build" / "assembly"
UNUSED_SECONDS = 24 * 3600
# Everything that app.py reads. Wheels count by name: it contains the version, and synthesis checks the hash.
INPUTS = (
    "app.py", "cdk.json", "requirements.lock", "stacks", "environments", "glue_jobs", "lambdas", "training", "ptmlops_contracts",
)  # fmt: skip
WHEELS = "build/wheels"

Synthesize = Callable[[Path], None]


def fingerprint(environment: str, root: Path = ROOT) -> str:
    """Return a hash of all inputs of an environment's assembly."""
    digest = hashlib.sha256(f"{environment} {sys.version}".encode())
    for path in _files(root):
        content = b"" if path.suffix == ".whl" else path.read_bytes()
        digest.update(f"\0{path.relative_to(root).as_posix()} {len(content)}\0".encode() + content)
    return digest.hexdigest()[:20]


def _files(root: Path) -> Iterator[Path]:
    for name in INPUTS:
        path = root / name
        if path.is_file():
            yield path
        else:
            yield from sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    yield from sorted((root / WHEELS).glob("*.whl"))


def find_or_synthesize(environment: str, synthesize: Synthesize, *, kept: Path = KEPT, root: Path = ROOT) -> Path:
    """Return the assembly of an environment. Synthesize it unless the cache has one of the current inputs.

    Args:
        environment: A file of environments/, without .toml.
        synthesize: Writes the assembly into the folder that it is called with.
        kept: Where assemblies are kept.
        root: The checkout.
    """
    assembly = kept / f"{environment}-{fingerprint(environment, root)}"
    if not assembly.is_dir():
        kept.mkdir(parents=True, exist_ok=True)
        # Two deployments may synthesize at the same time, so an assembly gets its final name when it is finished.
        unfinished = kept / f"part-{uuid.uuid4().hex}"
        try:
            synthesize(unfinished)
            if not assembly.is_dir():
                unfinished.rename(assembly)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    assembly.touch()  # its time of last use
    for other in kept.iterdir():
        if time.time() - other.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(other, ignore_errors=True)
    return assembly


def main() -> None:
    """Synthesize for local AWS, if that has not been done."""
    environment = sys.argv[1] if len(sys.argv) > 1 else "local"

    def synthesize(folder: Path) -> None:
        variables = {**clean_environment("us-east-1"), "CDK_OUTDIR": str(folder), "PTMLOPS_ENVIRONMENT": environment}
        subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=variables, check=True, capture_output=True)

    find_or_synthesize(environment, synthesize)


if __name__ == "__main__":
    main()

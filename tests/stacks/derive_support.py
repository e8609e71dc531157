"""Derive supported.json, the regions and instance types that the app supports, from three packages that carry AWS's own data.

    python tests/stacks/derive_support.py    # writes stacks/components/supported.json

- sagemaker-core: the regions that have the jobs' scikit-learn image;
- cfn-lint: the resource types that CloudFormation can create in a region;
- botocore: the instance types that SageMaker's API knows, and the regions of QuickSight.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "stacks" / "components" / "supported.json"
PACKAGES = ("sagemaker-core", "cfn-lint", "botocore")
# x86, because the image is; without local disks, for which SageMaker refuses a customer-managed key.
INSTANCE = re.compile(r"ml\.[cmrt]\d(i|n|in)?\.")
API_SHAPES = {
    "training": "TrainingInstanceType",
    "processing": "ProcessingInstanceType",
    "transform": "TransformInstanceType",
}
# The isolated partitions have no public record of what their services can do.
ISOLATED = "isolated partition: what its services support is not public"


def derive(resource_types: set[str]) -> dict[str, Any]:
    """Return regions, refused regions and instance types.

    Args:
        resource_types: every type in the templates, QuickSight's included.
    """
    import botocore.session

    session = botocore.session.get_session()
    quicksight_regions = {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("quicksight", partition)
    }
    regions, refused = dict[str, dict[str, bool]](), dict[str, str]()
    for region in image_regions():
        missing = {kind for kind in resource_types - creatable(region) if not kind.startswith("Custom::")}
        base = sorted(kind for kind in missing if not kind.startswith("AWS::QuickSight::"))
        if "-iso" in region:
            refused[region] = ISOLATED
        elif base:
            refused[region] = f"CloudFormation cannot create {', '.join(base)} there"
        else:
            regions[region] = {"quicksight": not missing and region in quicksight_regions}
    model = session.get_service_model("sagemaker")
    instances = {
        use: sorted(name for name in model.shape_for(shape).enum if INSTANCE.match(name)) for use, shape in API_SHAPES.items()
    }
    return {"regions": regions, "refused_regions": refused, "instances": instances}


def image_regions() -> list[str]:
    """Return the regions that have the jobs' image."""
    import sagemaker.core.image_uris as module

    from stacks.components.job_roles import SKLEARN_VERSION

    [path] = Path(module.__file__).parent.rglob("sklearn.json")
    table = json.loads(path.read_text(encoding="utf-8"))
    return sorted(table["training"]["versions"][SKLEARN_VERSION]["registries"])


def creatable(region: str) -> set[str]:
    """Return the resource types of CloudFormation's registry in a region."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    return set(PROVIDER_SCHEMA_MANAGER.get_resource_types(region))


def synthesized_types() -> set[str]:
    """Return the resource types of an environment that uses everything."""
    from app import PtmlopsApp
    from stacks.config import Settings

    everything = {
        "name": "everything",
        "environment": {"disposable": True, "account": "123456789012"},
        "compute": {"numba": "off", "bundle_powertools": False},
        "analytics": {"quicksight_principal": "arn:aws:quicksight:us-east-1:123456789012:group/default/care"},
        "delivery": {"repository": "bank/ptmlops"},
    }
    with tempfile.TemporaryDirectory() as folder:
        stacks = PtmlopsApp(chosen=Settings.model_validate(everything), outdir=folder).synth().stacks
        return {body["Type"] for stack in stacks for body in stack.template["Resources"].values()}


def main() -> int:
    """Write the file; return the exit status."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    types = synthesized_types()
    tables = {
        "sources": {package: version(package) for package in PACKAGES},
        "read_on": datetime.now(UTC).date().isoformat(),
        **derive(types),
    }
    FILE.write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT)]
    sys.exit(main())

"""Write the generated parts of the documentation: `python docs/generate.py [--check]`.

A page marks a generated part with two comments and keeps its own prose around them:

    <!-- generated: settings -->
    ...
    <!-- end -->

What stands between them comes from the code (settings, codes, report fields, catalog tables) or from docs/measurements/*.json.
With `--check` nothing is written, and a page that is not up to date is an error.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import metadata, version
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from annotated_types import Ge, Gt, Interval, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path[:0] = [str(ROOT), str(DOCS)]

import measurement_tables  # noqa: E402 - found through the path above
import reliability_tables  # noqa: E402 - as above
from measurement_tables import measurement, table  # noqa: E402 - as above

from local_aws.conformance import KINDS, OPERATIONS, cases  # noqa: E402 - found through the path above
from local_aws.validation import problems  # noqa: E402 - as above
from ptmlops.erasure.places import BUCKETS, PLACES  # noqa: E402
from ptmlops_contracts import report, review, run  # noqa: E402 - found through the path above
from ptmlops_contracts.codes import Code  # noqa: E402
from ptmlops_contracts.estimate import Workload, estimate  # noqa: E402
from ptmlops_contracts.metrics import Metric  # noqa: E402
from ptmlops_contracts.run import Part  # noqa: E402
from stacks.components import code_assets, endpoints, idle_costs, supported  # noqa: E402
from stacks.components.catalog import PREDICTIONS, RUNS  # noqa: E402
from stacks.components.prices import ALTERNATIVES, IDLE, RegionPrices, priced_regions  # noqa: E402
from stacks.components.run_prices import run_prices  # noqa: E402
from stacks.config import Settings, load_settings  # noqa: E402

PART = re.compile(r"(<!-- generated: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Write or check all pages; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail if a page is not up to date, and write nothing")
    outdated = [path for path, text in pages() if text != path.read_text(encoding="utf-8")]
    if parser.parse_args().check:
        for path in outdated:
            print(f"{path.relative_to(ROOT)} is not up to date: run `python docs/generate.py`", file=sys.stderr)
        return 1 if outdated else 0
    for path, text in pages():
        path.write_text(text, encoding="utf-8")
    return 0


def pages() -> Iterable[tuple[Path, str]]:
    """Yield each page with generated parts, and its text with those parts as they should be."""
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        if "<!-- generated: " in text:
            yield path, PART.sub(lambda part: f"{part[1]}{GENERATORS[part['name']]()}\n{part[3]}", text)


# Settings


def settings() -> str:
    """Render one section per table of the settings, in the order of the models."""
    sections = []
    for heading, model in settings_tables(Settings, ()):
        rows = [
            (f"`{key}`", allowed_values(field), default_value(field), f"{field.description}.")
            for key, field in model.model_fields.items()
            if not _is_table(field.annotation) and key != "name"
        ]
        if model is Settings:
            section = f"## Top level\n\nThe file's name is the environment's name: `{_pattern(model.model_fields['name'])}`."
        else:
            section = f"## [{heading}]\n\n{' '.join((model.__doc__ or '').split())}"
        sections.append(f"{section}\n\n{table(('Key', 'Values', 'Default', 'Meaning'), rows)}")
    return "\n\n".join(sections)


def places() -> str:
    """Render a row per kind of data: where it is, in which form, and how long it is kept."""
    names = {bucket: bucket.removesuffix("BucketName").lower() for bucket in BUCKETS}
    rows = []
    for place in PLACES:
        kept = f"`{place.days}`" if place.days.endswith("_days") else place.days
        pattern = re.sub(r"(?<==)\*|(?<=/)\*(?=[./])", "…", place.pattern)
        row = (names[place.bucket], place.what, f"`{pattern}`", place.form or f"no rows: {place.why_none}", kept)
        rows.append(row)
    return table(("Bucket", "What", "Keys", "Personal data in it", "Kept for"), rows)


def settings_tables(model: type[BaseModel], path: tuple[str, ...]) -> Iterable[tuple[str, type[BaseModel]]]:
    """Yield each table's name in the file and its model, depth first; the file itself comes last."""
    for key, field in model.model_fields.items():
        if isinstance(field.annotation, type) and _is_table(field.annotation):
            if any(not _is_table(inner.annotation) for inner in field.annotation.model_fields.values()):
                yield ".".join((*path, key)), field.annotation
            yield from ((name, inner) for name, inner in settings_tables(field.annotation, (*path, key)))
    if not path:
        yield "", model


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def allowed_values(field: FieldInfo) -> str:
    """Describe a field's type and limits, for example `1 to 300`."""
    kind = next((part for part in (field.annotation, *get_args(field.annotation)) if part is not type(None)), None)
    if get_origin(kind) in (Union, UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    limits = list(field.metadata)
    if get_origin(kind) is Annotated:
        kind, *more = get_args(kind)
        limits += more
    for limit in list(limits):
        limits += getattr(limit, "metadata", [])
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if kind in (int, float):
        return _number_range("integer" if kind is int else "number", limits)
    if get_origin(kind) is tuple:
        return "list of texts" + (", at least one" if any(isinstance(limit, MinLen) for limit in limits) else "")
    if get_origin(kind) is dict:
        return "table of texts"
    return {bool: "`true`, `false`", str: "text"}[kind or str]


def _number_range(noun: str, limits: Sequence[Any]) -> str:
    low = high = None
    for limit in limits:
        for part in limit if isinstance(limit, Interval) else (limit,):
            if isinstance(part, Ge):
                low = f"{part.ge}"
            elif isinstance(part, Gt):
                low = f"more than {part.gt}"
            elif isinstance(part, Le):
                high = f"{part.le}"
            elif isinstance(part, Lt):
                high = f"less than {part.lt}"
    if low and high:
        return f"{noun}, {low} to {high}"
    return f"{noun}, at least {low}" if low else noun


def _pattern(field: FieldInfo) -> str:
    return next(str(part.pattern) for part in field.metadata if getattr(part, "pattern", None))


def default_value(field: FieldInfo) -> str:
    """Render a default as TOML."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"`{key} = {_toml(item)}`" for key, item in value.items()) or "empty"
    return f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


# Codes and documents


def codes(kind: type[Code]) -> str:
    """Render an enumeration of codes with their descriptions."""
    return table(("Code", "Meaning"), ((f"`{code.value}`", code.description) for code in kind))


@functools.cache
def conformance() -> str:
    """Return how many violations of each operation's model local AWS refuses."""
    rows = []
    totals = dict.fromkeys(KINDS, (0, 0))
    for service, operations in OPERATIONS.items():
        for operation in operations:
            counts = dict.fromkeys(KINDS, (0, 0))
            for case in cases(service, operation):
                refused = bool(problems(service, operation, case.request))
                for table_of in (counts, totals):
                    done, of = table_of[case.kind]
                    table_of[case.kind] = (done + refused, of + 1)
            rows.append((service, operation, *(f"{done} of {of}" if of else "" for done, of in counts.values())))
    rows.append(("all", "", *(f"{done} of {of}" for done, of in totals.values())))
    return table(("Service", "Operation", "Required missing", "Minimum", "Maximum", "Pattern", "Enumeration"), rows)


def fields(document: type) -> str:
    """Render the fields of a document; nested documents follow as `outer.inner`."""
    return table(("Field", "Type", "Meaning"), document_fields(document, ""))


def document_fields(document: type, prefix: str) -> Iterable[tuple[str, str, str]]:
    """Yield name, type and meaning of each field of a TypedDict, depth first."""
    for name, hint in get_type_hints(document, include_extras=True).items():
        kind, meaning = hint, ""
        while get_origin(kind) is Annotated:
            kind, *notes = get_args(kind)
            meaning = next((note for note in notes if isinstance(note, str)), meaning)
        inner = next((part for part in (kind, *get_args(kind)) if is_typeddict(part)), None)
        if inner and not meaning:
            meaning = " ".join((inner.__doc__ or "").split()).rstrip(".")
        yield f"`{prefix}{name}`", _type_name(kind), meaning
        if inner:
            yield from document_fields(inner, f"{prefix}{name}{'[]' if get_origin(kind) is list else ''}.")


def _type_name(kind: Any) -> str:
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(_type_name(part) for part in get_args(kind))
    if get_origin(kind) is list:
        return f"list of {_type_name(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return f"object of {_type_name(get_args(kind)[1])}"
    if is_typeddict(kind):
        return "object"
    return {str: "text", int: "integer", float: "number", bool: "boolean", type(None): "null"}.get(kind, "any")


def evaluation_fields() -> str:
    """Render evaluation.schema.json."""
    schema = json.loads((DOCS / "evaluation.schema.json").read_text(encoding="utf-8"))
    rows = [*_schema_fields(schema, "")]
    for name, part in schema["$defs"].items():
        rows += _schema_fields(part, f"*{name}*.")
    return table(("Field", "Type", "Meaning"), rows)


def _schema_fields(node: dict[str, Any], prefix: str) -> Iterable[tuple[str, str, str]]:
    for name, part in node.get("properties", {}).items():
        kinds = part.get("type", "any")
        reference = json.dumps(part).partition("#/$defs/")[2].partition('"')[0]
        kind = (
            " or ".join([kinds] if isinstance(kinds, str) else kinds)
            if "type" in part
            else f"*{reference}*"
            if reference
            else "any"
        )
        yield f"`{prefix}{name}`" if "*" not in prefix else f"{prefix}`{name}`", kind, part.get("description", "")
        if part.get("properties"):
            yield from _schema_fields(part, f"{prefix}{name}.")


def catalog(schema: Path) -> str:
    """Render the columns of a table of the Glue catalog."""
    definition = json.loads(schema.read_text(encoding="utf-8"))
    columns = [*definition["columns"], {"name": "run_date", "type": "date", "comment": "Partition: the day of the run, UTC"}]
    return table(("Column", "Type", "Meaning"), ((f"`{c['name']}`", f"`{c['type']}`", c["comment"]) for c in columns))


# Regions and instance types


def regions() -> str:
    """Render the supported regions, and the refused ones with the reason."""
    rows = [
        (f"`{name}`", f"`{supported.partition(name)}`", "yes" if dashboard else "no")
        for name, dashboard in supported.REGIONS.items()
    ]
    refused = [(f"`{name}`", f"{reason}.") for name, reason in supported.REFUSED_REGIONS.items()]
    packages = ", ".join(f"{package} {version}" for package, version in supported.SOURCES.items())
    return (
        f"{table(('Region', 'Partition', 'QuickSight dashboard'), rows)}\n\n"
        f"These regions have SageMaker's scikit-learn image and are refused:\n\n{table(('Region', 'Reason'), refused)}\n\n"
        f"Derived on {supported.READ_ON} from {packages}."
    )


def instances() -> str:
    """Render the instance types per kind of job, one row per family."""
    rows = []
    for use, names in supported.INSTANCES.items():
        families: dict[str, list[str]] = {}
        for name in names:
            _, family, size = name.split(".")
            families.setdefault(family, []).append(size)
        setting = {"training": "training", "processing": "evaluation", "transform": "scoring"}[use]
        for family, sizes in families.items():
            rows.append((f"`{setting}_instance`", f"`ml.{family}`", ", ".join(sorted(sizes, key=_size_order))))
    return table(("Setting", "Family", "Sizes"), rows)


def idle() -> str:
    """Render what an environment costs without runs."""
    rows = [(row.part, f"{row.usd:.2f}", f"{row.usd_in_free_tier:.2f}") for row in idle_costs.idle_costs()]
    sums = (sum(row.usd for row in idle_costs.idle_costs()), sum(row.usd_in_free_tier for row in idle_costs.idle_costs()))
    rows.append(("**Together, from the third year on**", f"**{sums[0]:.2f}**", f"**{sums[1]:.2f}**"))
    return f"{table(('Part', 'USD', 'With free tiers'), rows)}\n\nPrices: {IDLE['source']}, {IDLE['recorded']}."


def prices() -> str:
    """Render the prices of jobs per region, with their sources."""
    rows = []
    for region in priced_regions():
        of_region = RegionPrices(region)
        figures = [("Glue, DPU", of_region.glue_dpu_hour)]
        for instance in ("ml.m5.large", "ml.m5.xlarge", "ml.m5.2xlarge"):
            figures += [(instance, figure)] if (figure := of_region.instance_hour("training", instance)) else []
        rows += [(region, what, f"{figure.usd:g}", figure.recorded, figure.source) for what, figure in figures]
    return table(("Region", "Hour of", "USD", "Recorded", "Source"), rows)


def cost_curve() -> str:
    """Render what a run costs by its number of complaints, here and with other services."""
    prod = load_settings("prod")
    prices, trials = run_prices(prod), prod.tuning.max_jobs
    others = ALTERNATIVES["million_complaints"]
    rows = []
    for complaints in (10**exponent for exponent in range(2, 8)):
        classify = Workload(rows=complaints, to_score=complaints, labelled=0, trials=0)
        train = Workload(rows=complaints, to_score=0, labelled=complaints, trials=trials)
        ours = [estimate(work, work.parts(), prices, {}).usd for work in (classify, train)]
        theirs = [usd * complaints / 1e6 for usd in others.values()]
        rows.append((f"{complaints:,}", *(f"{usd:,.2f}" if usd >= 0.005 else "under 0.01" for usd in (*ours, *theirs))))
    headings = ("Complaints", "PTMLops classifies", f"PTMLops trains, {trials} trials", *others)
    sources = (
        f"PTMLops: settings of prod, prices of {prices['priced_region']} of {prices['recorded']}. Others: {ALTERNATIVES['source']}, "
        f"{ALTERNATIVES['recorded']}, for complaints of {ALTERNATIVES['characters']} characters."
    )
    return f"{table(headings, rows)}\n\n{sources}"


def run_times() -> str:
    """Render the times that estimates assume without past runs, beside those that were measured on this project's machine."""
    million = 1_000_000
    of_model = measurement("model-speed-cfpb")["ours"]["PTMLops: words and pairs"]
    [prepare] = [row for row in measurement("prepare")["runs"] if row["name"] == "prepare" and row["input_rows"] == million]
    [training] = [point for point in measurement("model-speed-curve")["curve"]["points"] if point["rows"] == million]
    measured = {
        Part.PREPARE: prepare["cpu_seconds"] / 4,  # a data processing unit has four processors
        Part.TRAINING: training["train_seconds"],
        Part.SCORING: million / of_model["lines_per_second_in_batch_inference"],
    }
    rows = []
    for part in Part:
        start, all_rows = (Workload(rows=n, to_score=n, labelled=n, trials=1).assumed_seconds(part) for n in (0, million))
        rows.append(
            (part.value, f"{start:.0f}", f"{all_rows - start:.0f}", f"{measured[part]:.0f}" if part in measured else "")
        )
    sources = measurement_tables.source("prepare", "model-speed-curve", "model-speed-cfpb")
    return f"{table(('Part', 'To start', 'Per million rows', 'Measured, per million rows'), rows)}\n\n{sources}"


def licences() -> str:
    """Render the packages that travel to AWS with the code, with the licences that their metadata names."""
    groups = {"Glue": code_assets.GLUE_MODULES, "Lambda": code_assets.POWERTOOLS, "SageMaker": ("llvmlite", "numba")}
    rows = [(f"`{name}`", version(name), licence(name), where) for where, names in groups.items() for name in names]
    return table(("Package", "Version", "Licence", "Travels to"), rows)


def licence(package: str) -> str:
    """Return the licence of an installed package: its SPDX expression, or what older metadata says."""
    found = metadata(package)
    old = [one.rpartition(" :: ")[2] for one in found.get_all("Classifier") or () if one.startswith("License ::")]
    return found.get("License-Expression") or ", ".join(old) or found.get("License", "")


def endpoint_table() -> str:
    """Render the VPC endpoints and who calls them."""
    rows = [(f"`{name}`", "gateway, free", callers) for name, callers in endpoints.GATEWAY_ENDPOINTS.items()]
    rows += [(f"`{name}`", "interface", callers) for name, callers in endpoints.INTERFACE_ENDPOINTS.items()]
    return table(("Endpoint", "Kind", "Called by"), rows)


def called_outside() -> str:
    """Render the actions that need no endpoint."""
    rows = [(f"`{prefix}:*`", f"{reason}.") for prefix, reason in endpoints.NOT_CALLED_INSIDE.items()]
    return table(("Actions", "Why no endpoint is needed"), rows)


def endpoint_costs() -> str:
    """Render what the interface endpoints cost."""
    rows = [(zones, f"{endpoints.monthly_usd(zones):.0f}") for zones in (1, 2, 3)]
    return (
        f"{table(('Availability zones', 'USD per month'), rows)}\n\n"
        f"{len(endpoints.INTERFACE_ENDPOINTS)} interface endpoints at {IDLE['interface_endpoint_hour']} USD per hour and zone, and "
        f"{IDLE['interface_endpoint_gb']} USD per GB. Prices: {IDLE['source']}, {IDLE['recorded']}."
    )


def _size_order(size: str) -> tuple[int, str]:
    """Sort medium, large and xlarge before 2xlarge, and 2xlarge before 10xlarge."""
    digits = size.removesuffix("xlarge")
    return (int(digits), "") if digits.isdigit() else ({"medium": -2, "large": -1}.get(size, 0), size)


def metrics() -> str:
    """Return a table of the metrics that functions emit."""
    rows = [(f"`{one.title}`", one.unit, one.dimension or "", one.description) for one in Metric]
    return table(("Metric", "Unit", "Further dimension", "What it is"), rows)


GENERATORS: dict[str, Callable[[], str]] = {
    "local-aws-conformance": conformance,
    "settings": settings,
    "places": places,
    "regions": regions,
    "instances": instances,
    "idle-costs": idle,
    "prices": prices,
    "licences": licences,
    "cost-curve": cost_curve,
    "run-times": run_times,
    "endpoints": endpoint_table,
    "called-outside": called_outside,
    "endpoint-costs": endpoint_costs,
    "reason-codes": lambda: codes(report.Reason),
    "flags": lambda: codes(report.Flag),
    "note-codes": lambda: codes(report.NoteCode),
    "record-statuses": lambda: codes(report.RecordStatus),
    "review-reasons": lambda: codes(review.ReviewReason),
    "export-statuses": lambda: codes(run.ExportStatus),
    "run-statuses": lambda: codes(run.RunStatus),
    "metrics": metrics,
    "report-fields": lambda: fields(report.Report),
    "run-fields": lambda: fields(run.RunDocument),
    "published-fields": lambda: fields(run.Published),
    "evaluation-fields": evaluation_fields,
    "catalog-predictions": lambda: catalog(PREDICTIONS),
    "catalog-runs": lambda: catalog(RUNS),
    **measurement_tables.GENERATORS,
    **reliability_tables.GENERATORS,
}

if __name__ == "__main__":
    sys.exit(main())

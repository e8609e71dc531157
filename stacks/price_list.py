"""Record AWS's list prices of a region in prices.json, from the bulk price lists.

    python -m stacks.price_list eu-west-1
    python -m stacks.price_list eu-west-1 --glue AWSGlue.json --sagemaker AmazonSageMaker.json

Without files it fetches them from https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-the-aws-price-list-bulk-api.html.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stacks.components.prices import FILE

OFFERS = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/{offer}/current/{region}/index.json"
GLUE, SAGEMAKER = "AWSGlue", "AmazonSageMaker"
# Usage types begin with a code of the region, except in us-east-1: `EU-Train:ml.m5.large`. Flex execution is another price.
GLUE_USAGE = re.compile(r"(?:[A-Z0-9]+-)?ETL-DPU-Hour")
INSTANCE_USAGE = re.compile(r"(?:[A-Z0-9]+-)?(Train|Processing|Tsform):(ml\.[a-z0-9-]+\.[a-z0-9]+)")
USES = {"Train": "training", "Processing": "processing", "Tsform": "transform"}
TIMEOUT_SECONDS = 300


class PriceListError(Exception):
    """A price list lacks what is looked for, or is of another service or region."""


def read_price_list(place: str) -> dict[str, Any]:
    """Return a price list in the offer format, from a URL or a file."""
    if place.startswith("https://"):
        with urllib.request.urlopen(place, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - https only
            body = answer.read()
    else:
        body = Path(place).read_bytes()
    document: dict[str, Any] = json.loads(body)
    return document


def region_figures(
    region: str, glue: Mapping[str, Any], sagemaker: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the sources and the figures of a region, as prices.json has them.

    Args:
        region: the region.
        glue: the price list of AWSGlue.
        sagemaker: the price list of AmazonSageMaker.

    Raises:
        PriceListError: a list is of another service, or has no price in this region.
    """
    sources: dict[str, Any] = {}
    names = {}
    for offer, document in ((GLUE, glue), (SAGEMAKER, sagemaker)):
        if document.get("offerCode") != offer:
            raise PriceListError(f"the price list of {offer} is one of {document.get('offerCode')}: name the other file")
        recorded = str(document["publicationDate"])[:10]
        names[offer] = f"{offer}-{region}-{recorded}"
        text = f"AWS price list {offer}, on demand, {region}, version {document['version']}"
        sources[names[offer]] = {"source": text, "recorded": recorded}
    dpu_hours = {usd for usage, usd in on_demand_prices(glue, region) if GLUE_USAGE.fullmatch(usage)}
    if len(dpu_hours) != 1:
        raise PriceListError(
            f"the price list of {GLUE} has {len(dpu_hours)} prices of a DPU hour of a job in {region}, not one"
        )
    instances: dict[str, dict[str, Any]] = {use: {} for use in USES.values()}
    for usage, usd in on_demand_prices(sagemaker, region):
        if match := INSTANCE_USAGE.fullmatch(usage):
            instances[USES[match[1]]][match[2]] = {"usd": usd, "source": names[SAGEMAKER]}
    empty = [use for use, found in instances.items() if not found]
    if empty:
        raise PriceListError(f"the price list of {SAGEMAKER} has no instance for {' and '.join(empty)} in {region}")
    return sources, {
        "glue_dpu_hour": {"usd": dpu_hours.pop(), "source": names[GLUE]},
        "instance_hour": {use: dict(sorted(found.items())) for use, found in instances.items()},
    }


def on_demand_prices(document: Mapping[str, Any], region: str) -> Iterator[tuple[str, float]]:
    """Yield usage type and USD per hour of each product of a region. The first tier counts: the others are discounts."""
    terms = document["terms"]["OnDemand"]
    for sku, product in document["products"].items():
        attributes = product["attributes"]
        if attributes.get("regionCode", region) != region:
            continue
        dimensions = [one for term in terms.get(sku, {}).values() for one in term["priceDimensions"].values()]
        first = [one for one in dimensions if float(one.get("beginRange", 0)) == 0]
        prices = {float(one["pricePerUnit"]["USD"]) for one in first if "USD" in one["pricePerUnit"]} - {0.0}
        for usd in prices:  # more than one would be an error of the list: the caller sees both
            yield attributes.get("usagetype", ""), usd


def main(arguments: Sequence[str] | None = None) -> int:
    """Update prices.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("region")
    parser.add_argument("--glue", help="URL or file of the price list of AWSGlue")
    parser.add_argument("--sagemaker", help="URL or file of the price list of AmazonSageMaker")
    parser.add_argument("--file", type=Path, default=FILE, help="prices.json")
    options = parser.parse_args(arguments)
    lists = [
        read_price_list(place or OFFERS.format(offer=offer, region=options.region))
        for offer, place in ((GLUE, options.glue), (SAGEMAKER, options.sagemaker))
    ]
    prices = json.loads(options.file.read_text(encoding="utf-8"))
    try:
        sources, figures = region_figures(options.region, *lists)
    except PriceListError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    prices["regions"][options.region] = figures
    prices["sources"] |= sources
    used = re.findall(r'"source": "([^"]+)"', json.dumps(prices["regions"]))
    prices["sources"] = {name: prices["sources"][name] for name in sorted(set(used))}
    prices["regions"] = dict(sorted(prices["regions"].items()))
    options.file.write_text(json.dumps(prices, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

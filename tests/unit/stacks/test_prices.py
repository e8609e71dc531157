"""List prices: what ships, and how the AWS price list becomes figures."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ptmlops_contracts.estimate import Workload, estimate
from stacks import price_list
from stacks.components.prices import FILE, RegionPrices, priced_regions
from stacks.components.run_prices import run_prices
from stacks.config import load_settings


def product(usage: str, usd: str, *, region: str = "eu-west-1", tiers: tuple[str, ...] = ("0",)) -> tuple[Any, Any]:
    attributes = {"regionCode": region, "usagetype": usage, "servicecode": "x"}
    dimensions = {
        f"d{tier}": {
            "beginRange": tier,
            "endRange": "Inf",
            "unit": "Hrs",
            "pricePerUnit": {"USD": usd if tier == "0" else "0.001"},
        }
        for tier in tiers
    }
    return {"attributes": attributes}, {"term": {"priceDimensions": dimensions}}


def offer(code: str, *products: tuple[Any, Any]) -> dict[str, Any]:
    """A price list in the format of https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/reading-service-price-list-file.html."""
    numbered = list(enumerate(products))
    return {
        "formatVersion": "v1.0",
        "offerCode": code,
        "version": "20260930120000",
        "publicationDate": "2026-09-30T12:00:00Z",
        "products": {f"SKU{n}": {"sku": f"SKU{n}", **one} for n, (one, _) in numbered},
        "terms": {
            "OnDemand": {f"SKU{n}": terms for n, (_, terms) in numbered},
            "Reserved": {"SKU0": {"r": {"priceDimensions": {"x": {"pricePerUnit": {"USD": "0.0001"}}}}}},
        },
    }


GLUE = offer(
    "AWSGlue",
    product("EU-ETL-Flex-DPU-Hour", "0.29"),
    product("EU-ETL-DPU-Hour", "0.4400000000", tiers=("0", "1000")),
    product("EU-Crawler-DPU-Hour", "0.5"),
    product("USE1-ETL-DPU-Hour", "0.99", region="us-east-1"),
)
SAGEMAKER = offer(
    "AmazonSageMaker",
    product("EU-Train:ml.m5.large", "0.128"),
    product("EU-Processing:ml.m5.large", "0.129"),
    product("EU-Tsform:ml.m5.large", "0.13"),
    product("EU-Tsform:ml.m7i.2xlarge", "0.5"),
    product("EU-Host:ml.m5.large", "7"),
    product("EU-Train:ml.p3.2xlarge", "0"),
)


def record(tmp_path: Path, region: str, *, glue: Any = GLUE, sagemaker: Any = SAGEMAKER) -> tuple[int, dict[str, Any]]:
    file = tmp_path / "prices.json"
    if not file.exists():
        shutil.copy(FILE, file)
    for name, document in (("glue", glue), ("sagemaker", sagemaker)):
        (tmp_path / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    places = ["--glue", str(tmp_path / "glue.json"), "--sagemaker", str(tmp_path / "sagemaker.json"), "--file", str(file)]
    code = price_list.main([region, *places])
    return code, json.loads(file.read_text(encoding="utf-8"))


def test_a_price_list_becomes_the_figures_of_its_region(tmp_path: Path) -> None:
    code, document = record(tmp_path, "eu-west-1")
    prices = RegionPrices("eu-west-1", prices=document)

    assert code == 0
    assert prices.priced_region == "eu-west-1"
    assert (prices.glue_dpu_hour.usd, prices.glue_dpu_hour.recorded) == (0.44, "2026-09-30")
    found = [prices.instance_hour(use, "ml.m5.large") for use in ("training", "processing", "transform")]  # type: ignore[arg-type]
    assert [figure.usd for figure in found if figure] == [0.128, 0.129, 0.13]
    assert found[0] and "AmazonSageMaker, on demand, eu-west-1, version 20260930120000" in found[0].source
    assert prices.instance_hour("training", "ml.m7i.2xlarge") is None, "a price of another use"
    assert RegionPrices("us-east-1", prices=document).glue_dpu_hour == RegionPrices("us-east-1").glue_dpu_hour


def test_an_update_leaves_only_the_sources_that_are_used(tmp_path: Path) -> None:
    record(tmp_path, "eu-west-1")
    _, document = record(tmp_path, "eu-west-1", glue={**GLUE, "publicationDate": "2026-10-31T00:00:00Z"})

    assert RegionPrices("eu-west-1", prices=document).glue_dpu_hour.recorded == "2026-10-31"
    assert [name for name in document["sources"] if name.startswith("AWSGlue-eu-west-1")] == ["AWSGlue-eu-west-1-2026-10-31"]


@pytest.mark.parametrize(
    ("glue", "sagemaker", "message"),
    [
        (SAGEMAKER, SAGEMAKER, "the price list of AWSGlue is one of AmazonSageMaker"),
        (
            offer("AWSGlue", product("ETL-DPU-Hour", "1", region="us-east-1")),
            SAGEMAKER,
            "0 prices of a DPU hour of a job in eu-west-1",
        ),
        (GLUE, offer("AmazonSageMaker", product("EU-Train:ml.m5.large", "1")), "no instance for processing and transform"),
    ],
)
def test_a_wrong_price_list_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], glue: Any, sagemaker: Any, message: str
) -> None:
    code, document = record(tmp_path, "eu-west-1", glue=glue, sagemaker=sagemaker)

    assert code == 1
    assert message in capsys.readouterr().err
    assert document == json.loads(FILE.read_text(encoding="utf-8"))


def test_each_shipped_figure_has_its_source_and_day() -> None:
    document = json.loads(FILE.read_text(encoding="utf-8"))
    used = set(re.findall(r'"source": "([^"]+)"', json.dumps(document["regions"])))

    assert used == set(document["sources"])
    for source in document["sources"].values():
        assert source["source"]
        assert date(2026, 1, 1) < date.fromisoformat(source["recorded"])


def test_a_region_without_figures_uses_those_of_us_east_1_and_says_so() -> None:
    assert "eu-central-1" not in priced_regions()
    settings = load_settings("prod")
    there = settings.model_copy(update={"environment": settings.environment.model_copy(update={"region": "eu-central-1"})})

    prices = run_prices(there)

    assert (prices["region"], prices["priced_region"]) == ("eu-central-1", "us-east-1")
    assert prices["instances"]["training"] == {"ml.m5.2xlarge": 0.46}
    assert prices["instances"]["evaluation"] == {"ml.m5.xlarge": 0.23}
    assert (prices["glue_dpu_hour"], prices["glue_dpus"], prices["recorded"]) == (0.44, 10, "2026-11-23")


def test_a_hundred_complaints_cost_cents_and_a_million_less_than_a_dollar() -> None:
    def usd(complaints: int) -> float:
        work = Workload(rows=complaints, to_score=complaints, labelled=0, trials=0)
        return estimate(work, work.parts(), run_prices(load_settings("prod")), {}).usd

    assert 0 < usd(100) < 0.1
    assert usd(100) < usd(1_000_000) < 1

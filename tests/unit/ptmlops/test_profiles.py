"""A profile that does not exist is named, whoever names it; local AWS uses none."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from local_aws import LocalAws
from ptmlops.main import app

NAMES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")


@pytest.mark.parametrize(
    ("variable", "options", "named"),
    [
        ("AWS_PROFILE", [], "'nada' (from --profile or AWS_PROFILE)"),
        ("AWS_DEFAULT_PROFILE", [], "'nada' (from --profile or AWS_DEFAULT_PROFILE)"),
        ("AWS_PROFILE", ["--profile", "nothing"], "'nothing'"),
        (None, ["--profile", "nothing"], "'nothing'"),
    ],
)
def test_the_missing_profile_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, options: list[str], named: str
) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "nada")
    done = CliRunner().invoke(app, ["status", "-e", "prod", *options], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert done.stderr.strip() == f"ptmlops: AWS profile {named} does not exist: see `aws configure list-profiles`"


@pytest.mark.parametrize("name", NAMES)
def test_local_aws_uses_no_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    config = tmp_path / "config"
    config.write_text("[profile other]\nregion = eu-west-1\nendpoint_url = http://localhost:9\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    state = {"access_key_id": "id", "secret_access_key": "key", "region": "us-east-1", "port": 1}
    aws = LocalAws(tmp_path, state, None)
    for profile in ("nada", "other"):
        monkeypatch.setenv(name, profile)
        client = aws.client("s3")
        assert (client.meta.region_name, client.meta.endpoint_url) == ("us-east-1", "http://localhost:1")
        assert aws.session().client("s3").meta.endpoint_url == "https://s3.amazonaws.com"

"""A wrong setting is one line: the file, the key, and what is allowed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from stacks.config import ENVIRONMENTS, Settings, SettingsError, load_settings

VALID = """
[environment]
disposable = true
region = "us-east-1"

[complaints.columns]
text = ["text", "queja"]

[arrivals]
max_running = 3

[training]
seed = 20

[tuning]
strategy = "Bayesian"
max_jobs = 2
max_parallel_jobs = 1

[compute]
training_instance = "ml.m5.xlarge"
scoring_instance = "ml.m5.large"

[retention]
log_days = 30

[tags]
application = "ptmlops"
"""


@pytest.mark.parametrize("name", sorted(path.stem for path in ENVIRONMENTS.glob("*.toml")))
def test_shipped_environments_load(name: str) -> None:
    assert load_settings(name).name == name


def test_prod_asks_for_an_address_or_for_the_word_that_there_is_none(tmp_path: Path) -> None:
    asked = '# emails = ["team@example.com"]'
    text = (ENVIRONMENTS / "prod.toml").read_text(encoding="utf-8")
    assert asked in text
    assert "nobody = true" in str(load_settings("prod").unnotified)
    for answer in ('emails = ["team@example.com"]', "nobody = true"):
        (tmp_path / "prod.toml").write_text(text.replace(asked, answer), encoding="utf-8")
        assert load_settings("prod", folder=tmp_path).unnotified is None
    assert load_settings("dev").unnotified is None  # disposable


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("max_running = 3", "max_runing = 3", ["arrivals.max_runing", "large_megabytes, max_running, max_wait_seconds"]),
        ("[tags]", "[tagz]", ["tagz", "tags", "training"]),
        ("text = [", "txt = [", ["complaints.columns.txt", "complaint_id, fallback_label, label, received_at, subject, text"]),
        ("max_running = 3", "max_running = 500", ["arrivals.max_running", "20", "500"]),
        ("max_running = 3", "window_seconds = 901", ["arrivals", "window_seconds (901)", "max_wait_seconds (900)"]),
        ("seed = 20", 'seed = "x"', ["training.seed", "integer"]),
        ("log_days = 30", "log_days = 31", ["retention.log_days", "30, 60", "31"]),
        ('strategy = "Bayesian"', 'strategy = "Grid"', ["tuning.strategy", "Bayesian", "Hyperband"]),
        ("max_parallel_jobs = 1", "max_parallel_jobs = 4", ["tuning", "max_parallel_jobs (4)", "max_jobs (2)"]),
        ("disposable = true", "disposable = maybe", ["not TOML"]),
        (
            'scoring_instance = "ml.m5.large"',
            'scoring_instance = "ml.m5d.large"',
            ["compute.scoring_instance", "local disks", "ml.m5d.large"],
        ),
        (
            'training_instance = "ml.m5.xlarge"',
            'training_instance = "ml.g4dn.xlarge"',
            ["compute.training_instance", "m, c, r or t"],
        ),
        (
            'scoring_instance = "ml.m5.large"',
            'scoring_instance = "ml.m5.3xlarge"',
            ["compute.scoring_instance", "transform jobs", "ml.m5.2xlarge"],
        ),
        (
            'training_instance = "ml.m5.xlarge"',
            'training_instance = "ml.r9i.large"',
            ["compute.training_instance", "training jobs", "ml.r7i.large"],
        ),
        (
            'region = "us-east-1"',
            'region = "mx-central-1"',
            ["environment.region", "image is not there", "regions.md", "mx-central-1"],
        ),
        ('region = "us-east-1"', 'region = "cn-north-1"', ["environment.region", "ModelPackageGroup", "cn-north-1"]),
        ('region = "us-east-1"', 'region = "us-iso-east-1"', ["environment.region", "isolated"]),
        (
            'region = "us-east-1"',
            'region = "us-west-1"\n[analytics]\n'
            'quicksight_principal = "arn:aws:quicksight:us-east-1:222222222222:group/default/care"',
            ["quicksight_principal", "us-west-1", "regions.md"],
        ),
        ("log_days = 30", "log_days = 30\nraw_days = 90", ["retention: raw_days (90) must exceed noncurrent_days (90)"]),
        ("log_days = 30", "log_days = 30\nlabelled_days = 90", ["labelled_days (90) must exceed noncurrent_days (90)"]),
        ("log_days = 30", "log_days = 30\nresults_days = 1", ["results_days (1) must exceed noncurrent_days (90)"]),
        ("log_days = 30", "log_days = 30\nmodels_days = 90", ["models_days (90) must exceed noncurrent_days (90)"]),
        ("log_days = 30", "log_days = 30\nledger_days = 9000", ["ledger_days (9000) needs raw_days", "would look new"]),
        (
            "log_days = 30",
            "log_days = 30\nraw_days = 100\nledger_days = 129",
            ["ledger_days (129) must be at least 130", "like a new file"],
        ),
        (
            "log_days = 30",
            "log_days = 30\nraw_days = 100\ntiering_days = 10",
            ["tiering_days (10) must be less than raw_days", "(10)"],
        ),
        (
            "[tags]",
            '[alarms]\nslack_channel_id = "C0123"\n[tags]',
            ["slack_workspace_id is missing", "a channel needs slack_workspace_id, slack_channel_id"],
        ),
        (
            "[tags]",
            '[alarms]\ntopic_arn = "arn:aws:sns:eu-west-1:123456789012:ops"\n[tags]',
            ["alarms.topic_arn is in eu-west-1", "topics of their own region"],
        ),
        (
            "[tags]",
            '[alarms]\nnobody = true\ntopic_arn = "arn:aws:sns:us-east-1:123456789012:ops"\n[tags]',
            ["alarms.nobody", "remove one of the two"],
        ),
        ("[tags]", "[alarms]\nno_files_days = 8\n[tags]", ["alarms.no_files_days", "less than or equal to 7"]),
        (
            "[tags]",
            '[alarms]\nnobody = true\nemails = ["team@example.com"]\n[tags]',
            ["alarms.nobody", "remove one of the two"],
        ),
        ("[tags]", '[analytics]\nrefresh_time = "25:00"\n[tags]', ["analytics.refresh_time", "25:00"]),
        ("[tags]", '[analytics]\nquicksight_principal = "anyone"\n[tags]', ["analytics.quicksight_principal", "quicksight"]),
        (
            'region = "us-east-1"',
            'region = "us-east-1"\naccount = "111111111111"\n[analytics]\n'
            'quicksight_principal = "arn:aws:quicksight:us-east-1:222222222222:group/default/care"',
            ["222222222222", "111111111111", "own account"],
        ),
    ],
)
def test_a_wrong_setting_is_one_line_that_helps(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    assert old in VALID
    folder = tmp_path / "environments"
    folder.mkdir()
    (folder / "x.toml").write_text(VALID.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings("x", folder=folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("environments/x.toml")
    for part in told:
        assert part in message


def test_an_unknown_environment_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"'staging' is not known: environments/ has dev, local, prod"):
        load_settings("staging")


@pytest.mark.parametrize("name", sorted(path.stem for path in ENVIRONMENTS.glob("*.toml")))
def test_an_environment_holds_only_what_differs_from_the_defaults(name: str) -> None:
    tables = tomllib.loads((ENVIRONMENTS / f"{name}.toml").read_text(encoding="utf-8"))
    defaults = Settings.model_validate({"name": name, "environment": {}}).model_dump(mode="json")
    repeated = [
        f"{table}.{key}"
        for table, keys in tables.items()
        if table not in {"environment", "tags"}  # where it runs, whether it may be destroyed and its tags are always stated
        for key, value in keys.items()
        if value == defaults[table][key]
    ]
    assert repeated == []


def test_every_setting_says_what_it_means() -> None:
    assert list(_undescribed(Settings)) == []


def _undescribed(table: type[BaseModel]) -> Iterator[str]:
    for name, field in table.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            assert field.annotation.__doc__
            yield from _undescribed(field.annotation)
        elif not field.description:
            yield f"{table.__name__}.{name}"


def test_settings_are_frozen() -> None:
    settings = load_settings("local")
    with pytest.raises(ValueError, match="frozen"):
        settings.training.seed = 1  # type: ignore[misc]


def test_unknown_environments_are_not_disposable_by_default() -> None:
    assert Settings.model_validate({"name": "x", "environment": {}}).environment.disposable is False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ("nowhere", "ptmlops: environment 'nowhere' is not known: environments/ has dev, local, prod"),
        ("prod", "ptmlops: environments/prod.toml: [alarms] names no recipient, so nobody would hear of alarms"),
    ],
)
def test_the_app_says_it_in_one_line_and_fails(
    environment: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from app import main

    monkeypatch.setenv("PTMLOPS_ENVIRONMENT", environment)
    assert main() == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(message)

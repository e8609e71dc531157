"""The settings of an environment: `environments/<name>.toml`, read once, checked, frozen.

Every key has its meaning here and its default where one is safe. A key or environment that is not known, a value of the
wrong type or out of range ends in a `SettingsError` of one line: the file, the key, what is allowed.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

ENVIRONMENTS = Path(__file__).resolve().parent.parent / "environments"

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


def _takes_our_key(instance_type: str) -> str:
    if not re.match(r"ml\.[cmrt]\d(i|n|in)?\.", instance_type):
        raise ValueError(
            "an x86 type of the families m, c, r or t without disks of its own is needed, as ml.m5.xlarge: the jobs' image is for x86, "
            "and the service refuses our key for an instance's own disks"
        )
    return instance_type


InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9]+\.[a-z0-9]+$"), AfterValidator(_takes_our_key)]
Names = tuple[Annotated[str, Field(min_length=1)], ...]

# The retention periods that CloudWatch Logs accepts (PutRetentionPolicy), in days.
LogDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]


class SettingsError(Exception):
    """An environment's settings cannot be used; the message is one line that says which, where and what is allowed."""


class _Table(BaseModel):
    """A table of the file: frozen, and closed to keys that it does not name."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Environment(_Table):
    """Where it is deployed, and whether its data may be destroyed with it."""

    disposable: bool = Field(default=False, description="true: destroying the stacks destroys the data")
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] = "us-east-1"
    account: Annotated[str, Field(pattern=r"^\d{12}$")] | None = Field(
        default=None, description="the only account that it may be deployed to; absent: the one of the caller"
    )


class Columns(_Table):
    """Names under which a column may appear in a file, in order of preference; case and accents do not matter."""

    complaint_id: Names = ("complaint_id", "id")
    text: Annotated[Names, Field(min_length=1)] = ("text",)
    label: Names = ("label", "category")
    received_at: Names = ("received_at", "date")


class Complaints(_Table):
    """What Prepare must know to read, clean and label complaints."""

    columns: Columns = Columns()
    label_map: dict[str, str] = Field(default_factory=dict, description="old name = canonical label")
    languages: Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z]{2}$")], ...], Field(min_length=1)] = (
        "es",
        "en",
    )
    max_reject_share: Share = 0.2
    max_text_characters: Annotated[int, Field(ge=100, le=100_000)] = 20_000
    unknown_labels: Literal["keep", "reject", "other"] = "keep"
    min_label_rows: Positive = 10
    products: Names = ()
    channels: Names = ()


class Results(_Table):
    """How results are told."""

    language: Literal["es", "en"] = "es"
    audit_sample: Annotated[int, Field(ge=0, le=10_000)] = 50


class Arrivals(_Table):
    """How dropped files are gathered into runs. Limits: Lambda's batching window, DynamoDB's transaction size."""

    window_seconds: Annotated[int, Field(ge=1, le=300)] = 60
    max_files: Annotated[int, Field(ge=1, le=99)] = 50


class Training(_Table):
    """When a run trains, and for which precision the review threshold is chosen."""

    min_labelled_rows: Positive = 500
    min_new_rows: Positive = 100
    target_precision: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 20
    spot: bool = False


class Tuning(_Table):
    """The tuning job's budget."""

    strategy: Literal["Bayesian", "Random", "Hyperband"] = "Bayesian"
    # A job's parent counts against the service's limit of 750 training jobs a tuning job.
    max_jobs: Annotated[int, Field(ge=1, le=375, description="1: a single training job, with the default hyperparameters")] = 8
    max_parallel_jobs: Annotated[int, Field(ge=1, le=100)] = 2

    @model_validator(mode="after")
    def _parallel_within_budget(self) -> Self:
        if self.max_parallel_jobs > self.max_jobs:
            raise ValueError(f"max_parallel_jobs ({self.max_parallel_jobs}) must not exceed max_jobs ({self.max_jobs})")
        return self


class Promotion(_Table):
    """The gate that a candidate passes before it serves anyone (lambdas/promote_model/gate.py).

    Against a champion, macro-F1 may not be worse by more than chance explains: the 95% interval of the paired difference
    must reach 0. There is no margin to set: a larger holdout makes the interval narrower.
    """

    mode: Literal["automatic", "manual"] = "manual"
    min_macro_f1: Share = Field(default=0.6, description="a floor, with or without a champion")
    max_recall_drop: Share = Field(default=0.1, description="of any label, where chance does not explain the fall")
    max_calibration_error: Share = Field(default=0.05, description="or what chance gives on so few rows, where that is more")
    min_holdout_rows: Positive = Field(default=100, description="fewer cannot decide anything")


class Compute(_Table):
    """Sizes of the jobs."""

    prepare_worker: Literal["G.1X", "G.2X", "G.4X", "G.8X"] = "G.1X"
    prepare_workers: Annotated[int, Field(ge=2, le=299)] = 2
    training_instance: InstanceType = "ml.m5.xlarge"
    evaluation_instance: InstanceType = "ml.m5.large"
    scoring_instance: InstanceType = "ml.m5.large"
    scoring_instances: Annotated[int, Field(ge=1, le=100)] = 1
    timeout_minutes: Annotated[int, Field(ge=1, le=2880)] = 120
    numba: Literal["off", "jobs", "models"] = Field(
        default="jobs",
        description="where numba, which training requires, comes from: the Python of the jobs (off; SageMaker's image has none), the code of "
        "training and evaluation, or also each model, for faster Batch Transform: 64 MB per model, worth it from about 100,000 complaints per run",
    )
    bundle_powertools: bool = Field(
        default=True, description="pack AWS Lambda Powertools into the functions' code; false if the functions' Python has it"
    )


class Retention(_Table):
    """Days after which data goes; 0 keeps it for good."""

    raw_days: Annotated[int, Field(ge=0)] = 0
    prepared_days: Annotated[int, Field(ge=0)] = 0
    noncurrent_days: Positive = 90
    log_days: LogDays = 365


class Alarms(_Table):
    """Who hears of failures, and how long a dropped file may wait."""

    emails: tuple[Email, ...] = ()
    oldest_arrival_minutes: Positive = 30


class Analytics(_Table):
    """Athena's limit; QuickSight's data every day at a time, where there is a principal to share its dashboard with."""

    bytes_scanned_limit: Annotated[int, Field(ge=10_000_000)] = 10_000_000_000
    quicksight_principal: Annotated[str, Field(pattern=r"^arn:aws[\w-]*:quicksight:[\w-]+:\d{12}:(user|group)/.+$")] | None = (
        None
    )
    refresh_time: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "05:30"
    time_zone: Annotated[str, Field(pattern=r"^[A-Za-z]+(/[A-Za-z_+-]+)*$")] = "America/Bogota"


class Settings(_Table):
    """All settings of one environment."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,19}$")]
    environment: Environment
    complaints: Complaints = Complaints()
    results: Results = Results()
    arrivals: Arrivals = Arrivals()
    training: Training = Training()
    tuning: Tuning = Tuning()
    promotion: Promotion = Promotion()
    compute: Compute = Compute()
    retention: Retention = Retention()
    alarms: Alarms = Alarms()
    analytics: Analytics = Analytics()
    tags: dict[str, Annotated[str, Field(max_length=256)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _principal_of_the_account(self) -> Self:
        account, principal = self.environment.account, self.analytics.quicksight_principal
        if account and principal and principal.split(":")[4] != account:
            raise ValueError(
                f"analytics.quicksight_principal is of account {principal.split(':')[4]}, environment.account is {account}: "
                "QuickSight shares only with its own account's users and groups"
            )
        return self

    @property
    def prefix(self) -> str:
        """What every stack's name starts with."""
        return f"ptmlops-{self.name}"

    def job_settings(self) -> str:
        """The tables that the Glue jobs read, as JSON with sorted keys: the same settings give the same asset."""
        tables = {
            "complaints": self.complaints.model_dump(mode="json"),
            "results": self.results.model_dump(mode="json"),
        }
        return json.dumps(tables, ensure_ascii=False, sort_keys=True, indent=1)


def load_settings(name: str, *, folder: Path = ENVIRONMENTS) -> Settings:
    """Read `<folder>/<name>.toml`.

    Raises:
        SettingsError: no such environment, not TOML, or a key or value that is not allowed.
    """
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.toml")))
        raise SettingsError(f"environment '{name}' is not known: {folder.name}/ has {known}")
    where = f"{folder.name}/{path.name}"
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{where} is not TOML: {error}") from None
    if "name" in tables:
        raise SettingsError(f"{where}: unknown key name: the environment's name is its file's")
    try:
        return Settings.model_validate({"name": name, **tables})
    except ValidationError as error:
        raise SettingsError(f"{where}: {_explain(error)}") from None


def _explain(error: ValidationError) -> str:
    """The first problem in one line; the others will show when it is solved."""
    problem = error.errors()[0]
    location = problem["loc"]
    key = ".".join(str(part) for part in location) or "the file"
    if problem["type"] == "extra_forbidden":
        known = _table_at(location[:-1])
        place = f"[{'.'.join(map(str, location[:-1]))}]" if len(location) > 1 else "the file"
        allowed = ", ".join(sorted(set(known.model_fields) - {"name"}))
        return f"unknown key {key}; {place} allows: {allowed}"
    if problem["type"] == "missing":
        return f"{key} is missing"
    message = re.sub(r"^Value error, ", "", problem["msg"])
    message = message[0].lower() + message[1:]
    value = problem["input"]
    shown = "" if isinstance(value, dict) else f", not {json.dumps(value, default=str, ensure_ascii=False)}"
    return f"{key}: {message}{shown}"


def _table_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    table: Any = Settings
    for part in location:
        table = table.model_fields[str(part)].annotation
        table = next((kind for kind in get_args(table) if isinstance(kind, type)), table)
    return cast("type[BaseModel]", table)  # only tables can hold an unknown key

"""Define, read and validate the settings of an environment (`environments/<name>.toml`).

Each key has its default and its meaning in its model, and nowhere else. An environment's file holds only the keys that differ.
`docs/generate.py` renders these models into docs/reference/settings.md. An unknown key or environment, a wrong type or a value
out of range raises a `SettingsError` of one line: the file, the key and what is allowed.
`complaint_settings` defines the tables that the jobs read, `alarm_settings` the table `[alarms]`, and `retention_settings` the table
`[retention]`.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from stacks.alarm_settings import Alarms
from stacks.complaint_settings import Complaints, Positive, Results, SettingsTable, Share
from stacks.components.endpoints import GATEWAY_ENDPOINTS, INTERFACE_ENDPOINTS
from stacks.components.supported import INSTANCES, REFUSED_REGIONS, REGIONS
from stacks.retention_settings import Retention

ENVIRONMENTS = Path(__file__).resolve().parent.parent / "environments"


def _region_is_supported(region: str) -> str:
    if region in REGIONS:
        return region
    reason = REFUSED_REGIONS.get(region, "SageMaker's scikit-learn image is not there")
    raise ValueError(
        f"the stacks cannot be deployed in this region: {reason}. docs/reference/regions.md lists the supported ones"
    )


def _instance_type(use: str) -> AfterValidator:
    """Return a check that SageMaker has the instance type for jobs of this use, and that the jobs can run on it."""

    def check(name: str) -> str:
        if name in INSTANCES[use]:
            return name
        if not re.match(r"ml\.[cmrt]\d(i|n|in)?\.", name):
            raise ValueError(
                "an x86 type of the families m, c, r or t without local disks is required, for example ml.m5.xlarge: the jobs' image is "
                "for x86, and SageMaker refuses a customer-managed key for local disks"
            )
        similar = ", ".join(difflib.get_close_matches(name, INSTANCES[use], n=3, cutoff=0))
        raise ValueError(f"SageMaker has no such type for {use} jobs; similar types are {similar}")

    return AfterValidator(check)


_INSTANCE_NAME = Field(pattern=r"^ml\.[a-z0-9]+\.[a-z0-9]+$")
TrainingInstance = Annotated[str, _INSTANCE_NAME, _instance_type("training")]
ProcessingInstance = Annotated[str, _INSTANCE_NAME, _instance_type("processing")]
TransformInstance = Annotated[str, _INSTANCE_NAME, _instance_type("transform")]
Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$"), AfterValidator(_region_is_supported)]
UploaderArn = Annotated[str, Field(pattern=r"^arn:aws[\w-]*:iam::\d{12}:(user|role)/[\w+=,.@/-]+$")]
PrincipalArn = Annotated[str, Field(pattern=r"^arn:aws[\w-]*:quicksight:[\w-]+:\d{12}:(user|group)/.+$")]


class SettingsError(Exception):
    """Report settings that cannot be used: one line with the file, the key and what is allowed."""


class Environment(SettingsTable):
    """Where the stacks are deployed, and whether their data may be destroyed with them."""

    disposable: bool = Field(default=False, description="`true`: destroying the stacks destroys the data")
    region: Region = Field(
        default="us-east-1", description="AWS region of the stacks, one of the [supported regions](regions.md)"
    )
    account: Annotated[str, Field(pattern=r"^\d{12}$")] | None = Field(
        default=None, description="The only account that the stacks may be deployed to. Without it: the account of the caller"
    )


class Arrivals(SettingsTable):
    """How uploaded files are gathered into runs."""

    window_seconds: int = Field(default=60, ge=1, le=3600, description="A run starts once no file has joined it for so long")
    max_wait_seconds: int = Field(
        default=900, ge=1, le=86_400, description="A run starts after so long even if files keep joining, once a slot is free"
    )
    max_running: int = Field(
        default=2, ge=1, le=20, description="Runs that work at the same time. Further files join the one run that waits"
    )
    large_megabytes: int = Field(
        default=200,
        ge=1,
        description="Runs with more bytes are large. They leave one slot to smaller runs, if `max_running` is over 1",
    )

    @model_validator(mode="after")
    def _window_within_wait(self) -> Self:
        if self.window_seconds > self.max_wait_seconds:
            raise ValueError(
                f"window_seconds ({self.window_seconds}) must not exceed max_wait_seconds ({self.max_wait_seconds})"
            )
        return self


class Uploads(SettingsTable):
    """Who of other accounts may upload. People of this account get the managed policy of the stack output `DropPolicyArn`."""

    principals: tuple[UploaderArn, ...] = Field(
        default=(), description="ARNs of roles and users of other accounts that may upload to the raw bucket"
    )


class Training(SettingsTable):
    """When a run trains, and how the review threshold is chosen."""

    min_labelled_rows: Positive = Field(
        default=500, description="Train only if there are at least so many labelled rows in all runs"
    )
    min_new_rows: Positive = Field(default=100, description="Train only if this run adds at least so many labelled rows")
    on_drift: Literal["propose", "retrain"] = Field(
        default="propose",
        description="What follows if complaints differ from those that the model was measured on. `propose`: the report and the notice say so. "
        "`retrain`: besides, the next run trains from the first labelled row on that no version has learned, instead of `min_new_rows`. "
        "That version may wait for a person, because the labels of such complaints may contradict the champion",
    )
    target_precision: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="Precision that answers without review must keep. The other answers go to review",
    )
    seed: int = Field(default=20, ge=0, le=2**31 - 1, description="Seed of training, tuning and evaluation")
    spot: bool = Field(default=False, description="Train on spot instances: cheaper, and an interrupted job resumes")


class Tuning(SettingsTable):
    """The budget of the tuning job."""

    strategy: Literal["Bayesian", "Random", "Hyperband"] = Field(
        default="Bayesian", description="Search strategy of SageMaker. Only `Bayesian` starts from the last tuning job"
    )
    # A job's parent counts against the service's limit of 750 training jobs per tuning job.
    max_jobs: int = Field(
        default=8, ge=1, le=375, description="Trials per tuning job. `1`: one trial, with the default hyperparameters"
    )
    max_parallel_jobs: int = Field(default=2, ge=1, le=100, description="Trials at the same time")

    @model_validator(mode="after")
    def _parallel_within_budget(self) -> Self:
        if self.max_parallel_jobs > self.max_jobs:
            raise ValueError(f"max_parallel_jobs ({self.max_parallel_jobs}) must not exceed max_jobs ({self.max_jobs})")
        return self


class Promotion(SettingsTable):
    """The gate that a candidate must pass before it serves.

    Macro-F1 against the champion has no setting: the 95% interval of the paired difference must reach 0.
    """

    mode: Literal["automatic", "manual"] = Field(
        default="manual",
        description="`manual`: a candidate that passes the gate waits until a person approves it. `automatic`: it serves at once, unless "
        "its labels are doubtful or the champion cannot be read",
    )
    min_macro_f1: Share = Field(default=0.6, description="Lowest macro-F1, with or without a champion")
    max_recall_drop: Share = Field(
        default=0.1, description="Largest fall of any label's recall against the champion, unless chance explains the fall"
    )
    max_calibration_error: Share = Field(
        default=0.05,
        description="Largest expected calibration error, or what chance alone gives on so few rows if that is more",
    )
    min_holdout_rows: Positive = Field(default=100, description="Fewest held-out rows that can decide")


class Compute(SettingsTable):
    """Sizes of the jobs."""

    prepare_worker: Literal["G.1X", "G.2X", "G.4X", "G.8X"] = Field(
        default="G.1X", description="Worker type of both Glue jobs"
    )
    prepare_workers: int = Field(
        default=10,
        ge=2,
        le=299,
        description="Workers of each Glue job at most. Glue adds and removes workers with the work (Auto Scaling)",
    )
    training_instance: TrainingInstance = Field(default="ml.m5.xlarge", description="Instance type of training jobs")
    evaluation_instance: ProcessingInstance = Field(default="ml.m5.large", description="Instance type of the evaluation job")
    scoring_instance: TransformInstance = Field(default="ml.m5.large", description="Instance type of Batch Transform")
    scoring_instances: int = Field(default=1, ge=1, le=100, description="Instances of Batch Transform")
    timeout_minutes: int = Field(default=120, ge=1, le=2880, description="Time limit of each job")
    numba: Literal["off", "jobs", "models"] = Field(
        default="jobs",
        description="Source of numba, which training requires and SageMaker's image lacks. `off`: the Python of the jobs. `jobs`: the "
        "code of training and evaluation. `models`: each model as well, for Batch Transform (64 MB per model; worth it from about "
        "100,000 complaints per run)",
    )
    bundle_powertools: bool = Field(
        default=True,
        description="Pack AWS Lambda Powertools into the functions' code. `false` if the functions' Python has it",
    )


class Network(SettingsTable):
    """Run functions and jobs in private subnets of an existing VPC. Without `vpc_id` they run in AWS's own networks."""

    vpc_id: Annotated[str, Field(pattern=r"^vpc-[0-9a-f]{8,17}$")] | None = Field(
        default=None, description="The VPC. It must resolve and support DNS host names"
    )
    subnet_ids: tuple[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")], ...] = Field(
        default=(), max_length=16, description="Private subnets, one per availability zone"
    )
    availability_zones: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]+[a-z]$")], ...] = Field(
        default=(), description="The zones of the subnets, in the same order"
    )
    route_table_ids: tuple[Annotated[str, Field(pattern=r"^rtb-[0-9a-f]{8,17}$")], ...] = Field(
        default=(), description="Route tables of the subnets, for the gateway endpoints of S3 and DynamoDB"
    )
    existing_endpoints: tuple[str, ...] = Field(
        default=(),
        description="Endpoints that the VPC has already, such as `s3` or `ecr.api`. The stacks create the others "
        "([list](../how-to/run-in-a-vpc.md#endpoints))",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.vpc_id is None:
            if set(self.model_fields_set) - {"vpc_id"}:
                raise ValueError("vpc_id is missing: name the VPC, or remove the table")
            return self
        if not self.subnet_ids or len(self.availability_zones) != len(self.subnet_ids):
            raise ValueError("subnet_ids and availability_zones must name as many subnets as zones, and at least one")
        if len(set(self.availability_zones)) != len(self.availability_zones):
            raise ValueError("availability_zones names a zone twice: an endpoint has one subnet per zone")
        unknown = sorted(set(self.existing_endpoints) - set(GATEWAY_ENDPOINTS) - set(INTERFACE_ENDPOINTS))
        if unknown:
            known = ", ".join([*GATEWAY_ENDPOINTS, *INTERFACE_ENDPOINTS])
            raise ValueError(f"existing_endpoints has {unknown[0]}, which nothing calls; the endpoints are {known}")
        if not self.route_table_ids and set(GATEWAY_ENDPOINTS) - set(self.existing_endpoints):
            raise ValueError(
                "route_table_ids is empty: the gateway endpoints of S3 and DynamoDB need the subnets' route tables"
            )
        return self


class Analytics(SettingsTable):
    """Athena's limit, and the optional QuickSight dashboard."""

    bytes_scanned_limit: int = Field(
        default=10_000_000_000, ge=10_000_000, description="Athena stops a query that reads more bytes than this"
    )
    quicksight_principal: PrincipalArn | None = Field(
        default=None,
        description="ARN of the QuickSight user or group that sees the dashboard. Without it there is no dashboard",
    )
    refresh_time: str = Field(
        default="05:30", pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="When the dashboard's data is refreshed, daily"
    )
    time_zone: str = Field(
        default="America/Bogota", pattern=r"^[A-Za-z]+(/[A-Za-z_+-]+)*$", description="Time zone of `refresh_time`"
    )


class Costs(SettingsTable):
    """Limits that stop a run after Prepare, before it trains or classifies. They compare estimates, not the bill."""

    run_limit_usd: float = Field(default=0, ge=0, description="Stop a run that would cost more (USD). `0`: no limit")
    month_limit_usd: float = Field(
        default=0,
        ge=0,
        description="Stop a run that, with the other runs of the calendar month (UTC), would cost more (USD). `0`: no limit",
    )


class Delivery(SettingsTable):
    """Deployment by GitHub Actions. [Deploy from GitHub](../how-to/deploy-from-github.md) has the steps."""

    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+/[A-Za-z0-9_.-]+$")] | None = Field(
        default=None, description="GitHub repository whose workflows may deploy, as `OWNER/NAME`. Without it: none"
    )
    oidc_provider_arn: (
        Annotated[str, Field(pattern=r"^arn:aws[\w-]*:iam::\d{12}:oidc-provider/token\.actions\.githubusercontent\.com$")]
        | None
    ) = Field(
        default=None,
        description="GitHub's OpenID Connect provider, if the account has it already: IAM allows one. Else it is created",
    )


class Settings(SettingsTable):
    """All settings of one environment."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,19}$", description="Name of the file")
    environment: Environment
    complaints: Complaints = Complaints()
    results: Results = Results()
    arrivals: Arrivals = Arrivals()
    uploads: Uploads = Uploads()
    training: Training = Training()
    tuning: Tuning = Tuning()
    promotion: Promotion = Promotion()
    compute: Compute = Compute()
    costs: Costs = Costs()
    retention: Retention = Retention()
    network: Network = Network()
    alarms: Alarms = Alarms()
    analytics: Analytics = Analytics()
    delivery: Delivery = Delivery()
    tags: dict[str, Annotated[str, Field(max_length=256)]] = Field(
        default={"application": "ptmlops"}, description="Tags of every resource, beside `environment`"
    )

    @model_validator(mode="after")
    def _somebody_or_nobody(self) -> Self:
        if self.alarms.emails and self.alarms.nobody:
            raise ValueError("alarms.nobody is true and alarms.emails has addresses: remove one of the two")
        if self.alarms.has_recipient and self.alarms.nobody:
            raise ValueError("alarms.nobody is true and [alarms] names a topic or a channel: remove one of the two")
        return self

    @model_validator(mode="after")
    def _topic_is_in_region(self) -> Self:
        topic, region = self.alarms.topic_arn, self.environment.region
        if topic and topic.split(":")[3] != region:
            raise ValueError(
                f"alarms.topic_arn is in {topic.split(':')[3]}, environment.region is {region}: alarms act on topics of their own region"
            )
        return self

    @model_validator(mode="after")
    def _zones_belong_to_region(self) -> Self:
        region = self.environment.region
        for zone in self.network.availability_zones:
            if not zone.startswith(region):
                raise ValueError(f"network.availability_zones has {zone}, which is not in environment.region ({region})")
        return self

    @model_validator(mode="after")
    def _dashboard_exists_in_region(self) -> Self:
        region = self.environment.region
        if self.analytics.quicksight_principal and not REGIONS[region]:
            raise ValueError(
                f"analytics.quicksight_principal is set, and CloudFormation cannot create the QuickSight dashboard in {region}: remove "
                "the setting, or choose a region that docs/reference/regions.md lists with QuickSight"
            )
        return self

    @model_validator(mode="after")
    def _principal_belongs_to_account(self) -> Self:
        account, principal = self.environment.account, self.analytics.quicksight_principal
        if account and principal and principal.split(":")[4] != account:
            raise ValueError(
                f"analytics.quicksight_principal belongs to account {principal.split(':')[4]}, environment.account is {account}: "
                "QuickSight shares only with its own account's users and groups"
            )
        return self

    @property
    def unnotified(self) -> str | None:
        """Return why the environment must not be deployed as far as alarms go, or None.

        Only a deployment asks: commands that read a file, such as `ptmlops try`, need no address.
        """
        if self.alarms.has_recipient or self.alarms.nobody or self.environment.disposable:
            return None
        return (
            "[alarms] names no recipient, so nobody would hear of alarms, failed runs and models that wait for approval: "
            'add emails = ["team@example.com"] with an address of yours (or a topic, or a Slack or Teams channel), or nobody = true '
            "to do without"
        )

    @property
    def prefix(self) -> str:
        """Return the prefix of every stack's name."""
        return f"ptmlops-{self.name}"

    def job_settings(self) -> str:
        """Return the tables that the Glue jobs read, as JSON. Keys are sorted so that the same settings give the same asset."""
        tables = {
            "complaints": self.complaints.model_dump(mode="json"),
            "results": self.results.model_dump(mode="json"),
        }
        return json.dumps(tables, ensure_ascii=False, sort_keys=True, indent=1)


def load_settings(name: str, *, folder: Path = ENVIRONMENTS) -> Settings:
    """Read and validate `<folder>/<name>.toml`.

    Raises:
        SettingsError: The environment is unknown, the file is not TOML, or a key or value is not allowed.
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
        raise SettingsError(f"{where}: unknown key name: the file's name is the environment's name")
    try:
        return Settings.model_validate({"name": name, **tables})
    except ValidationError as error:
        raise SettingsError(f"{where}: {_explain(error)}") from None


def _explain(error: ValidationError) -> str:
    """Describe the first problem in one line. The others appear once it is solved."""
    problem = error.errors()[0]
    location = problem["loc"]
    key = ".".join(str(part) for part in location)
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
    return f"{key}: {message}{shown}" if key else message  # a rule between tables names its keys itself


def _table_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    table: type[BaseModel] = Settings
    for part in location:
        annotation: Any = table.model_fields[str(part)].annotation
        table = next(
            (kind for kind in get_args(annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)), annotation
        )
    return table  # only tables can hold an unknown key

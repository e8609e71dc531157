"""Settings of alarms: who receives them, and when they are raised."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from stacks.complaint_settings import Positive, SettingsTable

Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
TopicArn = Annotated[str, Field(pattern=r"^arn:aws[\w-]*:sns:[\w-]+:\d{12}:[A-Za-z0-9_-]+$")]
Uuid = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]


class Alarms(SettingsTable):
    """Who receives alarms and notices, and when alarms are raised.

    At least one recipient is required unless the environment is disposable or `nobody` is `true`.
    """

    emails: tuple[Email, ...] = Field(default=(), description="E-mail addresses. Each must confirm its subscription")
    topic_arn: TopicArn | None = Field(
        default=None,
        description="An existing SNS topic of the same region that gets the alarms, too. Its policy, and that of its key, must allow "
        "`cloudwatch.amazonaws.com`. Notices of runs do not go there",
    )
    slack_workspace_id: Annotated[str, Field(pattern=r"^[0-9A-Z]+$")] | None = Field(
        default=None,
        description="Slack workspace, authorized once in the console of Amazon Q Developer in chat applications (AWS Chatbot)",
    )
    slack_channel_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$")] | None = Field(
        default=None, description="Slack channel that gets alarms and notices"
    )
    teams_tenant_id: Uuid | None = Field(default=None, description="Microsoft Teams tenant, authorized in the same console")
    teams_team_id: Uuid | None = Field(default=None, description="Microsoft Teams team")
    teams_channel_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.~%:@-]+$")] | None = Field(
        default=None,
        description="Microsoft Teams channel that gets alarms and notices, as in the channel's link (URL-encoded)",
    )
    nobody: bool = Field(
        default=False,
        description="`true`: deploy without a recipient. Alarms, failed runs and waiting models then notify nobody",
    )
    oldest_arrival_minutes: Positive = Field(default=30, description="Raise an alarm if an uploaded file waits longer")
    no_files_days: int = Field(
        default=0, ge=0, le=7, description="Raise an alarm if no file was uploaded for so many days. `0`: no such alarm"
    )
    reject_share: float = Field(
        default=0.1, gt=0, le=1, description="Raise an alarm if at least this share of a run's rows was rejected"
    )
    drift_times: float = Field(
        default=1,
        gt=0,
        description="Raise an alarm if drift reaches this multiple of its threshold. Raise it if your uploads differ among themselves, for "
        "instance by channel",
    )
    live_accuracy_fall: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="Raise an alarm if people confirm fewer answers than held-out complaints promised, by at least this share of the answers "
        "and by more than chance explains",
    )
    run_usd: float = Field(default=10, gt=0, description="Raise an alarm if a run cost so much (USD, an estimate)")
    month_usd: float = Field(default=100, gt=0, description="Raise an alarm if the runs of a calendar month cost so much")
    runbooks: str = Field(
        default="docs/how-to/runbooks.md",
        pattern=r"^[A-Za-z0-9_:/.?=&%~+-]+$",
        description="Address of the runbooks in alarm messages, if you publish the documentation: "
        "`https://docs.example.com/how-to/runbooks.html`",
    )

    @model_validator(mode="after")
    def _channels_are_whole(self) -> Self:
        for kind in ("slack", "teams"):
            names = [name for name in type(self).model_fields if name.startswith(f"{kind}_")]
            missing = [name for name in names if getattr(self, name) is None]
            if missing and len(missing) < len(names):
                raise ValueError(f"{missing[0]} is missing: a channel needs {', '.join(names)}")
        return self

    @property
    def has_recipient(self) -> bool:
        """Return True if anybody gets the alarms."""
        return bool(self.emails or self.topic_arn or self.slack_channel_id or self.teams_channel_id)

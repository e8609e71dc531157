"""Settings of retention: after how many days each kind of data is deleted or moved to another storage class."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from stacks.complaint_settings import Positive, SettingsTable

Days = Annotated[int, Field(ge=0)]
# The retention periods that CloudWatch Logs accepts (PutRetentionPolicy), in days.
LogDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]

# S3 deletes expired objects within some days after their time, and rounds it up to the next midnight.
LEDGER_MARGIN_DAYS = 30


class Retention(SettingsTable):
    """Days until data is deleted, old versions included. `0` keeps it.

    An object that expires can be restored for `noncurrent_days` before it is gone. So with `raw_days = 365` and `noncurrent_days = 90`, a
    file is in the bucket for 275 days, can be restored for 90 more, and is gone after 365. [Privacy](../explanation/privacy.md) lists what is
    kept where, and in which form.
    """

    raw_days: Days = Field(default=0, description="Uploaded files. More than `noncurrent_days`, or `0`")
    prepared_days: Days = Field(
        default=0,
        description="Prepared data of a run, except for labelled rows. More than `noncurrent_days`, or `0`",
    )
    labelled_days: Days = Field(
        default=0,
        description="Labelled rows, which later models learn from. More than `noncurrent_days`, or `0`",
    )
    results_days: Days = Field(
        default=0,
        description="Results: predictions, exports, review lists, rejected rows, reports. More than `noncurrent_days`, or `0`. The history of "
        "runs stays: it has counts. Results of queries are deleted after 30 days",
    )
    models_days: Days = Field(
        default=0,
        description="Models, their evaluations and checkpoints. More than `noncurrent_days`, or `0`. A version that serves for longer loses its "
        "artifact: train within this time",
    )
    ledger_days: Days = Field(
        default=0,
        description="Entries of the ledger. `0`, or at least 30 more than `raw_days`: without its entry, an old version would look like a new "
        "file",
    )
    erasure_days: Days = Field(
        default=1827,
        description="Records of [erasures](../how-to/erase.md): counts and keyed hashes. More than `noncurrent_days`, or `0`",
    )
    noncurrent_days: Positive = Field(
        default=90, description="How long overwritten, deleted and expired objects can be restored"
    )
    tiering_days: Days = Field(
        default=0,
        description="Uploaded files, labelled rows and results move to S3 Intelligent-Tiering after so many days: cheaper if nobody reads them, "
        "and without a fee for reading. `0`: never",
    )
    log_days: LogDays = Field(default=365, description="Logs, including S3 access logs")

    @model_validator(mode="after")
    def _versions_expire_in_time(self) -> Self:
        for key in ("raw_days", "prepared_days", "labelled_days", "results_days", "models_days", "erasure_days"):
            days = getattr(self, key)
            if days and days <= self.noncurrent_days:
                raise ValueError(
                    f"{key} ({days}) must exceed noncurrent_days ({self.noncurrent_days}), for which an expired object can still be restored"
                )
        return self

    @model_validator(mode="after")
    def _ledger_outlives_uploads(self) -> Self:
        if self.ledger_days and not self.raw_days:
            raise ValueError(
                f"ledger_days ({self.ledger_days}) needs raw_days: files that are kept for ever need their entries for ever, or they would "
                "look new"
            )
        if self.ledger_days and self.ledger_days < self.raw_days + LEDGER_MARGIN_DAYS:
            raise ValueError(
                f"ledger_days ({self.ledger_days}) must be at least {self.raw_days + LEDGER_MARGIN_DAYS}, which is raw_days and "
                f"{LEDGER_MARGIN_DAYS} more: without its entry, a version that S3 has not deleted yet would look like a new file"
            )
        return self

    @model_validator(mode="after")
    def _tiers_come_before_the_end(self) -> Self:
        for key in ("raw_days", "labelled_days", "results_days"):
            days = getattr(self, key)
            if days and self.tiering_days >= days - self.noncurrent_days:
                raise ValueError(
                    f"tiering_days ({self.tiering_days}) must be less than {key} without noncurrent_days ({days - self.noncurrent_days}): "
                    "objects have expired by then"
                )
        return self

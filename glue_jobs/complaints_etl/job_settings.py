"""The settings of the Glue jobs. They are parsed and checked once, when a job starts, from a JSON asset of the deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from complaints_etl import JobError


class SettingsKeyError(JobError):
    """The settings asset lacks a key: the template and the job have different versions."""


@dataclass(frozen=True, kw_only=True)
class JobSettings:
    """The tables `[complaints]` and `[results]` of the environment's file. stacks/config.py documents each key.

    `display_names` has the names in the language of the results.
    """

    columns: Mapping[str, tuple[str, ...]]
    join_subject: bool
    label_separator: str
    label_map: Mapping[str, str]
    languages: tuple[str, ...]
    max_reject_share: float
    max_text_characters: int
    unknown_labels: str
    min_label_rows: int
    products: tuple[str, ...]
    channels: tuple[str, ...]
    results_language: str
    audit_sample: int
    excel: bool
    display_names: Mapping[str, str]

    @classmethod
    def from_tables(cls, tables: Mapping[str, Any]) -> Self:
        """Parse the asset's content, `{"complaints": {…}, "results": {…}}`.

        Raises:
            SettingsKeyError: a key is missing. The message names it.
        """
        try:
            complaints, results = tables["complaints"], tables["results"]
            return cls(
                columns={name: tuple(aliases) for name, aliases in complaints["columns"].items()},
                join_subject=bool(complaints["join_subject"]),
                label_separator=str(complaints["label_separator"]),
                label_map=dict(complaints["label_map"]),
                languages=tuple(complaints["languages"]),
                max_reject_share=float(complaints["max_reject_share"]),
                max_text_characters=int(complaints["max_text_characters"]),
                unknown_labels=str(complaints["unknown_labels"]),
                min_label_rows=int(complaints["min_label_rows"]),
                products=tuple(complaints["products"]),
                channels=tuple(complaints["channels"]),
                results_language=str(results["language"]),
                audit_sample=int(results["audit_sample"]),
                excel=bool(results["excel"]),
                display_names=dict(results["display_names"].get(results["language"], {})),
            )
        except KeyError as error:
            raise SettingsKeyError(f"the job's settings lack {error}: deploy template and jobs of the same version") from None

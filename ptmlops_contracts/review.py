"""What a person should read: reasons for a review, and labels to check."""

from __future__ import annotations

from typing import TypedDict

from ptmlops_contracts.codes import Code

# Of labels_to_check.csv: the fields of LabelToCheck but `language`, and an empty `label` for a person, which Prepare accepts in every environment.
LABEL_CHECK_COLUMNS = (
    "complaint_id", "text", "given_label", "suggestion", "given_probability", "suggestion_probability", "label",
)  # fmt: skip


class ReviewReason(Code):
    """Why an answer needs review: `review_reason` of an answer and of the predictions table."""

    UNCERTAIN = "uncertain", "The confidence is below the threshold that keeps the target precision."
    UNFAMILIAR = (
        "unfamiliar",
        "The text shares too little with the training rows: its label and confidence are guesses, however high the confidence is.",
    )


class LabelToCheck(TypedDict):
    """A labelled row whose label is probably wrong: a line of labels_to_check.jsonl. Probabilities are of models that did not see the row."""

    complaint_id: str
    text: str
    given_label: str
    suggestion: str
    given_probability: float
    suggestion_probability: float
    language: str  # of the text; empty if it is not known


def label_check_cells(row: LabelToCheck) -> list[str]:
    """Return the cells of a row of labels_to_check.csv."""
    return [
        row["complaint_id"],
        row["text"],
        row["given_label"],
        row["suggestion"],
        f"{row['given_probability']:.4f}",
        f"{row['suggestion_probability']:.4f}",
        "",
    ]

"""Why a person should read an answer."""

from __future__ import annotations

from ptmlops_contracts.codes import Code


class ReviewReason(Code):
    """Why an answer needs review: `review_reason` of an answer and of the predictions table."""

    UNCERTAIN = "uncertain", "The confidence is below the threshold that keeps the target precision."
    UNFAMILIAR = (
        "unfamiliar",
        "The text shares too little with the training rows: its label and confidence are guesses, however high the confidence is.",
    )

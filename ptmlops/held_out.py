"""The held-out rows that a model was evaluated on: its answers at evaluation, and the rows' redacted texts as far as they are kept."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from botocore.exceptions import ClientError

from ptmlops import runs
from ptmlops.target import Target
from ptmlops_contracts.evaluation import HeldOutAnswer, text_digest
from ptmlops_contracts.keys import ModelKeys, labelled_folder
from ptmlops_contracts.report import HELD_OUT

Row = tuple[str, str]  # complaint_id and text_digest


def answers_of(target: Target, run_id: str) -> dict[Row, HeldOutAnswer] | None:
    """Return the answers of the model that a run trained, or None if Evaluate did not keep them: it does since version 0.3.0."""
    bucket, key = target.outputs["ModelsBucketName"], ModelKeys(run_id).answers
    try:
        body = target.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None
    answers: list[HeldOutAnswer] = [json.loads(line) for line in body.split(b"\n") if line]
    return {(answer["complaint_id"], answer["text_digest"]): answer for answer in answers}


def texts_of(target: Target, wanted: Collection[Row]) -> dict[Row, str]:
    """Return the redacted texts of rows. Rows that have expired or were erased are missing."""
    missing, found = set(wanted), dict[Row, str]()
    s3, bucket = target.client("s3"), target.outputs["PreparedBucketName"]
    for key in runs.keys(target, bucket, labelled_folder(HELD_OUT)) if missing else ():
        for line in s3.get_object(Bucket=bucket, Key=key)["Body"].read().split(b"\n"):
            record: dict[str, Any] = json.loads(line) if line else {}
            row = (str(record.get("complaint_id")), text_digest(str(record.get("text"))))
            if row in missing:
                missing.remove(row)
                found[row] = record["text"]
        if not missing:
            break
    return found

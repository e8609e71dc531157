"""What stays of an erasure: counts, times and keyed hashes, never an id or a text.

The key is an object of the prepared bucket, random, and made once per environment. A hash says that an id or a text was erased only to those
who can read the key: with the policy of the eraser. Without it, hashes of ids could be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from ptmlops import runs
from ptmlops.erasure.person import Person
from ptmlops.erasure.places import PREPARED
from ptmlops.erasure.plan import Plan
from ptmlops.target import Target
from ptmlops_contracts.keys import ERASURE_KEY, ERASURE_RECORDS

RECORD_VERSION = 1
_KEY_BYTES = 32


def secret(target: Target) -> bytes:
    """Return the key of the environment's hashes. The first call makes it."""
    if (found := existing_secret(target)) is not None:
        return found
    s3, bucket = target.client("s3"), target.outputs[PREPARED]
    try:  # two operators may call the command at the same time
        s3.put_object(Bucket=bucket, Key=ERASURE_KEY, Body=secrets.token_bytes(_KEY_BYTES), IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise
    return bytes(s3.get_object(Bucket=bucket, Key=ERASURE_KEY)["Body"].read())


def existing_secret(target: Target) -> bytes | None:
    """Return the key of the environment's hashes, or None if nothing was erased so far."""
    try:
        return bytes(target.client("s3").get_object(Bucket=target.outputs[PREPARED], Key=ERASURE_KEY)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
    return None


def hashes_of(person: Person, key: bytes) -> list[str]:
    """Return a keyed hash of each id and of each text's fingerprint that is known of a person."""
    return keyed((*(f"id:{id_}" for id_ in person.ids), *(f"text:{one}" for one in person.fingerprints)), key)


def keyed(facts: Iterable[str], key: bytes) -> list[str]:
    """Return HMAC-SHA-256 of each fact, sorted."""
    return sorted({hmac.new(key, fact.encode(), hashlib.sha256).hexdigest() for fact in facts})


def write(target: Target, plan: Plan) -> str:
    """Write the record of an erasure that has ended. Returns its key."""
    document = {
        "schema_version": RECORD_VERSION,
        "erasure_id": plan.erasure_id,
        "begun_at": plan.begun_at,
        "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "named": plan.named,
        "erased": plan.counts(),
        "models": plan.models,
        "hashes": plan.hashes,
    }
    key = f"{ERASURE_RECORDS}{plan.erasure_id}.json"
    body = json.dumps(document, ensure_ascii=False, indent=1).encode()
    target.client("s3").put_object(Bucket=target.outputs[PREPARED], Key=key, Body=body, ContentType="application/json")
    return key


def earlier(target: Target, hashes: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the records of earlier erasures of any of these facts, oldest first."""
    wanted, bucket = set(hashes), target.outputs[PREPARED]
    for key in sorted(runs.keys(target, bucket, ERASURE_RECORDS)):
        document = runs.read_json(target, bucket, key)
        if document and wanted.intersection(document.get("hashes", ())):
            yield document

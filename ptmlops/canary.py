"""The canary check: a model version scores known rows, as a run would let it, before it serves.

A Batch Transform job with the parameters of the state machine's Score state runs the version's SageMaker Model: its artifact, the code that
it was registered with, its image and role, without a network. Its answers are compared with those that Evaluate measured. Nothing of the
version runs on the operator's machine (docs/decisions/0025-a-version-is-checked-as-it-serves.md).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, zip_longest
from typing import Any

from ptmlops.errors import OperatorError
from ptmlops.held_out import Row, answers_of, texts_of
from ptmlops.target import Target
from ptmlops.transform_jobs import run_job
from ptmlops_contracts.evaluation import HeldOutAnswer
from ptmlops_contracts.keys import PreparedKeys, s3_uri
from ptmlops_contracts.run_ids import make_run_id
from ptmlops_contracts.words import quantity

ROWS = 100
# Evaluate and Score run the same code in the same image, and differ in the type of instance at most.
TOLERANCE = 1e-3
# Two rows that are always there. Their answers are not known, but there must be some.
FIXED = (
    {"complaint_id": "canary-es", "text": "Me cobraron dos veces la cuota de manejo de la tarjeta de crédito."},
    {"complaint_id": "canary-en", "text": "I was charged twice for the annual fee of my credit card."},
)
NAME = "canary.jsonl"


@dataclass(frozen=True, kw_only=True)
class Canary:
    """A canary check that passed.

    Attributes:
        job: the transform job.
        answered: rows that the version answered.
        compared: rows of them whose answer is that of its evaluation.
    """

    job: str
    answered: int
    compared: int


def check(target: Target, package: Mapping[str, Any], model_name: str, report: Callable[[str], None]) -> Canary:
    """Let a version score held-out rows of its evaluation.

    Args:
        target: the deployment.
        package: the version, as DescribeModelPackage describes it.
        model_name: its SageMaker Model.
        report: shows progress.

    Raises:
        OperatorError: the version does not load, does not answer a row, or answers otherwise than at its evaluation.
    """
    version, metadata = package["ModelPackageVersion"], package.get("CustomerMetadataProperties", {})
    chosen = choose((answers_of(target, metadata.get("run_id", "")) or {}).values())
    texts = texts_of(target, chosen)
    expected = {row: answer for row, answer in chosen.items() if row in texts}
    lines = [*FIXED, *({"complaint_id": row[0], "text": texts[row]} for row in expected)]
    run_id = make_run_id(datetime.now(UTC), [package["ModelPackageArn"], "canary"])
    keys, bucket, job = PreparedKeys(run_id), target.outputs["PreparedBucketName"], f"{run_id}-0-0"
    body = "".join(f"{json.dumps(line)}\n" for line in lines)
    target.client("s3").put_object(Bucket=bucket, Key=f"{keys.to_score}{NAME}", Body=body.encode())
    report(f"job {job} scores {quantity(len(lines), 'row')}")
    request = _request(
        target, job=job, model_name=model_name, source=s3_uri(bucket, keys.to_score), output=s3_uri(bucket, keys.scored)
    )
    refusal = f"version {version} did not pass its canary check, and nothing was changed"
    try:
        run_job(target, request)
    except OperatorError as error:
        raise OperatorError(f"{refusal}: {error}") from None
    answers = target.client("s3").get_object(Bucket=bucket, Key=f"{keys.scored}{NAME}.out")["Body"].read()
    problem = find_problem(lines, list(expected.values()), [json.loads(line) for line in answers.split(b"\n") if line])
    if problem:
        raise OperatorError(f"{refusal}: {problem}. The answers of job {job} are in {s3_uri(bucket, keys.scored)}")
    return Canary(job=job, answered=len(lines), compared=len(expected))


def choose(answers: Collection[HeldOutAnswer]) -> dict[Row, HeldOutAnswer]:
    """Choose at most ROWS rows: the same each time, and of as many labels as possible."""
    by_label: defaultdict[str, list[HeldOutAnswer]] = defaultdict(list)
    for answer in sorted(answers, key=lambda answer: answer["text_digest"]):
        by_label[answer["answer"]].append(answer)
    in_turns = chain.from_iterable(zip_longest(*by_label.values()))
    chosen = [answer for answer in in_turns if answer is not None][:ROWS]
    return {(answer["complaint_id"], answer["text_digest"]): answer for answer in chosen}


def find_problem(
    lines: Collection[Mapping[str, str]], expected: Collection[HeldOutAnswer], answers: Collection[Mapping[str, Any]]
) -> str | None:
    """Return what is wrong with a version's answers, or None. The message names no row: an id may be a person's.

    Args:
        lines: what the version was asked: FIXED, and then the rows of `expected`.
        expected: the answers of the evaluation.
        answers: the version's, one per line, in order.
    """
    if [answer.get("complaint_id") for answer in answers] != [line["complaint_id"] for line in lines]:
        return f"it was asked {quantity(len(lines), 'row')} and gave {quantity(len(answers), 'answer')}, not one for each"
    failed = [str(answer["error"]) for answer in answers if answer.get("error") or not answer.get("label")]
    if failed:
        return f"it did not answer {len(failed)} of {quantity(len(lines), 'row')} (the first: {failed[0]})"
    compared = list(zip(expected, list(answers)[len(FIXED) :], strict=True))
    other = [now for then, now in compared if now["label"] != then["answer"]]
    moved = [now for then, now in compared if abs(now["confidence"] - then["confidence"]) > TOLERANCE]
    if other or moved:
        return (
            f"of {quantity(len(compared), 'held-out row')}, {len(other)} have another label than at its evaluation, and {len(moved)} a "
            f"confidence that differs by more than {TOLERANCE:g}: its artifact, code or image is not what was evaluated"
        )
    return None


def _request(target: Target, *, job: str, model_name: str, source: str, output: str) -> dict[str, Any]:
    """Return the transform job that the state machine would start, for one instance."""
    machine = target.client("stepfunctions").describe_state_machine(stateMachineArn=target.outputs["StateMachineArn"])
    score = _without_paths(json.loads(machine["definition"])["States"]["Score"]["Parameters"])
    score["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] = source
    score["TransformOutput"]["S3OutputPath"] = output
    score["TransformResources"]["InstanceCount"] = 1
    return {**score, "TransformJobName": job, "ModelName": model_name}


def _without_paths(value: Any) -> Any:
    """Return parameters of a state without those that a run fills in."""
    if isinstance(value, dict):
        return {key: _without_paths(inner) for key, inner in value.items() if not key.endswith(".$")}
    return [_without_paths(inner) for inner in value] if isinstance(value, list) else value

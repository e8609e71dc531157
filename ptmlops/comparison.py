"""Compare two model versions on the held-out rows that both were evaluated on."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ptmlops import held_out, registry
from ptmlops.errors import OperatorError
from ptmlops.options import command_for
from ptmlops.target import Target
from ptmlops_contracts.evaluation import HeldOutAnswer


def compare(target: Target, first: int, second: int, *, limit: int) -> dict[str, Any]:
    """Return on how many rows two versions differ, per label, and the rows themselves: the most confident contradictions first.

    A row counts if Evaluate asked both about it, so neither has learned it. The label is that of the newer version's evaluation: a review
    may have corrected it since.

    Args:
        target: the deployment.
        first: a version.
        second: another version.
        limit: so many rows are returned, with their redacted texts.

    Raises:
        OperatorError: a version does not exist or its answers were not kept, or both versions have no row in common.
    """
    if first == second:
        raise OperatorError(f"version {first} is compared with itself: name two versions of `{command_for(target, 'models')}`")
    one, other = (_answers(target, version) for version in (first, second))
    common = sorted(one.keys() & other.keys())
    if not common:
        raise OperatorError(f"versions {first} and {second} have no held-out row in common, so there is nothing to compare")
    newer = one if first > second else other
    pairs = {row: (newer[row]["label"], one[row], other[row]) for row in common}
    differing = [row for row in common if one[row]["answer"] != other[row]["answer"]]
    differing.sort(key=lambda row: -(one[row]["confidence"] + other[row]["confidence"]))
    texts = held_out.texts_of(target, differing[:limit])
    changes = Counter((one[row]["answer"], other[row]["answer"]) for row in differing)
    return {
        "versions": [first, second],
        "rows": len(common),
        "held_out": {str(first): len(one), str(second): len(other)},
        "differing": len(differing),
        "right": {str(first): _right(pairs.values(), 1), str(second): _right(pairs.values(), 2)},
        "labels": [_label(label, list(pairs.values())) for label in sorted({label for label, _, _ in pairs.values()})],
        "changes": [{"from": old, "to": new, "rows": count} for (old, new), count in changes.most_common()],
        "differing_rows": [
            {
                "complaint_id": row[0],
                "label": pairs[row][0],
                "answers": {str(first): one[row]["answer"], str(second): other[row]["answer"]},
                "confidence": {str(first): one[row]["confidence"], str(second): other[row]["confidence"]},
                "text": texts.get(row),
            }
            for row in differing[:limit]
        ],
    }


def _answers(target: Target, version: int) -> dict[held_out.Row, HeldOutAnswer]:
    metadata = registry.describe(target, registry.find(target, version)["arn"]).get("CustomerMetadataProperties", {})
    answers = held_out.answers_of(target, metadata.get("run_id", ""))
    if answers is None:
        raise OperatorError(
            f"the answers of version {version} to held-out rows were not kept: a release before 0.3.0 evaluated it, or they have expired "
            "(retention.models_days). Train again to compare"
        )
    return answers


def _right(pairs: Any, which: int) -> int:
    return sum(pair[which]["answer"] == pair[0] for pair in pairs)


def _label(label: str, pairs: list[tuple[str, HeldOutAnswer, HeldOutAnswer]]) -> dict[str, Any]:
    """Count a label's rows: those that only one version has right, and those that both do."""
    rights = Counter((one["answer"] == label, other["answer"] == label) for true, one, other in pairs if true == label)
    return {
        "label": label,
        "rows": rights.total(),
        "both_right": rights[True, True],
        "only_first_right": rights[True, False],
        "only_second_right": rights[False, True],
        "none_right": rights[False, False],
    }

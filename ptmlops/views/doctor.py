"""Show the findings of `ptmlops doctor`: one line per check, and below it what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from ptmlops.account import Finding, Status

MARKS = {
    Status.OK: ("✓", "green"),
    Status.NOTE: ("•", "yellow"),
    Status.BLOCKED: ("✗", "red"),
    Status.NOT_CHECKED: ("?", "yellow"),
}


def show(findings: Sequence[Finding], *, environment: str) -> None:
    """Print every finding, and a summary."""
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        mark, style = MARKS[finding.status]
        prefix = "not checked: " if finding.status is Status.NOT_CHECKED else ""
        console.print(Text.assemble((mark, style), f" {finding.check}: {prefix}{finding.found}"))
        if finding.next_step:
            console.print(Text(f"    → {finding.next_step}"))
    counts = Counter(finding.status for finding in findings)
    parts = [f"{counts[status]} {status}" for status in Status if counts[status]]
    verdict = "is blocked" if counts[Status.BLOCKED] else "is not blocked"
    console.print(Text(f"Environment '{environment}' {verdict}: {', '.join(parts)}"))

"""Replace personal data in texts by typed placeholders; amounts and dates stay.

Plain Python on one text. A checksum decides if a number has one, else the words around it. `order.py` lists the rules in the order in
which they are applied, `kinds/` has them by kind of personal data, `context.py` decides on what they leave.
docs/how-to/add-a-kind-of-personal-data.md explains how to add a rule.
"""

from complaints_etl.redaction.columns import redact_value
from complaints_etl.redaction.engine import Redacted, apply_rules, redact, redact_and_list
from complaints_etl.redaction.order import RULES

# Raise it if texts that were redacted before would become others: fingerprints and made ids depend on them, so labelled rows of other
# versions are left out of comparison and training.
REDACTION_VERSION = 5
TYPES = tuple(dict.fromkeys(rule.type for rule in RULES))
PREFIXES = tuple(dict.fromkeys(rule.prefixes for rule in RULES if rule.prefixes))

__all__ = [
    "PREFIXES",
    "REDACTION_VERSION",
    "RULES",
    "TYPES",
    "Redacted",
    "apply_rules",
    "redact",
    "redact_and_list",
    "redact_value",
]

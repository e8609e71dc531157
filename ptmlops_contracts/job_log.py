"""Log lines of the jobs as JSON, one object per line with the run's id, as the functions log them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from typing import Any

# `log.info("prepared", extra={FIELDS: {"rows": 5}})` adds the key `rows` to the line.
FIELDS = "fields"


class JsonLines(logging.Formatter):
    """Format a record as `{"timestamp", "level", "service", "run_id", "message"}`, with the keys that Powertools writes."""

    def __init__(self, *, service: str, run_id: str) -> None:
        super().__init__()
        self._common = {"service": service, "run_id": run_id}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. A traceback is in it, as `exception`, so that a reader sees one event."""
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            **self._common,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log_json(*, service: str, run_id: str) -> None:
    """Let the root logger write JSON lines to standard output, from level INFO on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(service=service, run_id=run_id))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # Spark's connection logs each of its messages at level INFO.
    logging.getLogger("py4j").setLevel(logging.WARNING)

"""The ledger: which run claimed which file version. A file version belongs to one run, whatever is delivered twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from arrivals import FileVersion
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# TransactWriteItems takes 100 items at most: one is the run itself.
MAX_FILES = 99
STARTED = "STARTED"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as the ledger knows it: enough to write its manifest and start it again."""

    run_id: str
    status: str
    started_at: str
    files: tuple[FileVersion, ...]


class Ledger:
    """The DynamoDB table with key `pk`."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def claims(self, files: Iterable[FileVersion]) -> dict[FileVersion, str]:
        """Of these files, those that a run has claimed already, and that run's id."""
        by_key = {f"FILE#{file.name}": file for file in files}
        keys = sorted(by_key)
        claimed = {}
        for start in range(0, len(keys), 100):
            request: Any = {self._table: {"Keys": _keys(keys[start : start + 100]), "ConsistentRead": True}}
            while request:  # what DynamoDB had no capacity for comes back as unprocessed
                answer = self._client.batch_get_item(RequestItems=request)
                for item in answer["Responses"].get(self._table, []):
                    claimed[by_key[item["pk"]["S"]]] = item["run_id"]["S"]
                request = answer.get("UnprocessedKeys")
        return claimed

    def claim(self, *, run_id: str, files: Sequence[FileVersion], started_at: datetime) -> bool:
        """Write the run and its files, all or nothing. False: another run took one of the files in the meantime."""
        if len(files) > MAX_FILES:
            raise ValueError(f"a run takes at most {MAX_FILES} files, not {len(files)}")
        time = started_at.isoformat(timespec="seconds")
        run = {
            "pk": f"RUN#{run_id}",
            "status": STARTED,
            "started_at": time,
            "files": [asdict(file) for file in files],
        }
        claims = [{"pk": f"FILE#{file.name}", "run_id": run_id, "claimed_at": time} for file in files]
        try:
            self._client.transact_write_items(
                TransactItems=[
                    {
                        "Put": {
                            "TableName": self._table,
                            "Item": {name: TypeSerializer().serialize(value) for name, value in item.items()},
                            "ConditionExpression": "attribute_not_exists(pk)",
                        }
                    }
                    for item in [run, *claims]
                ]
            )
        except ClientError as error:
            reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
            lost = {"ConditionalCheckFailed", "TransactionConflict"}
            if error.response["Error"]["Code"] == "TransactionCanceledException" and reasons & lost:
                return False
            raise
        return True

    def run(self, run_id: str) -> Run:
        """A run that was claimed.

        Raises:
            KeyError: there is no such run.
        """
        item = self._client.get_item(TableName=self._table, Key=_keys([f"RUN#{run_id}"])[0], ConsistentRead=True)["Item"]
        run: dict[str, Any] = {name: TypeDeserializer().deserialize(value) for name, value in item.items()}
        return Run(
            run_id=run_id,
            status=run["status"],
            started_at=run["started_at"],
            files=tuple(FileVersion(**{**file, "size": int(file["size"])}) for file in run["files"]),
        )


def _keys(names: Iterable[str]) -> list[dict[str, Any]]:
    return [{"pk": {"S": name}} for name in names]

"""The ledger table: a file version belongs to the run that claimed it first, however often its event is delivered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from ptmlops_contracts.ledger import LEDGER_VERSION, STARTED, FileItem, ManifestFile, RunItem, file_key, run_key
from start_run.arrivals import FileVersion

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# TransactWriteItems takes 100 items at most: one is the run itself.
MAX_FILES = 99
# BatchGetItem takes 100 keys at most.
MAX_KEYS = 100


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run in the ledger: enough to write its manifest and to start it again."""

    run_id: str
    status: str
    started_at: str
    files: tuple[FileVersion, ...]


class Ledger:
    """The DynamoDB table with partition key `pk`."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def claims(self, files: Iterable[FileVersion]) -> dict[FileVersion, str]:
        """Return the run id of each of these files that a run has claimed."""
        by_key = {file_key(file.bucket, file.key, file.version_id): file for file in files}
        keys = sorted(by_key)
        claimed = {}
        for start in range(0, len(keys), MAX_KEYS):
            request: Any = {self._table: {"Keys": _keys(keys[start : start + MAX_KEYS]), "ConsistentRead": True}}
            while request:  # DynamoDB returns what it had no capacity for
                answer = self._client.batch_get_item(RequestItems=request)
                for item in answer["Responses"].get(self._table, []):
                    claimed[by_key[item["pk"]["S"]]] = item["run_id"]["S"]
                request = answer.get("UnprocessedKeys")
        return claimed

    def claim(self, *, run_id: str, files: Sequence[FileVersion], started_at: datetime) -> bool:
        """Write the run and its files in one transaction.

        Returns:
            False if another run claimed one of the files in the meantime; then nothing is written.
        """
        if len(files) > MAX_FILES:
            raise ValueError(f"a run takes at most {MAX_FILES} files, not {len(files)}")
        time = started_at.isoformat(timespec="seconds")
        run = RunItem(
            pk=run_key(run_id),
            schema_version=LEDGER_VERSION,
            status=STARTED,
            started_at=time,
            files=[manifest_file(file) for file in files],
        )
        claims = [
            FileItem(
                pk=file_key(file.bucket, file.key, file.version_id),
                schema_version=LEDGER_VERSION,
                run_id=run_id,
                claimed_at=time,
            )
            for file in files
        ]
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
                    for item in (run, *claims)
                ]
            )
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
            if reasons & {"ConditionalCheckFailed", "TransactionConflict"}:
                return False
            raise
        return True

    def run(self, run_id: str) -> Run:
        """Return a run that was claimed.

        Raises:
            KeyError: there is no such run.
        """
        answer = self._client.get_item(TableName=self._table, Key=_keys([run_key(run_id)])[0], ConsistentRead=True)
        run: dict[str, Any] = {name: TypeDeserializer().deserialize(value) for name, value in answer["Item"].items()}
        return Run(
            run_id=run_id,
            status=run["status"],
            started_at=run["started_at"],
            files=tuple(FileVersion(**{**file, "size": int(file["size"])}) for file in run["files"]),
        )


def manifest_file(file: FileVersion) -> ManifestFile:
    """Return a file version as ledger and manifest write it."""
    return cast("ManifestFile", asdict(file))


def _keys(names: Iterable[str]) -> list[dict[str, Any]]:
    return [{"pk": {"S": name}} for name in names]

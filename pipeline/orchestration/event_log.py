"""Dagster's own SQLite event log, with its connections kept open.

Dagster opens and closes the database anew for every event, and SQLite writes its log back at every close. A month has
about a thousand events: kept connections make its run about a third shorter. The files are those of Dagster's default
storage, which can be put back in `dagster.yaml` at any time. It does not wait for the disk after each event: a power
failure can cost the last ones, never the log. The checks that a run plans are written at once, not one by one. See
`docs/adr/0004-event-log-connections.md`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dagster import DagsterEventType, EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData, serialize_value
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.event import listen

from pipeline import settings

MOST_OPEN = 8
"""Databases kept open: the index and the runs that were last written or read."""
BUSY_SECONDS = 60
"""How long a writer waits for another one."""


class PooledSqliteEventLogStorage(SqliteEventLogStorage):
    """The default event log of an instance at `DAGSTER_HOME`, which keeps the last few databases open."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No configuration: the place is that of Dagster's default."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 - the signature is Dagster's
    ) -> PooledSqliteEventLogStorage:
        """The storage in the instance's folder."""
        return cls(str(settings.dagster_folder() / "history" / "runs"), inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """What a run plans, as Dagster hands it over where `DAGSTER_EVENT_BATCH_SIZE` is set."""
        planned = DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
        checks = [event for event in events if event.dagster_event_type == planned]
        for other in (event for event in events if event.dagster_event_type != planned):
            self.store_event(other)
        if checks:
            self._store_planned_checks(checks)

    def _store_planned_checks(self, events: Sequence[EventLogEntry]) -> None:
        """Writes for each what `store_event` does: a row in the run's log, one in the index, one of its executions."""
        rows = [self._event_to_row(event) for event in events]
        log = SqlEventLogStorageTable
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(log.insert(), rows)
        with self.index_connection() as connection:
            stored = connection.scalars(log.insert().returning(log.c.id, sort_by_parameter_order=True), rows).all()
            executions = [
                execution for event, id_ in zip(events, stored, strict=True) for execution in self._planned(event, id_)
            ]
            connection.execute(AssetCheckExecutionsTable.insert(), executions)

    def _planned(self, event: EventLogEntry, storage_id: int) -> Iterator[dict[str, Any]]:
        planned = event.get_dagster_event().asset_check_planned_data
        partitions = planned.partitions_subset.get_partition_keys() if planned.partitions_subset else [None]
        for partition in partitions:
            yield {
                "asset_key": planned.asset_key.to_string(),
                "check_name": planned.check_name,
                "partition": partition,
                "run_id": event.run_id,
                "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
                "evaluation_event": serialize_value(event),
                "evaluation_event_timestamp": self._event_insert_timestamp(event),  # type: ignore[no-untyped-call]
                "evaluation_event_storage_id": storage_id,
            }

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            engine = create_engine(self.conn_string_for_shard(shard), connect_args={"timeout": BUSY_SECONDS})
            listen(engine, "connect", _wait_for_no_disk)
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        while len(self._engines) > MOST_OPEN:
            _, oldest = self._engines.popitem(last=False)
            oldest.dispose()
        return self._engines[shard]

    def dispose(self) -> None:
        """Closes what is open."""
        while self._engines:
            self._engines.popitem()[1].dispose()
        super().dispose()


def _wait_for_no_disk(connection: Any, _record: object) -> None:
    """With SQLite's write-ahead log, which Dagster switches on, the database stays whole all the same."""
    connection.execute("PRAGMA synchronous = NORMAL")

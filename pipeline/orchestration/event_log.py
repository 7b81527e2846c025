"""Dagster's own SQLite event log, with its connections kept open.

Dagster opens and closes the database anew for every event, and SQLite writes its log back at every close (measured in
docs/adr/0002-checks-as-one-row-of-counts.md). The files are those of Dagster's default storage, which can be put back
in `dagster.yaml` at any time. It does not wait for the disk after each event: with SQLite's write-ahead log, which
Dagster switches on, a power failure can cost the last ones, never the log.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from dagster._core.storage.event_log import SqliteEventLogStorage  # Dagster has no public name for it and the next
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.event import listen

from pipeline import settings

MOST_OPEN = 8
"""Databases kept open: the index and the runs that were last written or read."""


class PooledSqliteEventLogStorage(SqliteEventLogStorage):
    """The default event log of an instance at `DAGSTER_HOME`, which keeps the last few databases open."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self.engines: OrderedDict[str, Engine] = OrderedDict()
        self.lock = threading.RLock()
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

    def run_connection(self, run_id: str | None = None) -> Any:
        """A transaction in the log of a run."""
        return self.kept_open(str(run_id), super().run_connection(run_id))

    def index_connection(self) -> AbstractContextManager[Connection]:
        """A transaction in the log over all runs."""
        return self.kept_open("index", super().index_connection())

    @contextmanager
    def kept_open(self, shard: str, opened_anew: AbstractContextManager[Connection]) -> Iterator[Connection]:
        """A transaction in one database, which Dagster itself opens the first time, and so prepares."""
        with self.lock:
            if shard not in self.engines:
                with opened_anew:
                    pass
                made = create_engine(self.conn_string_for_shard(shard), connect_args={"timeout": 60})
                listen(made, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = NORMAL"))
                self.engines[shard] = made
            self.engines.move_to_end(shard)
            engine = self.engines[shard]
            while len(self.engines) > MOST_OPEN:
                self.engines.popitem(last=False)[1].dispose()
        with engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Closes what is open."""
        while self.engines:
            self.engines.popitem()[1].dispose()
        super().dispose()

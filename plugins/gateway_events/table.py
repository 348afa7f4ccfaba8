"""`sink.table`: events as rows, in the gateway's database or another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from gateway.plugin import hookimpl
from gateway.secrets import Secret
from gateway.store import Database
from gateway.store.upsert import insert_into
from gateway_events.event import TYPE, EventsConfig
from gateway_events.plugin import EventSink
from gateway_events.tables import metadata, usage_events

if TYPE_CHECKING:
    from gateway.plugin import Context

MIGRATIONS: Final = Path(__file__).parent / "migrations"


class TableConfig(EventsConfig):
    """Settings of `sink.table`."""

    url: Secret | None = Field(
        default=None,
        description="The database, as `sqlite:///FILE` or `postgresql://…`; its table is made when it is missing. "
        "By default the gateway's own.",
    )


class Table(EventSink[TableConfig]):
    """Writes usage events into the table `usage_events`, each call once."""

    id = "sink.table"
    Config = TableConfig

    def __init__(self, name: str, config: TableConfig, context: Context) -> None:
        super().__init__(name, config, context)
        self._other = None if config.url is None else Database(config.url.reveal())
        self._is_made = self._other is None

    @hookimpl
    def register_migrations(self) -> Sequence[Path]:
        return () if self._other is not None else (MIGRATIONS,)

    async def shutdown(self) -> None:
        if self._other is not None:
            await self._other.close()

    async def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        database = self._other or self.context.database
        async with database.begin() as connection:
            if not self._is_made:
                await connection.run_sync(metadata.create_all)
            rows = insert_into(connection, usage_events).values([_row(event) for event in events])
            await connection.execute(rows.on_conflict_do_nothing())
        self._is_made = True


def _row(event: Mapping[str, Any]) -> dict[str, Any]:
    data = event["data"]
    names = ("tenant", "user", "provider", "cost_nano", "charge_nano")
    return {
        "id": event["id"],
        "time": datetime.fromisoformat(event["time"]),
        **{name: data.get(name) for name in names},
        "model": data.get("model", ""),
        "status": data["status"] if event["type"] == TYPE else event["type"].split(".")[2],
        "event": event,
    }

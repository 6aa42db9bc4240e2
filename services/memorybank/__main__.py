"""`python -m memorybank`: the MemoryBank's process."""

import logging
from contextlib import aclosing
from typing import Any

from chassis import process
from chassis.http import served
from memorybank.api import make_app
from memorybank.ingest import Ingest
from memorybank.reader import Reader
from memorybank.settings import Settings
from memorybank.store import Store

log = logging.getLogger("memorybank")


async def run(settings: Settings) -> None:
    """Remember until cancelled. The API answers from the start, also while the database is away."""
    store = Store(settings.database_url)
    ingest: Ingest | None = None

    def health() -> dict[str, Any]:
        broker = ingest is not None and ingest.consumer.connected
        return {
            "ok": broker and store.connected,
            "service": "memorybank",
            "broker": broker,
            "database": store.connected,
            "lag_s": ingest.lag_s if ingest else None,
            "dropped": ingest.consumer.dropped if ingest else 0,
        }

    with Reader(settings.database_reader_url) as reader:
        async with aclosing(store), served(make_app(reader, health), settings.http, settings.http_port):
            log.info("HTTP API on http://%s:%d/docs", settings.http.bind, settings.http_port)
            ingest = Ingest(settings, store, await store.load())
            await ingest.run()


def main() -> None:
    """Run the MemoryBank."""
    process.run("memorybank", Settings, run)


if __name__ == "__main__":
    main()

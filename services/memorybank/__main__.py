"""`python -m memorybank`: the MemoryBank's process."""

import asyncio
import gc
import logging
from contextlib import ExitStack, aclosing
from datetime import timedelta

from chassis import process
from chassis.grafana_address import Address
from chassis.grafana_link import GrafanaLink
from chassis.http import add_metrics, served
from chassis.metrics import Exposition
from memorybank.annotations import MOST_WAITING
from memorybank.annotator import Annotator
from memorybank.api import make_app
from memorybank.detector_configuration import digest
from memorybank.ingest import Ingest
from memorybank.metrics import METRICS, Parts
from memorybank.reader import Reader
from memorybank.retention import Keep, Retention
from memorybank.settings import Settings
from memorybank.store import Store
from memorybank.verdicts import Verdicts

log = logging.getLogger("memorybank")

_GRAFANA_DEADLINE_S = 5.0
_COLLECT_AFTER = 100_000
"""Objects, more than wait to be stored, which go by themselves: with fewer the collector finds but these."""


async def run(settings: Settings) -> None:
    """Remember until cancelled. The API answers from the start, also while the database is away."""
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])
    forget_after = timedelta(days=settings.retention_days) if settings.retention_days else None
    store = Store(settings.database_url, settings.share, forget_after, span=settings.retention_span)
    parts = Parts(store, retention=_retention(settings))
    metrics = Exposition("memorybank", METRICS, parts, {"share": settings.memorybank_share})
    with Reader(settings.database_reader_url) as reader, ExitStack() as beside:
        app = make_app(reader, parts.health)
        add_metrics(app, metrics)
        async with aclosing(store), served(app, settings.http, settings.http_port):
            log.info("HTTP API on http://%s:%d/docs", settings.http.bind, settings.http_port)
            remembered = await store.load()
            if settings.grafana_url:
                parts.annotator = beside.enter_context(_annotator(settings))
                # What was told already is found there; what was not told before a death is told now.
                for anomaly in (await store.recent_anomalies())[-MOST_WAITING:]:
                    parts.annotator.tell(anomaly)
            tell = parts.annotator.tell if parts.annotator else None
            detectors = settings.detectors()
            log.info("%d detectors, configuration %s", len(detectors), digest(detectors)[:12])
            parts.ingest = Ingest(settings, store, remembered, detectors, tell)
            parts.verdicts = Verdicts(settings.mqtt, settings.share, store)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(parts.verdicts.run(), name="verdicts")
                if parts.retention is not None:
                    tasks.create_task(parts.retention.run(), name="retention")
                await parts.ingest.run()


def _annotator(settings: Settings) -> Annotator:
    address = Address.parse(settings.grafana_url)
    log.info("anomalies are written to Grafana at %s", address)
    return Annotator(GrafanaLink(address, settings.grafana_token, deadline_s=_GRAFANA_DEADLINE_S))


def _retention(settings: Settings) -> Retention | None:
    if 0 not in settings.share.partitions:
        return None  # it is the whole database's, so one of those who share the work does it
    keep = Keep(
        days=settings.retention_days,
        rollup_days=settings.retention_rollup_days,
        gigabytes=settings.retention_gb,
    )
    return Retention(settings.database_url, keep)


def main() -> None:
    """Run the MemoryBank."""
    process.run("memorybank", Settings, run)


if __name__ == "__main__":
    main()

"""Who is connected, and waiting for something to become true of a charge point."""

import asyncio
from datetime import UTC, datetime

from csms.connections import Connection, Connections

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def connection(charge_point_id: str = "CP-1") -> Connection:
    return Connection(charge_point_id, False, None, NOW, 0.0, NOW)  # type: ignore[arg-type]


def test_the_newer_replaces_the_older_and_the_older_cannot_take_it_along():
    connections, older, newer = Connections(), connection(), connection()
    assert connections.add(older) is None
    assert connections.add(newer) is older
    assert not connections.remove(older)
    assert connections.get("CP-1") is newer
    assert connections.remove(newer)
    assert len(connections) == 0


async def test_waiting_ends_as_soon_as_the_condition_holds():
    connections = Connections()
    waiting = asyncio.create_task(
        connections.until("CP-1", lambda: connections.get("CP-1") is not None, timeout_s=10)
    )
    await asyncio.sleep(0)
    connections.notify("CP-1")  # nothing that matters
    await asyncio.sleep(0)
    connections.add(connection())
    assert await waiting


async def test_waiting_ends_with_its_deadline():
    assert not await Connections().until("CP-1", lambda: False, timeout_s=0.01)


async def test_whoever_gave_up_waiting_leaves_nothing_behind():
    connections = Connections()
    await connections.until("CP-1", lambda: False, timeout_s=0)
    assert not connections._waiting

"""Anomalies as annotations: `python -m memorybank` with a real database, and Grafana's stand-in."""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from chassis.grafana_link import GrafanaLink
from chassis.grafana_region import Region
from chassis.publisher import Publisher
from contracts.events import Anomaly, Reading
from grafana_standin import EDITOR_TOKEN, GrafanaStandin, until_asked
from memorybank import annotator
from memorybank.annotations import region
from memorybank.annotator import Annotator
from memorybank.share import Share
from memorybank.store import Store
from memorybank_bank import Bank
from memorybank_flow import mqtt_settings, until
from memorybank_parts import START_AT, MemoryBankProcess, ask, note, reading, source_of
from metrics_parts import samples
from real_parts import Broker, Postgres, wait_until

CYCLE_A = [0.0, 0.0, 0.0, 0.0, 89.0, 99.0, 1.0, 0.0]
SWINGING_S = 80
ALL_S = 240
ANOMALY = Anomaly(
    id=uuid.UUID(int=1),
    charge_point_id="CP-1",
    connector=1,
    kind="repeated-current-fluctuation",
    severity="warning",
    phase="opened",
    started_at=START_AT,
    detected_at=START_AT + timedelta(seconds=60),
    updated_at=START_AT + timedelta(seconds=60),
    score=9,
    threshold=8,
    deviation=99.0,
    explanation="9 reversals within 60 s",
)


def swinging(charge_point_id: str = "CP-1") -> Sequence[Reading]:
    """The base scenario for so long that it is an anomaly."""
    return [
        reading(second, CYCLE_A[second % 8], charge_point_id=charge_point_id) for second in range(SWINGING_S)
    ]


CALM = [reading(second, 0.0) for second in range(SWINGING_S, ALL_S)]
"""So long afterwards that it is over."""


@pytest.fixture
def grafana() -> Iterator[GrafanaStandin]:
    with GrafanaStandin() as standin:
        yield standin


@pytest.fixture
def memorybank(
    postgres: Postgres, broker: Broker, grafana: GrafanaStandin, tmp_path: Path
) -> Iterator[MemoryBankProcess]:
    environ = {"GRAFANA_URL": grafana.url, "GRAFANA_TOKEN": EDITOR_TOKEN, "LOG_LEVEL": "DEBUG"}
    process = MemoryBankProcess(postgres, broker, tmp_path / "memorybank.log", environ)
    yield process
    process.kill()
    assert EDITOR_TOKEN not in process.said()


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


def opened(broker: Broker, outbox: Path) -> Any:
    return Publisher.opened("chargepoint:CP-1", outbox, mqtt_settings(broker))


def anomalies(postgres: Postgres) -> list[tuple[Any, ...]]:
    """Return id, phase and end of what is remembered."""
    return ask(
        postgres, "SELECT id, phase, (extract(epoch FROM ended_at) * 1000)::bigint FROM memory.anomalies"
    )


def stored(postgres: Postgres) -> int:
    ((count,),) = ask(postgres, "SELECT coalesce(sum(committed_seq), 0)::int FROM memory.sources")
    assert isinstance(count, int)
    return count


def told(grafana: GrafanaStandin) -> list[dict[str, Any]]:
    return grafana.with_tag("chargebench")


def annotations_of(memorybank: MemoryBankProcess) -> dict[str, Any]:
    """Return what /healthz says of them; the MemoryBank is well whatever Grafana does."""
    status, body = memorybank.get("/healthz")
    assert status == 200
    found: dict[str, Any] = json.loads(body)["annotations"]
    return found


def is_closed(grafana: GrafanaStandin, postgres: Postgres) -> Callable[[], bool]:
    """Return a condition: Grafana knows the end that the memory knows."""

    def closed() -> bool:
        ((_, phase, ended_ms),) = anomalies(postgres) or [(None, "", None)]
        return phase == "closed" and [one["timeEnd"] for one in told(grafana)] == [ended_ms]

    return closed


async def test_an_anomaly_is_a_region_that_ends_when_it_ends(
    memorybank: MemoryBankProcess, grafana: GrafanaStandin, postgres: Postgres, broker: Broker, outbox: Path
) -> None:
    memorybank.start()
    await asyncio.to_thread(memorybank.wait_healthy)
    async with opened(broker, outbox) as publisher:
        for one in swinging():
            publisher.publish(one)
        await until(lambda: told(grafana), "the annotation")
        (annotation,) = told(grafana)
        ((identity, phase, _),) = anomalies(postgres)
        assert phase != "closed"
        assert (annotation["dashboardId"], annotation["panelId"]) == (0, 0)
        assert annotation["tags"][1] == "repeated-current-fluctuation"
        assert annotation["tags"][3:] == ["CP-1", f"anomaly:{identity}"]
        assert annotation["text"].startswith("CP-1 / 1: ")
        assert annotation["time"] < annotation["timeEnd"]
        for one in CALM:
            publisher.publish(one)
        await until(is_closed(grafana, postgres), "the end")
    health = annotations_of(memorybank)
    assert (health["waiting"], health["dropped"], health["problem"]) == (0, 0, None)
    measured = samples("memorybank", memorybank.get("/metrics")[1].decode())
    assert measured["annotations_written_total"] == health["written"] >= 2
    assert measured["waiting_annotations"] == measured["annotations_dropped_total"] == 0


@pytest.mark.parametrize("trouble", ["away", "silent"])
async def test_grafana_in_trouble_is_nothing_to_the_ingest(
    memorybank: MemoryBankProcess,
    grafana: GrafanaStandin,
    postgres: Postgres,
    broker: Broker,
    outbox: Path,
    trouble: str,
) -> None:
    """What is sent meanwhile is committed to the last number; when Grafana is back it learns of it, once."""
    if trouble == "away":
        grafana.stop()
    else:
        grafana.slow_s = 300.0
    memorybank.start()
    await asyncio.to_thread(memorybank.wait_healthy)
    async with opened(broker, outbox) as publisher:
        for one in swinging():
            publisher.publish(one)
        await until(lambda: stored(postgres) == SWINGING_S and anomalies(postgres), "the readings")
        await until(lambda: annotations_of(memorybank)["problem"], "the problem")
        for one in CALM:
            publisher.publish(one)
        await until(lambda: stored(postgres) == ALL_S, "what was sent meanwhile")
        assert annotations_of(memorybank)["waiting"] == 1
        assert told(grafana) == []
        grafana.stop()
        grafana.slow_s = 0.0
        grafana.start()
        await until(is_closed(grafana, postgres), "the annotation")
    await until(lambda: annotations_of(memorybank)["waiting"] == 0, "an end of waiting")
    health = annotations_of(memorybank)
    assert (health["written"], health["dropped"], health["problem"]) == (1, 0, None)


async def test_a_restart_tells_nothing_twice_and_what_was_missed(
    memorybank: MemoryBankProcess, grafana: GrafanaStandin, postgres: Postgres, broker: Broker, outbox: Path
) -> None:
    """Killed twice: once with all told, once with an end that Grafana did not hear."""
    memorybank.start()
    await asyncio.to_thread(memorybank.wait_healthy)
    async with opened(broker, outbox) as publisher:
        for one in swinging():
            publisher.publish(one)
        await until(lambda: stored(postgres) == SWINGING_S and told(grafana), "the annotation")
        memorybank.kill()
        grafana.asked.clear()
        memorybank.start()
        await until(until_asked(grafana, "GET /api/annotations"), "the look for it")
        await asyncio.to_thread(memorybank.wait_healthy)
        await until(lambda: annotations_of(memorybank)["waiting"] == 0, "the look for it")
        assert len(told(grafana)) == 1
        assert not any(one.startswith("POST") for one in grafana.asked)
        grafana.stop()
        for one in CALM:
            publisher.publish(one)
        await until(lambda: anomalies(postgres)[0][1] == "closed", "the end")
        memorybank.kill()
        grafana.start()
        memorybank.start()
        await until(is_closed(grafana, postgres), "the end that was missed")
    assert not any(one.startswith("POST") for one in grafana.asked)


TROUBLES: dict[str, tuple[dict[str, object], str]] = {
    "silent": ({"slow_s": 300.0}, "no answer within"),
    "failing": ({"failing": 503}, "status 503"),
    "endless": ({"endless": True}, "no answer within"),
    "refusing": ({"tokens": {}}, "status 401"),
    "looking only": ({"tokens": {EDITOR_TOKEN: "Viewer"}}, "status 403"),
    "no Grafana": ({"page": b"<html>a message</html>"}, "no JSON"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_any_trouble_is_said_and_waited_out(
    grafana: GrafanaStandin, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Tried on until it goes; what was told meanwhile arrives, once, as it is by then."""
    monkeypatch.setattr(annotator, "_FIRST_DELAY_S", 0.05)
    changes, words = TROUBLES[trouble]
    well = {name: getattr(grafana, name) for name in changes}
    for name, value in changes.items():
        setattr(grafana, name, value)
    with Annotator(GrafanaLink(grafana.address, EDITOR_TOKEN, deadline_s=0.3)) as telling:
        telling.tell(ANOMALY)
        wait_until(lambda: telling.retries >= 2, what="two attempts")
        assert words in (telling.problem or "")
        assert EDITOR_TOKEN not in (telling.problem or "")
        telling.tell(replace(ANOMALY, phase="closed", ended_at=ANOMALY.updated_at))
        assert telling.waiting == 1
        grafana.stop()
        for name, value in well.items():
            setattr(grafana, name, value)
        grafana.start()
        wait_until(lambda: telling.waiting == 0, what="the annotation")
    assert (telling.problem, telling.dropped, telling.written) == (None, 0, 1)
    assert len(told(grafana)) == 1


def test_what_grafana_rejects_is_dropped_and_the_next_told(grafana: GrafanaStandin) -> None:
    grafana.most_tags = 100
    with Annotator(GrafanaLink(grafana.address, EDITOR_TOKEN)) as telling:
        telling.tell(ANOMALY)
        wait_until(lambda: telling.dropped == 1, what="the rejection")
        grafana.most_tags = 500
        telling.tell(replace(ANOMALY, id=uuid.UUID(int=2)))
        wait_until(lambda: telling.written == 1, what="the next")
    assert (telling.retries, telling.waiting) == (0, 0)
    assert grafana.with_tag(f"anomaly:{uuid.UUID(int=2)}")


def test_a_bug_on_one_does_not_end_the_telling_of_the_next(
    grafana: GrafanaStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(anomaly: Anomaly) -> Region:
        if anomaly.id == ANOMALY.id:
            raise ZeroDivisionError
        return region(anomaly)

    monkeypatch.setattr(annotator, "region", broken)
    with Annotator(GrafanaLink(grafana.address, EDITOR_TOKEN)) as telling:
        telling.tell(ANOMALY)
        telling.tell(replace(ANOMALY, id=uuid.UUID(int=2)))
        wait_until(lambda: telling.written == 1, what="the next")
    assert (telling.dropped, telling.waiting) == (1, 0)


def test_two_who_tell_the_same_leave_one(grafana: GrafanaStandin) -> None:
    """As after a restart: another one finds what was written, and has nothing to change."""
    for _ in range(2):
        with Annotator(GrafanaLink(grafana.address, EDITOR_TOKEN)) as telling:
            telling.tell(ANOMALY)
            wait_until(lambda: telling.waiting == 0, what="the annotation")
    assert telling.written == 0
    assert len(told(grafana)) == 1


def test_a_silent_grafana_does_not_hold_up_the_end(grafana: GrafanaStandin) -> None:
    grafana.slow_s = 300.0
    with Annotator(GrafanaLink(grafana.address, EDITOR_TOKEN, deadline_s=60.0)) as telling:
        telling.tell(ANOMALY)
        wait_until(until_asked(grafana, "GET /api/annotations"), what="the question")


async def test_who_share_the_work_tell_each_their_own(postgres: Postgres) -> None:
    """After a restart each goes through the anomalies of its own charge points."""
    names = ["CP-1", "CP-2", "CP-3", "CP-4"]
    whole = await Bank.opened(Store(postgres.writer_url))
    for name in names:
        await whole.tell([*swinging(name), note(1)], source_of(name, f"chargepoint:{name}"))
    await whole.store.aclose()
    found = []
    for share in (Share(1, 2), Share(2, 2)):
        store = Store(postgres.writer_url, share)
        own = [anomaly.charge_point_id for anomaly in await store.recent_anomalies()]
        assert all(share.has(name) for name in own)
        found += own
        await store.aclose()
    assert sorted(found) == names

"""The anomalies on the page: the latest word on each, and when they are forgotten."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from console import anomalies as anomalies_module
from console.anomalies import FORGET_AFTER_S, Anomalies
from contracts.events import Anomaly

NOW_S = 1_700_000_000.0


def anomaly(**more: Any) -> Anomaly:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    values: dict[str, Any] = {
        "id": uuid.UUID(int=1),
        "charge_point_id": "CP-1",
        "connector": 1,
        "kind": "repeated-current-fluctuation",
        "severity": "warning",
        "phase": "opened",
        "started_at": at,
        "detected_at": at,
        "updated_at": at,
        "score": 8.0,
        "threshold": 6.0,
        "deviation": 97.0,
        "explanation": "8 reversals",
    }
    return Anomaly(**{**values, **more})


def test_an_anomaly_is_told_as_it_changes() -> None:
    """Opened, updated, closed: each once, the same word again not at all."""
    anomalies = Anomalies()
    opened = anomaly()
    anomalies.hear(opened, NOW_S)
    anomalies.hear(opened, NOW_S)
    assert anomalies.drain() == [opened]
    later = opened.updated_at + timedelta(seconds=5)
    closed = msgspec.structs.replace(opened, phase="closed", updated_at=later, ended_at=later)
    anomalies.hear(closed, NOW_S + 5)
    assert anomalies.drain() == [closed]


@pytest.mark.parametrize("late_s", [0, 3])
def test_a_late_word_does_not_open_an_anomaly_again(late_s: int) -> None:
    """The list from the MemoryBank may be older than what MQTT told since."""
    anomalies = Anomalies()
    opened = anomaly()
    later = opened.updated_at + timedelta(seconds=late_s)
    closed = msgspec.structs.replace(opened, phase="closed", updated_at=later, ended_at=later)
    anomalies.hear(closed, NOW_S)
    anomalies.hear(opened, NOW_S + 1)
    assert anomalies.all() == [closed]


def test_an_anomaly_whose_close_was_missed_ends_with_the_list() -> None:
    """QoS 0 may lose a close; the list of the open ones tells."""
    anomalies = Anomalies()
    anomalies.hear(anomaly(), NOW_S)
    anomalies.know_open([], asked_at_s=NOW_S + 2)
    (told,) = anomalies.drain()
    assert (told.phase, told.ended_at) == ("closed", told.updated_at)


def test_a_list_asked_for_before_does_not_end_an_anomaly() -> None:
    """What opened while the MemoryBank was answering is not in its list and is open all the same."""
    anomalies = Anomalies()
    anomalies.hear(anomaly(), NOW_S + 2)
    anomalies.know_open([], asked_at_s=NOW_S)
    assert anomalies.all()[0].phase == "opened"


def test_an_ended_anomaly_is_forgotten_after_a_while() -> None:
    """It stays for the graph's marks, then only the MemoryBank has it; an open one stays."""
    anomalies = Anomalies()
    anomalies.hear(anomaly(phase="closed"), NOW_S)
    anomalies.hear(anomaly(id=uuid.UUID(int=2)), NOW_S)
    anomalies.sweep(NOW_S + FORGET_AFTER_S + 1)
    assert [known.id for known in anomalies.all()] == [uuid.UUID(int=2)]


def test_the_anomalies_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the one heard first goes, told or not."""
    monkeypatch.setattr(anomalies_module, "MAX_ANOMALIES", 2)
    anomalies = Anomalies()
    for number in range(4):
        anomalies.hear(anomaly(id=uuid.UUID(int=number)), NOW_S)
    assert [known.id.int for known in anomalies.all()] == [2, 3]
    assert [told.id.int for told in anomalies.drain()] == [2, 3]

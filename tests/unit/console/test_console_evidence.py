"""From when to when an anomaly is looked at, and how finely."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from console.evidence import finenesses, stretch_of
from contracts.events import Anomaly

STARTED_AT = datetime(2026, 1, 1, tzinfo=UTC)
MARGIN = timedelta(minutes=2)


def anomaly(lasted: timedelta | None) -> Anomaly:
    ended_at = None if lasted is None else STARTED_AT + lasted
    return Anomaly(
        id=uuid.UUID(int=1),
        charge_point_id="CP-1",
        connector=1,
        kind="repeated-current-fluctuation",
        severity="warning",
        phase="updated" if ended_at is None else "closed",
        started_at=STARTED_AT,
        detected_at=STARTED_AT + timedelta(seconds=30),
        updated_at=STARTED_AT + timedelta(seconds=40),
        ended_at=ended_at,
        score=8.0,
        threshold=6.0,
        deviation=97.0,
        explanation="8 reversals",
    )


def test_two_minutes_around_what_is_over() -> None:
    """Before its start and after its end."""
    lasted = timedelta(minutes=5)
    now = STARTED_AT + timedelta(days=1)
    assert stretch_of(anomaly(lasted), now) == (STARTED_AT - MARGIN, STARTED_AT + lasted + MARGIN)


@pytest.mark.parametrize("ago", [timedelta(seconds=35), timedelta(hours=3)])
def test_what_is_open_goes_on_until_now(ago: timedelta) -> None:
    """However long ago it was detected; nothing is asked of the future."""
    assert stretch_of(anomaly(None), STARTED_AT + ago) == (STARTED_AT - MARGIN, STARTED_AT + ago)


@pytest.mark.parametrize(
    ("span_s", "finest"), [(300, "reading"), (2 * 3600, "10s"), (20 * 3600, "1m"), (10**9, "1h")]
)
def test_the_fineness_fits_the_points(span_s: float, finest: str) -> None:
    """Every reading while they are few enough, then coarser, at last hourly."""
    assert finenesses(span_s)[0] == finest

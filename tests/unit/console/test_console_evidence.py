"""From when to when an anomaly is looked at, and how finely."""

from datetime import timedelta

import pytest

from console.evidence import finenesses, stretch_of
from console_parts import fluctuation

MARGIN = timedelta(minutes=2)


@pytest.mark.parametrize("lasted_s,until_s", [(60, 180), (5, 133), (90_000, 90_120)])
def test_two_minutes_around_what_is_over(lasted_s: float, until_s: float) -> None:
    """From before its start to after its end, or after its detection where that came later."""
    anomaly = fluctuation(ago_s=3 * 86_400, lasted_s=lasted_s)
    since, until = stretch_of(anomaly, anomaly.started_at + timedelta(days=3))
    assert (since, until) == (anomaly.started_at - MARGIN, anomaly.started_at + timedelta(seconds=until_s))


@pytest.mark.parametrize("ago", [timedelta(seconds=35), timedelta(hours=3)])
def test_what_is_open_goes_on_until_now(ago: timedelta) -> None:
    """However long ago it was detected; nothing is asked of the future."""
    anomaly = fluctuation(ago_s=ago.total_seconds())
    now = anomaly.started_at + ago
    assert stretch_of(anomaly, now) == (anomaly.started_at - MARGIN, now)


@pytest.mark.parametrize(
    "span_s,wanted",
    [
        (240, ["reading", "10s", "1m", "1h"]),
        (1501, ["10s", "1m", "1h"]),
        (4 * 3600, ["10s", "1m", "1h"]),
        (86_400, ["1m", "1h"]),
        (30 * 86_400, ["1h"]),
        (10**9, ["1h"]),
    ],
)
def test_the_fineness_fits_the_points(span_s: float, wanted: list[str]) -> None:
    """The longer, the coarser; what is not kept so finely any more is asked for more coarsely."""
    assert finenesses(span_s) == wanted

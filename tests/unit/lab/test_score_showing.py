"""The scores in a terminal: readable in 80 columns; what does not fit is named, not cut."""

import io
from typing import Any

import pytest
from rich.console import Console

from lab.score import showing
from lab.score.matching import Alarm, Found, Judged, TrueEvent
from lab.score.scores import Gathered
from lab.score.stretches import BENIGN, Kind
from lab.score.tally import Tally
from lab.score.work import OURS, Outcome
from memorybank_parts import START_AT

SWING = "repeated-current-fluctuation"
FOREIGN = "python swings.py"


@pytest.fixture
def scores() -> dict[str, Any]:
    alarm = Alarm("CP-1", SWING, START_AT)
    event = TrueEvent(SWING, frozenset({SWING}), frozenset({"CP-1"}), START_AT, START_AT, START_AT)
    found, calm = Tally(), Tally()
    found.add(Judged((Found(event, (alarm,)), Found(event)), ()), 1.0)
    calm.add(Judged((), (alarm, Alarm("CP-2", "profile-throttling", START_AT))), 3.0)
    gathered = Gathered()
    for kind, tally in ((Kind(SWING, "A1", frozenset({SWING})), found), (Kind(BENIGN), calm)):
        gathered.add(Outcome(kind, {OURS: tally, FOREIGN: Tally()}, 0.0))
    return gathered.scores({}, (), (), (FOREIGN,))


def shown(scores: dict[str, Any], width: int, *, is_terminal: bool = True) -> str:
    file = io.StringIO()
    showing.show(Console(file=file, width=width, force_terminal=is_terminal, color_system=None), scores)
    return file.getvalue()


def test_80_columns_hold_what_counts(scores, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    text = shown(scores, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "\u2026 \u2502" not in text  # nothing ends in dots
    assert f"\u2502 {SWING} \u2502 0.500 (0.01\u20260.99) \u2502 0, 0   \u2502 100%  \u2502" in text
    assert "profile-throttling 1," in text
    assert "left out in this width: from physical start s, alarms an event, events" in text
    assert f"{FOREIGN}: Anomalies" in text
    assert text.endswith("No trivial baseline was judged.\n")


def test_a_wide_terminal_has_all_of_it(scores, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    text = shown(scores, 160)
    assert "left out" not in text
    assert f"\u2502 A1  \u2502 {SWING} \u2502      2 \u2502" in text


def test_to_a_program_it_is_lines_with_tabs(scores):
    lines = shown(scores, 80, is_terminal=False).splitlines()
    assert f"A1\t{SWING}\t2\t0.500 (0.01\u20260.99)\t0, 0\t0, 0\t100%\t1\t0" in lines

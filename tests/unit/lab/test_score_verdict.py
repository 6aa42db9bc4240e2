"""The verdict's words: every way in which baselines can stand beside ours, told as it is."""

from typing import Any

import pytest

from lab.score.scores import verdict

CHANCE, STEPS = "random", "|di| > θ"


def row(
    scenario: str, ours: tuple[float, int], events: int = 4, **theirs: tuple[float, int]
) -> dict[str, Any]:
    """Return a row: recall and false alarms of ours and of two baselines."""

    def figures(recall: float, false_alarms: int) -> dict[str, Any]:
        return {"recall": recall if events else None, "false_alarms": false_alarms}

    names = {CHANCE: theirs["chance"], STEPS: theirs["steps"]}
    return {
        "scenario": scenario,
        "events": events,
        **figures(*ours),
        "baselines": {name: figures(*values) for name, values in names.items()},
    }


def told(rows: list[dict[str, Any]], benign: list[dict[str, Any]]) -> str:
    return verdict(rows, benign, (CHANCE, STEPS))


def calm(ours: int, chance: int, steps: int) -> list[dict[str, Any]]:
    """Return life without events, with so many false alarms."""
    return [row("benign life", (0.0, ours), 0, chance=(0.0, chance), steps=(0.0, steps))]


def test_none_wins():
    swing = row("swing", (1.0, 0), chance=(0.5, 0), steps=(1.0, 3))
    assert told([swing], calm(0, 0, 0)) == "No trivial baseline wins on the whole. Nor on any scenario."


def test_one_wins_by_fewer_false_alarms():
    swing = row("swing", (0.75, 0), chance=(0.5, 0), steps=(0.75, 0))
    assert told([swing], calm(2, 0, 1)) == (
        "On the whole |di| > θ (mean recall 0.75, 1 false alarm) wins over ours"
        " (mean recall 0.75, 2 false alarms). On no scenario is a recall higher than ours."
    )


def test_two_win_by_recall():
    swing = row("swing", (0.5, 0), chance=(0.75, 0), steps=(1.0, 0))
    assert told([swing], calm(1, 1, 0)) == (
        "On the whole random (mean recall 0.75, 1 false alarm), |di| > θ (mean recall 1, 0 false alarms) win"
        " over ours (mean recall 0.5, 1 false alarm)."
        " A higher recall than ours: random on swing; |di| > θ on swing."
    )


def test_who_is_as_good_as_ours_does_not_win():
    swing = row("swing", (1.0, 0), chance=(0.5, 0), steps=(1.0, 0))
    assert told([swing], calm(0, 0, 0)) == (
        "On the whole |di| > θ equals ours (mean recall 1, 0 false alarms)."
        " On no scenario is a recall higher than ours."
    )


def test_one_wins_and_another_is_as_good():
    swing = row("swing", (0.5, 1), chance=(0.5, 1), steps=(0.5, 0))
    assert told([swing], []) == (
        "On the whole |di| > θ (mean recall 0.5, 0 false alarms) wins over ours"
        " (mean recall 0.5, 1 false alarm)."
        " On the whole random equals ours (mean recall 0.5, 1 false alarm)."
        " On no scenario is a recall higher than ours."
    )


def test_better_on_a_scenario_and_not_on_the_whole():
    rows = [
        row("swing", (0.5, 0), chance=(0.25, 0), steps=(1.0, 0)),
        row("drift", (1.0, 0), chance=(0.0, 0), steps=(0.0, 0)),
    ]
    assert told(rows, calm(0, 0, 0)) == (
        "No trivial baseline wins on the whole. A higher recall than ours: |di| > θ on swing."
    )


def test_false_alarms_beside_events_count_on_the_whole():
    """Without benign life who always cries finds everything, and is wrong before it."""
    swing = row("swing", (1.0, 0), chance=(0.5, 0), steps=(1.0, 7))
    assert told([swing], []) == "No trivial baseline wins on the whole. Nor on any scenario."


@pytest.mark.parametrize("rows", [[], [row("swing", (0.0, 0), 0, chance=(0.0, 0), steps=(0.0, 0))]])
def test_nothing_was_to_be_found(rows):
    assert told(rows, calm(0, 1, 1)) == "No anomaly was judged."


def test_without_baselines_none_is_said_to_lose():
    """As of a bench's memory."""
    swing = row("swing", (1.0, 0), chance=(0.5, 0), steps=(1.0, 7))
    assert verdict([swing], [], ()) == "No trivial baseline was judged."

"""How far long work is: what is told of it."""

import pytest

from lab.progress import Progress, line


def test_how_long_it_takes_is_told_once_it_can_be_known() -> None:
    assert line(0.0, "0 of 40 stretches", 2.0) == "0 of 40 stretches after 2 s"
    assert line(0.25, "10 of 40 stretches", 20.0) == "10 of 40 stretches after 20 s, about 60 s to go"
    assert line(1.0, "40 of 40 stretches", 80.0) == "40 of 40 stretches after 80 s"


def test_a_log_is_told_every_tenth_and_the_end_once(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    for done in (0, 0, 1, 3, 4, 4, 5, 12, 38, 40, 40):
        progress.tell(done / 40, f"{done} of 40")
    progress.over()
    told = [line.partition(" after")[0] for line in capsys.readouterr().out.splitlines()]
    assert told == ["4 of 40", "12 of 40", "38 of 40", "40 of 40"]

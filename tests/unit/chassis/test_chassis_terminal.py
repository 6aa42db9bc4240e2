"""Text for a terminal."""

import pytest

from chassis.terminal import plural


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 buses"), (1, "1 bus"), (2, "2 buses"), (12_345, "12,345 buses")]
)
def test_a_number_has_its_word(count: int, told: str) -> None:
    assert plural(count, "bus", "buses") == told


def test_most_words_take_an_s() -> None:
    assert (plural(1, "run"), plural(2, "run")) == ("1 run", "2 runs")

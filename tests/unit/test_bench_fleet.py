"""The fleet's figures: what each further charge point costs, how all come back."""

from bench.fleet import Figures, most_in_a_second, rows


def figures(
    charge_points: int, megabytes: float, cpu_ms: float = 1.0, back_s: float = 5.0, gone: int = 0
) -> Figures:
    return Figures(
        charge_points=charge_points,
        uss_bytes=megabytes * 1e6,
        cpu_ms=cpu_ms,
        back_s=back_s,
        most_back_in_a_second=3,
        transactions_gone=gone,
    )


def test_memory_is_what_lies_between_the_fleets_for_each_charge_point_of_the_difference() -> None:
    memory, *_ = rows(figures(1, 60), figures(100, 70), figures(1000, 151))
    assert (memory.ours, memory.baseline, memory.met) == (90, 60_000, True)
    memory, *_ = rows(figures(1, 60), figures(100, 70), figures(1000, 161))
    assert memory.met is False


def test_each_goal_is_judged() -> None:
    good = [row.met for row in rows(figures(1, 60), figures(100, 70), figures(1000, 100, 1.2, 29.9))]
    assert good == [True, True, True, None, True]
    bad = [row.met for row in rows(figures(1, 60), figures(100, 70), figures(1000, 900, 1.3, 30.1, 1))]
    assert bad == [False, False, False, None, False]


def test_the_steepest_second_is_found() -> None:
    assert most_in_a_second([(0.0, 0)]) == 0
    assert most_in_a_second([(0.0, 0), (0.5, 10), (1.0, 30), (1.5, 35), (3.0, 100)]) == 43
    assert most_in_a_second([(0.0, 0), (4.0, 100)]) == 25

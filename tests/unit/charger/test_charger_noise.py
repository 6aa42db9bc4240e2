import statistics

from charger import noise


def draws(generator, count):
    values = []
    for _ in range(count):
        value, generator = noise.normal(generator)
        values.append(value)
    return values


def test_same_seed_draws_the_same():
    assert draws(noise.seeded(1, 2), 20) == draws(noise.seeded(1, 2), 20)


def test_neighbouring_seeds_draw_differently():
    firsts = {noise.uniform(noise.seeded(seed, bus))[0] for seed in range(20) for bus in range(20)}
    assert len(firsts) == 400


def test_normal_draws_are_standard_normal_and_unrelated():
    values = draws(noise.seeded(7), 4000)
    assert abs(statistics.mean(values)) < 0.06
    assert 0.96 < statistics.stdev(values) < 1.04
    assert abs(statistics.correlation(values[:-1], values[1:])) < 0.05


def test_uniform_stays_inside_of_zero_and_one():
    for state in (0, 2**64 - 1):
        share, _ = noise.uniform(noise.Noise(state))
        assert 0 < share < 1
    assert noise.uniform(noise.seeded(1))[0] != noise.uniform(noise.uniform(noise.seeded(1))[1])[0]

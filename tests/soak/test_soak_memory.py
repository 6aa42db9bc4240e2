"""Ten minutes of what tests/e2e/test_e2e_chaos.py does for one: `make soak MINUTES=10 SEED=1`."""

import os

import pytest

from bench import chaos

MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))
SEED = int(os.environ.get("SOAK_SEED", "1"))


@pytest.mark.soak
async def test_a_long_flow_under_random_deaths_loses_nothing() -> None:
    """500 events/s; the moments of the deaths are the same for the same seed."""

    def tell(second: float) -> None:
        if second % 30 == 0:
            print(f"{MINUTES - second / 60:5.1f} min left", flush=True)

    outcome = await chaos.run(MINUTES * 60, SEED, tell)
    print(f"seed {SEED}: {outcome}")
    assert (outcome.lost, outcome.duplicated) == (0, 0)
    assert outcome.wrong_sums == []
    assert outcome.crashes == []

"""What was learned, on a real PostgreSQL: versions, a restart, a drift that a person agrees with."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from contracts.events import FLEET
from memorybank.baselines import Baseline
from memorybank.learning import Learning, Proposal, Version
from memorybank.share import Share
from memorybank.store import Store
from memorybank.tables import Remembered
from memorybank.work import Work
from memorybank_parts import ask
from real_parts import Postgres

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def baseline(charge_point_id: str = "CP-1", **more: object) -> Baseline:
    known: dict[str, object] = {
        "charge_point_id": charge_point_id,
        "connector": 0 if charge_point_id == FLEET else 1,
        "metric": "commanded_a",
        "phase": "charging",
        "sessions": 21,
        "samples": 2500,
        "mean": 100.25,
        "variance": 0.5,
        "histogram": [0.0] * 5 + [1.0] + [0.0] * 26,
        "recent_mean": 101.0,
        "anchor_mean": 100.0,
        "anchor_sd": 1.0,
        "rise": 0.75,
        "updated_at": AT,
        "version": 1,
    }
    return Baseline(**(known | more))  # type: ignore[arg-type]


def version(number: int, *changed: Baseline, proposals: tuple[Proposal, ...] = ()) -> Version:
    at = AT + timedelta(minutes=10 * number)
    return Version(number=number, at=at, sessions=3, changed=list(changed), proposals=list(proposals))


PROPOSAL = Proposal(
    charge_point_id="CP-1",
    connector=1,
    metric="commanded_a",
    phase="charging",
    proposed_at=AT,
    known_mean=100.0,
    known_sd=1.0,
    mean=104.5,
    version=2,
)


@pytest.fixture
async def store(postgres: Postgres) -> AsyncIterator[Store]:
    store = Store(postgres.writer_url)
    await store.load()
    yield store
    await store.aclose()


async def found_by(postgres: Postgres, share: Share = Share()) -> Remembered:  # noqa: B008 - frozen
    """Return what the next process of a share finds."""
    store = Store(postgres.writer_url, share)
    remembered = await store.load()
    await store.aclose()
    return remembered


async def test_what_was_learned_is_there_after_a_restart(store: Store, postgres: Postgres) -> None:
    """To the last digit; of two versions the later one stands."""
    await store.save(Work(learned=version(1, baseline(), baseline(FLEET))))
    later = baseline(version=2, mean=100.5, updated_at=AT + timedelta(hours=1))
    await store.save(Work(learned=version(2, later)))
    await store.aclose()
    remembered = await found_by(postgres)
    assert {b.charge_point_id: b for b in remembered.baselines} == {"CP-1": later, FLEET: baseline(FLEET)}
    assert remembered.version == 2
    assert remembered.agreed == []
    assert ask(postgres, "SELECT version, sessions, changed FROM dash.baseline_versions ORDER BY 1") == [
        (1, 3, 2),
        (2, 3, 1),
    ]
    learning = Learning()
    learning.load(remembered.baselines, remembered.version, remembered.agreed)
    expected = learning.expectation("CP-1", 1)("commanded_a", "charging")
    assert expected is not None
    assert expected.mean == pytest.approx(100.42, abs=0.01)


async def test_a_drift_waits_for_a_person(store: Store, postgres: Postgres) -> None:
    """What is agreed with is found at the next start, until it drifts again."""
    held = baseline(version=2, is_held=True)
    await store.save(Work(learned=version(2, held, proposals=(PROPOSAL,))))
    await store.aclose()
    assert (await found_by(postgres)).agreed == []
    with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
        connection.execute("UPDATE memory.baseline_proposals SET agreed_at = now() WHERE connector = 1")
    remembered = await found_by(postgres)
    assert remembered.agreed == [PROPOSAL]
    learning = Learning()
    learning.load(remembered.baselines, remembered.version, remembered.agreed)
    assert learning.baselines["CP-1", 1, "commanded_a", "charging"].mean == 104.5
    with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
        connection.execute("UPDATE memory.baseline_proposals SET agreed_mean = 103")
        connection.execute(
            "INSERT INTO memory.baseline_proposals SELECT charge_point_id, connector, metric, 'ramp',"
            " proposed_at, known_mean, known_sd, mean, 5, partition FROM memory.baseline_proposals"
        )
    assert [proposal.mean for proposal in (await found_by(postgres)).agreed] == [103.0]
    with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
        connection.execute("UPDATE memory.baseline_proposals SET phase = 'charging'")
    assert (await found_by(postgres)).agreed == []


async def test_versions_are_bounded(store: Store, postgres: Postgres) -> None:
    """The last ten thousand; the same work again adds none."""
    await store.save(Work(learned=version(1, baseline())))
    for _ in range(2):
        await store.save(Work(learned=version(10_001, baseline())))
    assert ask(postgres, "SELECT version FROM memory.baseline_versions") == [(10_001,)]


async def test_shares_learn_apart(postgres: Postgres) -> None:
    """Each its own fleet and versions; a charge point goes where its share goes."""
    shares = Share.parse("1/2"), Share.parse("2/2")
    names = [next(f"CP-{n}" for n in range(100) if share.has(f"CP-{n}")) for share in shares]
    for share, name, mean in zip(shares, names, (10.0, 20.0), strict=True):
        store = Store(postgres.writer_url, share)
        await store.load()
        await store.save(Work(learned=version(1, baseline(name, mean=mean), baseline(FLEET, mean=mean))))
        await store.aclose()
    for share, name, mean in zip(shares, names, (10.0, 20.0), strict=True):
        remembered = await found_by(postgres, share)
        assert {b.charge_point_id: b.mean for b in remembered.baselines} == {name: mean, FLEET: mean}
        assert remembered.version == 1
    whole = await found_by(postgres)
    assert {b.charge_point_id for b in whole.baselines} == {*names, FLEET}

"""What a bench found, and foreign detectors on it, against the truth of its own memory."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts import topics
from contracts.events import AnyEvent, Reading, ScenarioLabel
from contracts.topics import Source
from contracts.verdicts import Verdict
from csms import scenario_file
from lab.score import remembered
from lab.score.__main__ import main
from lab.score.work import OURS
from memorybank.errors import MemoryBankError, WrongQuestion
from memorybank.filters import EVERYTHING, Filters
from memorybank.reader import Reader
from memorybank.store import Store
from memorybank_bank import Bank
from memorybank_parts import START_AT, reading, source_of
from real_parts import Postgres

SWING = "repeated-current-fluctuation"
SUN = "h3-solar-surplus"
SCENARIOS = scenario_file.load_directory(Path(__file__).parents[2] / "scenarios")[0].values()


def at(seconds: float) -> datetime:
    return START_AT + timedelta(seconds=seconds)


def label(
    phase: str, seconds: float, run_id: str = "r1", scenario: str = SWING, place: str = "CP-1"
) -> ScenarioLabel:
    return ScenarioLabel(
        at=at(seconds),
        run_id=run_id,
        scenario=scenario,
        anomaly=None if scenario == SUN else scenario,
        phase=phase,  # type: ignore[arg-type]
        charge_point_ids=[place],
        seed=2**63,
    )


def verdict(detector: str, seconds: float, charge_point_id: str = "CP-1", kind: str = SWING) -> Verdict:
    return Verdict(detector=detector, kind=kind, charge_point_id=charge_point_id, connector=1, at=at(seconds))


def swinging() -> list[AnyEvent]:
    """Quiet, then up and down every eight seconds from second 60 on."""

    def current_a(second: int) -> float:
        return 99.0 if second < 60 or second % 8 < 3 else 0.0

    found: list[AnyEvent] = [reading(second, current_a(second)) for second in range(180)]
    quiet = [
        Reading(at=at(second), charge_point_id="CP-2", connector=1, origin="can") for second in range(60)
    ]
    return [*found, *quiet]


@pytest.fixture
def ran(postgres: Postgres) -> Postgres:
    """A memory of one swing, one event that nobody found, and three detectors beside ours."""

    async def live() -> None:
        bank = await Bank.opened(Store(postgres.writer_url))
        await bank.tell(swinging())
        truth = Source("csms:csms-1", "truth", topics.partition_of("CP-1"))
        labels = [label("started", 60), label("ended", 180), label("started", 200, "r2", "soc-spoofing")]
        await bank.tell([*labels, label("ended", 210, "r2", "soc-spoofing")], truth)
        sun = [
            label("started", 60, "h1", SUN, "CP-2"),
            label("ended", 90, "h1", SUN, "CP-2"),
            label("started", 100, "h2", SUN, "CP-2"),
            label("ended", 160, "h2", SUN, "CP-2"),
        ]
        await bank.tell(sun, Source("csms:csms-1", "truth", topics.partition_of("CP-2")))
        said = [
            verdict("early", 50),  # it stood before the event: it did not find it
            verdict("good", 80),
            verdict("good", 100),
            verdict("good", 120, "CP-2"),  # nothing was there
            verdict("misled", 90, kind="strange"),
        ]
        await bank.store.save_verdicts(said, [], at(125))
        while await bank.store.roll_up(range(16)):
            pass
        await bank.store.aclose()

    asyncio.run(live())
    assert source_of().partition == topics.partition_of("CP-1")
    return postgres


def test_all_who_looked_are_judged_alike(ran: Postgres) -> None:
    with Reader(ran.writer_url) as reader:
        run = remembered.read(reader, EVERYTHING)
    assert run.foreign == ["early", "good", "misled"]
    scores = remembered.gathered(run, SCENARIOS).scores({}, (), (), run.foreign)
    rows = {row["scenario"]: row for row in scores["rows"]}
    swing = rows[SWING]
    assert (swing["events"], swing["detected"], swing["named"]) == (1, 1, 1)  # ours
    assert [swing["foreign"][name]["detected"] for name in run.foreign] == [0, 1, 1]
    assert [swing["foreign"][name]["named"] for name in run.foreign] == [0, 1, 0]
    assert swing["foreign"]["good"]["delay_from_command_s"]["median"] == 20.0
    assert rows["soc-spoofing"]["detected"] == 0
    assert rows["soc-spoofing"]["foreign"]["good"]["events"] == 1
    sun, whole = scores["benign"]
    assert (sun["scenario"], sun["number"]) == (SUN, "H3")
    assert sun["charge_point_days"] == pytest.approx(90 / 86_400)
    assert [sun["foreign"][name]["false_alarms"] for name in run.foreign] == [0, 1, 0]
    assert sun["false_alarms"] == whole["false_alarms"] == 0
    assert [whole["foreign"][name]["false_alarms"] for name in run.foreign] == [1, 1, 0]
    # Three or four minutes of CP-1 and one or two of CP-2, as the clock cuts them.
    assert 4 / 1440 <= whole["charge_point_days"] <= 6 / 1440
    assert run.heard_after_s["good"] == [45.0, 25.0, 5.0]
    assert OURS not in run.heard_after_s


def test_what_began_before_is_neither_counted_nor_false(ran: Postgres) -> None:
    with Reader(ran.writer_url) as reader:
        # After both runs of the sun began; the clock cuts the first minute that counts, at 110 … 170 s.
        run = remembered.read(reader, Filters(since=at(110)))
        scores = remembered.gathered(run, SCENARIOS).scores({}, (), (), run.foreign)
        assert [row["scenario"] for row in scores["rows"]] == ["soc-spoofing"]
        (whole,) = scores["benign"]
        assert whole["foreign"]["good"]["false_alarms"] == 1
        assert "early" not in run.foreign
        with pytest.raises(WrongQuestion, match="nothing was observed"):
            remembered.read(reader, Filters(until=datetime(2020, 1, 1, tzinfo=UTC)))


def test_who_may_not_see_the_truth_judges_nothing(ran: Postgres) -> None:
    with Reader(ran.reader_url) as reader, pytest.raises(MemoryBankError, match="truth"):
        remembered.read(reader, EVERYTHING)


def test_it_is_a_command(ran: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["score", "--memory", "--database", ran.writer_url, "--out", str(tmp_path)]
    assert main(line) == 0
    assert "heard after the instant that it tells (median, p95): 25.0 s, 45.0 s" in capsys.readouterr().out
    assert SWING in (tmp_path / "score.md").read_text(encoding="utf-8")
    assert main([*line, "--until", "2020-01-01"]) == 2
    assert "nothing was observed in that time" in capsys.readouterr().err

"""A data set: the same with any number of workers, read again as it was told, the truth apart."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.events import AnyEvent, CanFrameSeen, Reading, ScenarioLabel, TransactionStarted
from csms import mix_file, scenario_file
from csms.mix import course
from lab.data_set import reader
from lab.data_set.reader import NoDataSet
from lab.simulated import __main__ as command
from lab.simulated.bench import Bench
from lab.simulated.fleet import Fleet, plan

SCENARIOS = Path(__file__).parents[3] / "scenarios"
SCENARIO = "repeated-current-fluctuation"


def made(directory: Path, *more: str) -> Path:
    out = directory / "-".join(("set", *more))
    line = ["simulate", "--charge-points", "2", "--days", "0.5", "--mix", SCENARIO, "--every-hours", "4"]
    assert command.main([*line, "--scenarios", str(SCENARIOS), "--out", str(out), *more]) == 0
    return out


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("data"), "--workers", "1")


def simulated() -> Iterator[AnyEvent]:
    scenario = scenario_file.load(SCENARIOS / f"{SCENARIO}.toml")
    fleet = Fleet(charge_points=2, days=0.5, seed=1, scenarios=(scenario,), every_h=4.0)
    plans = [plan(fleet, number) for number in range(2)]
    bench = Bench(plans, seed=1, begin_at=command.BEGIN_AT, shows_wire=False)
    return bench.run(fleet.lasts_in_all_s)


def test_what_is_read_is_what_was_simulated(data_set: Path) -> None:
    """Every event, in the order of arrival; labels are kept apart."""
    told = list(simulated())
    assert list(reader.events(data_set)) == [e for e in told if not isinstance(e, ScenarioLabel)]
    assert sorted(reader.labels(data_set), key=lambda e: (e.at, e.phase)) == sorted(
        (e for e in told if isinstance(e, ScenarioLabel)), key=lambda e: (e.at, e.phase)
    )


def test_number_of_workers_changes_nothing(data_set: Path, tmp_path: Path) -> None:
    other = made(tmp_path, "--workers", "2")
    for name in ("readings", "events", "labels"):
        assert (other / f"{name}.parquet").read_bytes() == (data_set / f"{name}.parquet").read_bytes()


def test_it_holds_sessions_and_runs(data_set: Path) -> None:
    events = list(reader.events(data_set))
    assert any(isinstance(event, TransactionStarted) for event in events)
    assert not any(isinstance(event, CanFrameSeen) for event in events)
    readings = [event for event in events if isinstance(event, Reading)]
    assert {event.origin for event in readings} == {"can", "ocpp"}
    labels = reader.labels(data_set)
    assert {label.phase for label in labels} == {"started", "ended"}
    assert all(label.at - command.BEGIN_AT < timedelta(days=0.5) for label in labels)


def test_wire_is_kept_on_demand(tmp_path: Path) -> None:
    out = tmp_path / "wire"
    line = [
        "simulate",
        "--charge-points",
        "1",
        "--days",
        "0.2",
        "--wire",
        "--workers",
        "1",
        "--out",
        str(out),
    ]
    assert command.main(line) == 0
    assert any(isinstance(event, CanFrameSeen) for event in reader.events(out))


def test_card_says_what_it_is(data_set: Path) -> None:
    card = (data_set / "README.md").read_text(encoding="utf-8")
    assert "--workers 1" in card
    assert "| `soc_percent` |" in card
    assert SCENARIO in card
    assert not list(data_set.glob("parts-*"))


def test_full_directory_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("mine")
    assert command.main(["simulate", "--out", str(tmp_path)]) == 2
    assert "new or an empty directory" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_unknown_scenario_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["simulate", "--mix", "nonsense", "--scenarios", str(SCENARIOS), "--out", str(tmp_path / "x")]
    assert command.main(line) == 2
    assert "nonsense" in capsys.readouterr().err


def test_the_file_of_a_mix_is_lived_as_on_a_bench() -> None:
    """The same scenarios, parameters and seeds, in the same order; pauses as long or longer."""
    known, _ = scenario_file.load_directory(SCENARIOS)
    mix = mix_file.load(SCENARIOS / "mixes" / "attacks-and-life.toml", known)
    scenarios = tuple(known[entry.scenario] for entry in mix.runs)
    fleet = Fleet(charge_points=1, days=2.0, seed=5, scenarios=scenarios, mix=mix)
    runs = plan(fleet, 0).runs
    drawn = list(itertools.islice(course(mix, known, 5, "CP-1"), len(runs)))
    assert len(runs) > 20
    assert [(run.scenario.name, run.parameters, run.seed, run.lasts_s) for run in runs] == [
        (one.scenario.name, one.parameters, one.seed, one.lasts_s) for one in drawn
    ]
    for before, run, one in zip(runs, runs[1:], drawn[1:], strict=False):
        assert run.start_s >= before.start_s + (before.lasts_s or 0.0) + one.pause_s


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--mix", str(SCENARIOS / "mixes" / "fleet-in-phase.toml")], "run it on a bench"),
        (["--mix", "fleet-in-phase"], "run it on a bench"),
        (["--mix", "nowhere.toml"], "nowhere.toml: there is no such file; mixes by name: attacks-and-life, "),
        (["--mix", "attack"], "no scenario or mix attack in "),
        (
            ["--mix", "attack"],
            "of which one stands alone: attacks-and-life, every-layer-in-turn, fleet-in-phase",
        ),
        (["--scenarios", "nowhere", "--mix", "all"], "nowhere: there is no such directory"),
        (
            ["--mix", str(SCENARIOS / "mixes" / "attacks-and-life.toml"), "--every-hours", "1"],
            "the pauses are the mix's own",
        ),
    ],
)
def test_a_mix_that_cannot_be_lived_is_told(more, complaint, tmp_path, capsys) -> None:
    line = ["simulate", "--scenarios", str(SCENARIOS), "--out", str(tmp_path / "x"), *more]
    assert command.main(line) == 2
    assert complaint in capsys.readouterr().err


def test_a_mix_is_named_by_its_name_or_its_file(tmp_path: Path) -> None:
    """A day in which nobody is there, so that it is short."""
    for number, mix in enumerate(("attacks-and-life", str(SCENARIOS / "mixes" / "attacks-and-life.toml"))):
        out = tmp_path / str(number)
        line = ["simulate", "--charge-points", "1", "--days", "0.01", "--workers", "1", "--mix", mix]
        assert command.main([*line, "--scenarios", str(SCENARIOS), "--out", str(out)]) == 0
        assert "| mix | attacks-and-life, " in (out / "README.md").read_text(encoding="utf-8")


def test_directory_without_a_data_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoDataSet, match="chargebench simulate"):
        list(reader.events(tmp_path))

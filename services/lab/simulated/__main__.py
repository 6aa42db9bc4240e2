"""`chargebench simulate`: a data set of many charge points' life, much faster than real time."""

import argparse
import importlib.metadata
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from chassis.command_line import Parser, whole
from chassis.terminal import plural
from csms import mix_file, scenario_file
from csms.mix import Mix
from csms.mix_file import MIXES, MixFileError
from csms.scenario import Scenario
from csms.scenario_file import ScenarioFileError
from lab.data_set import card
from lab.data_set.card import Made
from lab.data_set.parts import Part, join
from lab.pool import interrupted_by_sigterm
from lab.progress import Progress
from lab.simulated.fleet import BEGIN_AT, Fleet, can_gather
from lab.simulated.gatherings import FEWEST
from lab.simulated.workers import blocks_of, simulate

MOST_CHARGE_POINTS = 500
BENIGN, ALL = "benign", "all"
USUAL_EVERY_H = 24.0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="chargebench simulate",
        description="Simulate charge points from the cores of the real services and write what a watcher sees"
        " (readings.parquet, events.parquet), the truth (labels.parquet) and a data card (README.md).",
        epilog="Example: chargebench simulate --charge-points 10 --days 1"
        " --mix repeated-current-fluctuation --seed 7 --out data-set",
    )
    parser.add_argument(
        "--charge-points", type=whole(1, MOST_CHARGE_POINTS), default=10, metavar="N", help="default 10"
    )
    parser.add_argument("--days", type=_above_0, default=1.0, metavar="D", help="of life (default 1)")
    parser.add_argument(
        "--mix",
        default=BENIGN,
        metavar="NAMES",
        help=f"scenarios, comma-separated; or {ALL}; or {BENIGN} (default): life alone; "
        "or a mix, by its name or its file NAME.toml (docs/scenarios.md)",
    )
    parser.add_argument(
        "--every-hours",
        type=_above_0,
        metavar="H",
        help=f"between two runs (default {USUAL_EVERY_H:g}); a mix has pauses of its own",
    )
    parser.add_argument(
        "--run-seconds", type=_above_0, metavar="S", help="of each run (default: as its file says)"
    )
    parser.add_argument(
        "--ac-percent",
        type=whole(0, 100),
        default=0,
        metavar="P",
        help="of charge points with alternating current, at work (default 0)",
    )
    parser.add_argument("--seed", type=whole(0, 2**31), default=1, metavar="S", help="default 1")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or empty directory")
    parser.add_argument(
        "--workers",
        type=whole(1, 256),
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes; the result is the same with any number (default: one a core)",
    )
    parser.add_argument(
        "--meter-interval",
        type=whole(1, 900),
        default=10,
        metavar="S",
        help="between MeterValues (default 10)",
    )
    parser.add_argument(
        "--wire", action="store_true", help="also every CAN frame and OCPP message: much larger"
    )
    parser.add_argument(
        "--scenarios", type=Path, default=Path("scenarios"), metavar="DIR", help="of scenario files"
    )
    return parser.parse_args(arguments)


def main(line: list[str]) -> int:
    """Run it; exit status 0: it worked, 2: it could not start."""
    arguments = _parse(line[1:])
    out: Path = arguments.out
    try:
        scenarios, mix = _mixed(arguments.scenarios, arguments.mix)
        if mix is not None and arguments.every_hours is not None:
            raise ScenarioFileError("--every-hours: the pauses are the mix's own")  # noqa: TRY301
        fleet = Fleet(
            charge_points=arguments.charge_points,
            days=arguments.days,
            seed=arguments.seed,
            scenarios=scenarios,
            every_h=arguments.every_hours or USUAL_EVERY_H,
            mix=mix,
            lasts_s=arguments.run_seconds,
            sample_interval_s=arguments.meter_interval,
            ac_share=arguments.ac_percent / 100,
        )
        _demand_enough(fleet, arguments.mix)
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ScenarioFileError(f"{out}: is there already; name a new or an empty directory")  # noqa: TRY301
        out.mkdir(parents=True, exist_ok=True)
    except (ScenarioFileError, MixFileError, OSError) as error:
        print(f"chargebench simulate: {error}", file=sys.stderr)
        return 2
    try:
        interrupted_by_sigterm()
        _make(fleet, out, line, workers=arguments.workers, shows_wire=arguments.wire)
    except KeyboardInterrupt:
        shutil.rmtree(out, ignore_errors=True)
        print("\nended; nothing is left of it", file=sys.stderr)
        return 130
    return 0


def _make(fleet: Fleet, out: Path, line: list[str], *, workers: int, shows_wire: bool) -> None:
    started_s = time.monotonic()
    progress = Progress()
    with tempfile.TemporaryDirectory(dir=out, prefix="parts-", ignore_cleanup_errors=True) as parts:
        directory = Path(parts)
        lived = simulate(
            fleet,
            BEGIN_AT,
            directory,
            workers=workers,
            shows_wire=shows_wire,
            tell=lambda share: progress.tell(share, f"{share:6.1%}"),
        )
        progress.over()
        print("joining the parts …", flush=True)
        numbers = range(fleet.charge_points)
        rows = join([Part(directory, number) for number in numbers], blocks_of(fleet, BEGIN_AT), out)
    made = Made(
        command=shlex.join(["chargebench", *line]),
        version=importlib.metadata.version("chargebench"),
        begin_at=BEGIN_AT,
        days=fleet.days,
        charge_points=fleet.charge_points,
        seed=fleet.seed,
        scenarios=tuple(scenario.name for scenario in fleet.scenarios),
        mix=None if fleet.mix is None else fleet.mix.name,
        every_h=fleet.every_h,
        lasts_s=fleet.lasts_s,
        sample_interval_s=fleet.sample_interval_s,
        shows_wire=shows_wire,
        occupied_share=lived.occupied_share,
    )
    (out / "README.md").write_text(card.text(made, rows), encoding="utf-8")
    took_s = time.monotonic() - started_s
    for name, count in rows.items():
        size = (out / f"{name}.parquet").stat().st_size
        print(f"{name}.parquet  {plural(count, 'row')}, {size / 1e6:,.1f} MB")
    print(
        f"{lived.life_s / 86_400:,.1f} charge-point days, occupied {lived.occupied_share:.1%} of the time,"
        f" in {took_s:,.0f} s: {lived.life_s / lived.processor_s:,.0f} s of life"
        f" ({lived.occupied_s / lived.processor_s:,.0f} s occupied) per second and core"
    )


def _mixed(directory: Path, named: str) -> tuple[tuple[Scenario, ...], Mix | None]:
    """Return what runs: the scenarios, and the mix of them where one was named."""
    if named == BENIGN:
        return (), None
    if not directory.is_dir():
        raise ScenarioFileError(f"{directory}: there is no such directory; --scenarios names the one to use")
    known, _ = scenario_file.load_directory(directory)
    path = _path_of_mix(directory, known, named)
    if path is None:
        return _named(directory, known, named), None
    mix = mix_file.load(path, known)
    if mix.together:
        raise ScenarioFileError(f"{named}: needs several charge points in phase; run it on a bench")
    names = dict.fromkeys(entry.scenario for entry in mix.runs)
    return tuple(known[name] for name in names), mix


def _path_of_mix(directory: Path, known: Mapping[str, Scenario], named: str) -> Path | None:
    """Return where the mix is that is named by its file or its name; None: scenarios are named."""
    if named.endswith(".toml"):
        if not Path(named).is_file():
            raise ScenarioFileError(f"{named}: there is no such file; mixes by name: {_mixes(directory)}")
        return Path(named)
    path = directory / MIXES / f"{named}.toml"
    return path if named not in known and path.is_file() else None


def _named(directory: Path, known: Mapping[str, Scenario], named: str) -> tuple[Scenario, ...]:
    names = sorted(known) if named == ALL else named.split(",")
    missing = [name for name in names if name not in known]
    if missing:
        what = "scenario or mix" if len(names) == 1 else "scenario"
        raise ScenarioFileError(
            f"no {what} {', '.join(missing)} in {directory}; there are {', '.join(known)};"
            f" mixes, of which one stands alone: {_mixes(directory)}"
        )
    return tuple(known[name] for name in names)


def _mixes(directory: Path) -> str:
    return ", ".join(path.stem for path in sorted((directory / MIXES).glob("*.toml"))) or "none"


def _demand_enough(fleet: Fleet, mix: str) -> None:
    together = [scenario.name for scenario in fleet.scenarios if scenario.together]
    if together and fleet.mix is None and mix != ALL and not can_gather(fleet):
        raise ScenarioFileError(
            f"{', '.join(together)}: needs {FEWEST} charge points of direct current at least"
        )


def _above_0(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


if __name__ == "__main__":
    sys.exit(main(["simulate", *sys.argv[1:]]))

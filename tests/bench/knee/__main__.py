"""`make bench-knee`: raise the number of charge points until it is too many; say where, and why."""

import argparse
import contextlib
import json
import logging
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bench.knee import picture
from bench.knee.run import Conditions, Say, measured
from bench.knee.steps import MOST_P95_S, NO_LIMIT, Plan, Step, knee
from bench.report import CONSOLE, describe_machine
from embedded.ports import MOST_CHARGE_POINTS

DAY_S = 86_400
_NUMBERS = (
    "charge points",
    "median",
    "p95",
    "longest",
    "cores",
    "foreign",
    "yard ms",
    "ms CPU",
    "MB",
    "GB a day",
)
MOST_WINDOW_S = 120
"""The 0x302 by which a frame is found again counts to 256."""


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, write build/knee.json and build/knee.svg; return 1 where nothing was held."""
    asked = _parse(arguments)
    conditions = Conditions(
        window_s=asked.window, interval_s=asked.interval, history=round(asked.history * 1e6)
    )
    plan = Plan(first=asked.first, last=asked.last, factor=asked.factor)
    described, begun_at, steps, interrupted = describe_machine(), datetime.now(UTC), list[Step](), False
    try:
        with _undisturbed():
            _climb(plan, steps, lambda number, say: measured(number, conditions, say))
    except KeyboardInterrupt:
        interrupted = True
        CONSOLE.print(Text("interrupted; what was measured so far is written", style="yellow"))
    content = {
        "machine": described,
        "begun_at": begun_at.isoformat(timespec="seconds"),
        "took_s": round((datetime.now(UTC) - begun_at).total_seconds(), 1),
        "conditions": asdict(conditions),
        "interrupted": interrupted,
        **_said(steps),
        "steps": [_as_json(step) for step in steps],
    }
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    cores = len(os.sched_getaffinity(0))
    picture.write(asked.json.with_suffix(".svg"), steps, cores=cores)
    if not CONSOLE.is_terminal:
        CONSOLE.print(_table(steps))
    CONSOLE.print(Text(sentence(steps, interrupted=interrupted), style="bold"))
    CONSOLE.print(f"{asked.json} has it all, {asked.json.with_suffix('.svg')} the curve of what was measured")
    return 0 if knee(steps) else 1


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench-knee",
        description="Raise the number of charge points until from a CAN frame to its committed row 95 of 100 "
        f"take more than {MOST_P95_S:g} s, or anything is lost.",
        epilog='Example: make bench-knee ARGS="--from 10 --to 40 --window 10"',
    )
    parser.add_argument(
        "--from", dest="first", type=_count, default=50, metavar="N", help="the first number (default 50)"
    )
    parser.add_argument(
        "--to",
        dest="last",
        type=_count,
        default=MOST_CHARGE_POINTS,
        metavar="N",
        help=f"the last number (default {MOST_CHARGE_POINTS}, the most of one bench)",
    )
    parser.add_argument(
        "--factor",
        type=_factor,
        default=2.0,
        help="from one number to the next (default 2); then one between",
    )
    parser.add_argument(
        "--window", type=_window, default=30.0, metavar="S", help="measure each for so long (default 30)"
    )
    parser.add_argument(
        "--interval",
        type=_count,
        default=1,
        metavar="S",
        help="between two MeterValues of a charge point (default 1); CAN stays at 1 Hz",
    )
    parser.add_argument(
        "--history",
        type=float,
        default=0.0,
        metavar="MILLIONS",
        help="readings that the memory has from before (default 0)",
    )
    parser.add_argument(
        "--json", type=Path, default=Path("build/knee.json"), help="where it goes; the picture beside it"
    )
    asked = parser.parse_args(arguments)
    if asked.first > asked.last:
        parser.error(f"--from {asked.first} is more than --to {asked.last}")
    return asked


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_CHARGE_POINTS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST_CHARGE_POINTS}")
    return int(text)


def _factor(text: str) -> float:
    return _within(text, 1.1, 10)


def _window(text: str) -> float:
    return _within(text, 3, MOST_WINDOW_S)


def _within(text: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}")
    return number


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Silence what libraries say, which would tear the table; end on SIGTERM as on Ctrl-C, bench included."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupted)
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        signal.signal(signal.SIGTERM, before)


def _climb(plan: Plan, steps: list[Step], measure: Callable[[int, Say], Step]) -> None:
    """Take step after step; the table grows while it runs."""
    with Live(console=CONSOLE, auto_refresh=False, transient=False) as live:
        while number := plan.following([(step.charge_points, step.held) for step in steps]):
            step = measure(number, _saying(live, steps, number))
            steps.append(step)
            if CONSOLE.is_terminal:
                live.update(_table(steps), refresh=True)
            else:
                CONSOLE.print(Text(_line(step)))


def _saying(live: Live, steps: list[Step], number: int) -> Say:
    def say(what: str) -> None:
        if CONSOLE.is_terminal:
            told = Text(f"{number} charge points: {what}", style="dim")
            live.update(Group(_table(steps), told), refresh=True)

    return say


def _table(steps: list[Step]) -> Table:
    table = Table(title="CAN frame sent to row committed", title_justify="left", pad_edge=False, expand=False)
    for name in _NUMBERS:
        table.add_column(name, justify="right")
    table.add_column("lost", overflow="fold")
    table.add_column("at its limit", overflow="fold")
    for step in steps:
        if step.failed:
            table.add_row(str(step.charge_points), *[""] * 10, Text(step.failed[-200:], style="red"))
            continue
        table.add_row(
            Text(str(step.charge_points), style="green" if step.held else "red"),
            *(_seconds(delay) for delay in (step.median_s, step.p95_s, step.longest_s)),
            f"{sum(step.cpu.values()):.2f}",
            f"{step.foreign_cores:.2f}",
            "" if step.yardstick_ms is None else f"{step.yardstick_ms:.1f}",
            "" if step.cpu_ms is None else f"{step.cpu_ms:.2f}",
            f"{sum(step.memory_mb.values()):,.0f}",
            f"{step.database_bytes_a_second * DAY_S / 1e9:.1f}",
            ", ".join(f"{name} {count:,.0f}" for name, count in step.lost.items()) or "nothing",
            step.bottleneck,
        )
    return table


def _line(step: Step) -> str:
    if step.failed:
        return f"{step.charge_points} charge points: {step.failed}"
    lost = ", ".join(step.lost) or "nothing"
    return f"{step.charge_points} charge points: p95 {_seconds(step.p95_s)}, lost {lost}; {step.bottleneck}"


def _seconds(delay_s: float | None) -> str:
    if delay_s is None:
        return "—"
    return (
        f"{1000 * delay_s:,.0f} ms"
        if delay_s < 10
        else "never"
        if math.isinf(delay_s)
        else f"{delay_s:.0f} s"
    )


def _said(steps: list[Step]) -> dict[str, Any]:
    """Return the knee and what ended the climb."""
    found = knee(steps)
    beyond = [step for step in steps if not step.held]
    first = min(beyond, key=lambda step: step.charge_points) if beyond else None
    return {
        "knee": found and found.charge_points,
        "first_too_many": first and first.charge_points,
        "bottleneck": (first.failed or first.bottleneck) if first else NO_LIMIT,
    }


def sentence(steps: list[Step], *, interrupted: bool = False) -> str:
    """Return what was found, in a line."""
    if not steps:
        return "Nothing was measured."
    said = _said(steps)
    if said["first_too_many"] is None:
        end = "more was not tried, since it was interrupted" if interrupted else "the knee lies beyond"
        return f"All were held, up to {said['knee']} charge points: {end}."
    begin = f"The knee: {said['knee']} charge points." if said["knee"] else "Not even the first was held."
    return f"{begin} With {said['first_too_many']}: {said['bottleneck']}."


def _as_json(step: Step) -> dict[str, Any]:
    """Return a step as JSON has it, which knows no infinity: null is never."""
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(step).items()
    }
    return {**finite, "held": step.held, "cpu_ms_per_charge_point_second": step.cpu_ms}


if __name__ == "__main__":
    sys.exit(main())

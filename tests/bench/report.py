"""The one place for every figure: rows, the table of a terminal, build/bench.json."""

import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table
from rich.text import Text

CONSOLE = Console(highlight=False, width=None if sys.stdout.isatty() else 150)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure: ours, the baseline's in the same run, ours ÷ baseline. `met` None: there is no goal."""

    name: str
    unit: str
    ours: float | None
    baseline: float | None = None
    baseline_name: str | None = None
    goal: str | None = None
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        """Ours ÷ baseline."""
        return self.ours / self.baseline if self.ours is not None and self.baseline else None


def describe_machine() -> dict[str, Any]:
    """Return what a figure depends on; `load` is that of others, before the benchmarks begin."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


@dataclass
class Report:
    """What a run of the benchmarks found; `seed` makes it again."""

    seed: int
    rows: list[Row] = field(default_factory=list)
    begun_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    machine: dict[str, Any] = field(default_factory=describe_machine)

    def add(self, row: Row, *, say: bool = True) -> None:
        """Take a figure and say it at once: a run takes minutes."""
        self.rows.append(row)
        if say:
            CONSOLE.print(Text.assemble("  ", _mark(row), f" {row.name}: {_figure(row.ours, row.unit)}"))

    @property
    def failed(self) -> list[Row]:
        """The rows whose goal is not met."""
        return [row for row in self.rows if row.met is False]

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        content = {
            "machine": self.machine,
            "seed": self.seed,
            "begun_at": self.begun_at.isoformat(timespec="seconds"),
            "took_s": round((datetime.now(UTC) - self.begun_at).total_seconds(), 1),
            "rows": [{**asdict(row), "ratio": row.ratio} for row in self.rows],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def show(self) -> None:
        """Print the table."""
        table = Table(title="ChargeBench: figures", title_justify="left", pad_edge=False)
        table.add_column("", width=1)
        table.add_column("what", overflow="fold", ratio=3)
        table.add_column("ours", justify="right")
        table.add_column("baseline", justify="right")
        table.add_column("which is", overflow="fold", ratio=2)
        table.add_column("ratio", justify="right")
        table.add_column("goal", overflow="fold")
        for row in self.rows:
            table.add_row(
                _mark(row),
                row.name,
                _figure(row.ours, row.unit),
                "" if row.baseline is None else _figure(row.baseline, row.unit),
                row.baseline_name or "",
                "" if row.ratio is None else f"{row.ratio:.3g}",
                Text(row.goal or "", style="red" if row.met is False else ""),
            )
        CONSOLE.print(table)
        goals = sum(row.met is not None for row in self.rows)
        told = f"{goals - len(self.failed)} of {goals} goals met; seed {self.seed}"
        CONSOLE.print(Text(told, style="red" if self.failed else "green"))


def _mark(row: Row) -> Text:
    if row.met is None:
        return Text("·", style="dim")
    return Text("✓", style="green") if row.met else Text("✗", style="bold red")


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "—"
    number = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    return f"{number} {unit}"


def told(what: str) -> None:
    """Say what is being measured now."""
    CONSOLE.print(Text(what, style="bold"))


class Progress:
    """A line that is written over on a terminal, and written a few times where there is none."""

    def __init__(self, what: str, total: float) -> None:
        self._what, self._total = what, total
        self._last = -1

    def at(self, done: float) -> None:
        """Tell how much of the total is done."""
        percent = int(100 * done / self._total) if self._total else 100
        step = 1 if CONSOLE.is_terminal else 25
        if percent // step != self._last:
            self._last = percent // step
            end = "\r" if CONSOLE.is_terminal and percent < 100 else "\n"
            CONSOLE.print(Text(f"  {self._what}: {percent} %", style="dim"), end=end)


Measure = Callable[["Report"], None]

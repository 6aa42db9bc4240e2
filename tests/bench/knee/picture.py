"""The curve as an SVG: delay, processor and memory over charge points, one above the other."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.knee.steps import MOST_P95_S, Step, knee

_TEXT = "#010203"
"""Stands for the colour of the page's text until the end."""
_STYLE = (
    "<style>svg { color: #1f2328 } @media (prefers-color-scheme: dark) { svg { color: #d1d7e0 } }</style>"
)
_COLOURS = {
    "chargepoint": "#4c8ed9",
    "charger": "#8dbce8",
    "csms": "#e08e3c",
    "broker": "#b58ad6",
    "memorybank": "#4fa96a",
    "postgres": "#93c47d",
    "console": "#d9748f",
    "lab": "#9a9a9a",
    "bench": "#b8b8b8",
}
"""Each stands out from white and from black."""


def write(path: Path, steps: Sequence[Step], *, cores: int) -> None:
    """Draw the steps that could be measured; writes nothing where there is none."""
    import matplotlib as mpl  # noqa: PLC0415 - takes a second, and only the end needs it

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    shown = sorted((step for step in steps if not step.failed), key=lambda step: step.charge_points)
    if not shown:
        return
    colours = dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _TEXT
    )
    style = {"svg.fonttype": "none", "svg.hashsalt": "chargebench", "font.size": 10, **colours}
    with mpl.rc_context(style):
        figure, (delay, cpu, memory) = plt.subplots(
            3, 1, figsize=(8, 9), sharex=True, layout="constrained", height_ratios=(3, 3, 2)
        )
        _draw_delay(delay, shown, knee(steps))
        cpu.axhline(cores, color=_TEXT, linestyle=":", linewidth=1)
        cpu.annotate(f"all {cores} cores", (0, cores), xycoords=("axes fraction", "data"), va="bottom")
        cpu.plot(_numbers(shown), [step.busy_cores for step in shown], color=_TEXT, linewidth=1, marker=".")
        _draw_stack(cpu, shown, [step.cpu for step in shown])
        cpu.set_ylabel("cores kept busy\n(line: by all programs)")
        _draw_stack(memory, shown, [step.memory_mb for step in shown])
        memory.set_ylabel("memory, MB")
        memory.set_xlabel("charge points, each at 1 Hz")
        for axes in (delay, cpu, memory):
            axes.grid(visible=True, alpha=0.25, color=_TEXT)
            axes.patch.set_visible(False)
        cpu.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, reverse=True)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None}, transparent=True)
        plt.close(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_of_the_page(drawn.getvalue()), encoding="utf-8")


def _draw_delay(axes: Any, shown: Sequence[Step], found: Step | None) -> None:
    for name, values, style in (
        ("95 of 100", [step.p95_s for step in shown], {"linewidth": 2.5, "marker": "o"}),
        ("half", [step.median_s for step in shown], {"marker": "."}),
        ("the longest", [step.longest_s for step in shown], {"linestyle": "--", "marker": "."}),
    ):
        points = [
            (step.charge_points, value)
            for step, value in zip(shown, values, strict=True)
            if value is not None and math.isfinite(value)
        ]
        axes.plot([x for x, _ in points], [y for _, y in points], label=name, **style)
    axes.axhline(MOST_P95_S, color="#d1495b", linewidth=1.5)
    for step in shown:
        if step.lost:
            axes.axvline(step.charge_points, color="#d1495b", linestyle=":", linewidth=1)
            axes.annotate("lost", (step.charge_points, 1), xycoords=("data", "axes fraction"), va="bottom")
    if found is not None:
        axes.set_title(f"the knee: {found.charge_points} charge points", loc="left")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} s")
    axes.set_xscale("log", base=2)
    axes.set_xticks(_numbers(shown), [str(number) for number in _numbers(shown)], rotation=30)
    axes.minorticks_off()
    axes.set_ylabel("frame sent to row committed")
    axes.legend(frameon=False)


def _draw_stack(axes: Any, shown: Sequence[Step], values: Sequence[dict[str, float]]) -> None:
    layers = [[of_step.get(service, 0.0) for of_step in values] for service in _COLOURS]
    if len(shown) == 1:  # an area needs two points
        bottom = 0.0
        for (service, colour), (value,) in zip(_COLOURS.items(), layers, strict=True):
            axes.bar(_numbers(shown), [value], 0.3, bottom=bottom, color=colour, label=service)
            bottom += value
    else:
        axes.stackplot(_numbers(shown), *layers, labels=list(_COLOURS), colors=list(_COLOURS.values()))
    axes.set_ylim(bottom=0)


def _numbers(shown: Sequence[Step]) -> list[int]:
    return [step.charge_points for step in shown]


def _of_the_page(svg: str) -> str:
    """Return the drawing alone, its text in the colour that suits a light page or a dark one."""
    begin = svg.index("<svg")
    after = svg.index(">", begin) + 1
    return (svg[begin:after] + _STYLE + svg[after:]).replace(_TEXT, "currentColor")

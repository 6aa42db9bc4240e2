"""The curve of delay against false alarms, as an SVG that stands by itself in a page."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

Point = tuple[float, float]
"""False alarms per charge-point-day, median delay in seconds."""


def delay_against_false_alarms(curves: Mapping[str, Sequence[Point]], title: str) -> str:
    """Return the SVG of one line a judge; lower and further left is better.

    A rate of 0 stands at the left edge, since the axis is logarithmic: fewer than could be seen.
    """
    import matplotlib as mpl  # noqa: PLC0415 - takes a second, and only the report needs it

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "chargebench", "font.size": 10}):
        figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
        rates = [rate for curve in curves.values() for rate, _ in curve if rate > 0]
        floor = min(rates, default=1.0) / 3
        for name, curve in curves.items():
            points = sorted((max(rate, floor), delay_s) for rate, delay_s in curve)
            style: dict[str, Any] = {"linewidth": 2.5} if not name.count(" ") else {"linestyle": "--"}
            axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=name, **style)
        axes.set_xscale("log")
        axes.set_xlabel("false alarms per charge-point-day (at the left edge: none seen)")
        axes.set_ylabel("median delay from the first command, s")
        axes.set_ylim(bottom=0)
        axes.set_title(title)
        axes.grid(visible=True, alpha=0.3)
        if curves:
            axes.legend(fontsize=8)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
        plt.close(figure)
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]

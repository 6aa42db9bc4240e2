"""Write the tables of docs/metrics.md, below its mark, from the services' own declarations.

Example: python docs/generate_metrics.py --check
"""

import importlib
import sys
from pathlib import Path
from typing import Any

from generated import run

from chassis.metrics import Metric

PAGE = Path(__file__).parent / "metrics.md"

SERVICES = {
    "memorybank": "MemoryBank",
    "csms": "CSMS",
    "chargepoint": "Charge point",
    "charger": "Charger",
    "console": "Console",
    "lab": "Injector",
}

MARK = "<!-- What follows is made by docs/generate_metrics.py; a test checks that it is up to date. -->"


def declared(service: str) -> tuple[Metric[Any], ...]:
    """Return a service's table."""
    metrics: tuple[Metric[Any], ...] = importlib.import_module(f"{service}.metrics").METRICS
    return metrics


def _row(service: str, metric: Metric[Any]) -> str:
    label = f" `{metric.label}`: {', '.join(metric.values)}." if metric.label else ""
    return f"| `chargebench_{service}_{metric.name}` | {metric.kind} | {metric.doc}.{label} |"


def page() -> str:
    """Return the whole page: the words that stand in it, and the tables anew."""
    words, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    parts = [words + MARK]
    for service, title in SERVICES.items():
        header = ["| Metric | Type | What it is |", "|---|---|---|"]
        parts += [f"\n### {title}\n", *header, *(_row(service, metric) for metric in declared(service))]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(run(__doc__, PAGE, page))

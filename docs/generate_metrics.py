"""Write the tables of docs/metrics.md, below its mark, from the services' own declarations.

Example: python docs/generate_metrics.py --check
"""

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

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


def main() -> int:
    """Write the page, or with --check say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 when it is out of date")
    if parser.parse_args().check:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Write the dashboards that Grafana provisions: `python -m grafana.generate`, with `--check` only compare.

Exit status 1, naming the files, when `--check` finds one that is not what this source says.
"""

import argparse
import json
import sys
from pathlib import Path

from grafana import (
    anomaly_explorer,
    charge_point_live,
    fleet_overview,
    learned_patterns,
    pipeline_health,
    sessions_and_energy,
)
from grafana.words import Json

DASHBOARDS = Path(__file__).parent / "dashboards"


def files() -> dict[Path, str]:
    """Return what each file under grafana/dashboards must hold."""
    dashboards: dict[str, Json] = {
        "fleet-overview": fleet_overview.dashboard(),
        "charge-point-live": charge_point_live.dashboard(),
        "anomaly-explorer": anomaly_explorer.dashboard(),
        "sessions-and-energy": sessions_and_energy.dashboard(),
        "learned-patterns": learned_patterns.dashboard(),
        "pipeline-health": pipeline_health.dashboard(),
    }
    return {
        DASHBOARDS / f"{name}.json": json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        for name, content in dashboards.items()
    }


def main() -> None:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(prog="python -m grafana.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    arguments = parser.parse_args()
    wanted = files()
    if not arguments.check:
        DASHBOARDS.mkdir(exist_ok=True)
        for path, text in wanted.items():
            path.write_text(text, encoding="utf-8")
        return
    present = {path: path.read_text(encoding="utf-8") for path in DASHBOARDS.glob("*.json")}
    differing = sorted(
        path.name for path in wanted.keys() | present.keys() if wanted.get(path) != present.get(path)
    )
    if differing:
        sys.exit(f"not up to date: {', '.join(differing)}; run python -m grafana.generate")


if __name__ == "__main__":
    main()

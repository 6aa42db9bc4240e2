"""Write what Grafana provisions, dashboards and alert rules: `python -m grafana.generate`.

With `--check` only compare: exit status 1, naming the files, when one is not what this source says.
"""

import argparse
import json
import sys
from pathlib import Path

from grafana import (
    alerts,
    anomaly_explorer,
    charge_point_live,
    fleet_overview,
    learned_patterns,
    pipeline_health,
    sessions_and_energy,
)
from grafana.words import Json

DASHBOARDS = Path(__file__).parent / "dashboards"
ALERTS = Path(__file__).parent / "provisioning" / "alerting" / "chargebench.json"


def files() -> dict[Path, str]:
    """Return what each generated file must hold."""
    dashboards: dict[str, Json] = {
        "fleet-overview": fleet_overview.dashboard(),
        "charge-point-live": charge_point_live.dashboard(),
        "anomaly-explorer": anomaly_explorer.dashboard(),
        "sessions-and-energy": sessions_and_energy.dashboard(),
        "learned-patterns": learned_patterns.dashboard(),
        "pipeline-health": pipeline_health.dashboard(),
    }
    contents = {DASHBOARDS / f"{name}.json": content for name, content in dashboards.items()}
    contents[ALERTS] = alerts.provisioning()
    return {
        path: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for path, content in contents.items()
    }


def main() -> None:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(prog="python -m grafana.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    arguments = parser.parse_args()
    wanted = files()
    if not arguments.check:
        for path, text in wanted.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return
    present = {
        path: path.read_text(encoding="utf-8")
        for folder in (DASHBOARDS, ALERTS.parent)
        for path in folder.glob("*.json")
    }
    differing = sorted(
        path.name for path in wanted.keys() | present.keys() if wanted.get(path) != present.get(path)
    )
    if differing:
        sys.exit(f"not up to date: {', '.join(differing)}; run python -m grafana.generate")


if __name__ == "__main__":
    main()

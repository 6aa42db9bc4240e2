"""Check a running Grafana: `python -m grafana.verify http://127.0.0.1:3000`, or `make verify-grafana`.

It asks for the server's health and the data source's, looks for each of our dashboards and alert rules, and
runs the query of every panel, annotation, variable and alert rule as it would run for somebody who opens the
dashboard now. Nothing is changed there.

Exit status: 0 all is well (a panel may be empty: then it says why), 1 something failed, 2 nothing could be
checked: no Grafana there, or it lets nobody look without a token.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chassis.grafana_address import Address, token_complaint
from chassis.grafana_link import GrafanaAway, GrafanaError, GrafanaLink, GrafanaRefused, Health
from chassis.terminal import plural
from grafana.running import NOTHING_TO_MARK, Check, State, check_dashboard, check_rules, check_server
from grafana.words import Json

HERE = Path(__file__).parent
EXAMPLE = """example:
  python -m grafana.verify http://127.0.0.1:3000
  GRAFANA_TOKEN=glsa_... python -m grafana.verify https://grafana.example.org/bench --json
"""
_DEADLINE_S = 20.0
"""More than the reader's statement timeout of 15 s, so that the reason arrives."""
_FAILED, _NOTHING_CHECKED = 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Check the Grafana that is named, and say what is well and what is not."""
    parser = argparse.ArgumentParser(
        prog="python -m grafana.verify",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "url", nargs="?", default=os.environ.get("GRAFANA_URL") or "http://127.0.0.1:3000",
        help="where Grafana is; default: GRAFANA_URL, else http://127.0.0.1:3000",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="every outcome, for a program")
    chosen = parser.parse_args(arguments)
    token = os.environ.get("GRAFANA_TOKEN", "")
    try:
        address = Address.parse(chosen.url)
    except ValueError as error:
        parser.error(f"the address {error}")
    if complaint := token_complaint(token):
        parser.error(f"GRAFANA_TOKEN {complaint}")
    try:
        health, checks = check(GrafanaLink(address, token, deadline_s=_DEADLINE_S))
    except GrafanaError as error:
        print(f"nothing checked: {error}\n{_advice(error)}", file=sys.stderr)  # noqa: T201 - a command line
        return _NOTHING_CHECKED
    if chosen.json:
        print(json.dumps(_told(address, health, checks), indent=2, ensure_ascii=False))  # noqa: T201
    else:
        show(Console(highlight=False), address, health, checks)
    return _FAILED if any(one.of("failed") for one in checks) else 0


def check(grafana: GrafanaLink) -> tuple[Health, list[Check]]:
    """Return the server's health and what was checked; raises GrafanaError where nothing can be."""
    now = datetime.now(UTC)
    health, server = check_server(grafana)
    ours = [json.loads(path.read_bytes()) for path in sorted((HERE / "dashboards").glob("*.json"))]
    dashboards = [check_dashboard(grafana, dashboard, now) for dashboard in ours]
    return health, [server, *dashboards, check_rules(grafana, our_rules(), now)]


def our_rules() -> list[Json]:
    """Return the alert rules that we provision."""
    files = sorted((HERE / "provisioning" / "alerting").glob("*.json"))
    return [
        rule for path in files for group in json.loads(path.read_bytes())["groups"] for rule in group["rules"]
    ]


def show(console: Console, address: Address, health: Health, checks: list[Check]) -> None:
    """Print a line a check, then what is empty and what failed, each with its reason."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Checked", no_wrap=True)
    for heading in ("ok", "empty", "failed", "slowest"):
        table.add_column(heading, justify="right")
    for one in checks:
        counts = [len(one.of(state)) for state in ("ok", "empty", "failed")]
        slowest_ms = max((outcome.took_ms for outcome in one.outcomes), default=0.0)
        table.add_row(
            Text(one.name),
            Text(str(counts[0]), "green"),
            Text(str(counts[1]), "yellow" if counts[1] else "dim"),
            Text(str(counts[2]), "bold red" if counts[2] else "dim"),
            Text(f"{slowest_ms:.0f} ms" if slowest_ms else "", "dim"),
        )
    console.print(Text(f"Grafana {health.version} at {address}\n"))
    console.print(table)
    _show_reasons(console, checks, "empty", "yellow")
    _show_reasons(console, checks, "failed", "bold red")
    if not any(one.of("failed") for one in checks):
        console.print(Text("\nAll is well.", "green"))


def _show_reasons(console: Console, checks: list[Check], state: State, style: str) -> None:
    found = [(one, outcome) for one in checks for outcome in one.of(state)]
    # That nothing is to be marked is no news of each annotation by itself.
    told = [(one, outcome) for one, outcome in found if state == "failed" or outcome.kind != "annotation"]
    if found:
        console.print(Text(f"\n{state.capitalize()}", style))
    for one, outcome in told:
        console.print(Text(f"  {one.name}, {outcome.kind} {outcome.title!r}: {outcome.why}"), soft_wrap=True)
    if len(told) < len(found):
        console.print(
            Text(f"  {plural(len(found) - len(told), 'annotation')}: {NOTHING_TO_MARK}"), soft_wrap=True
        )


def _told(address: Address, health: Health, checks: list[Check]) -> Json:
    return {
        "url": str(address),
        "version": health.version,
        "ok": not any(one.of("failed") for one in checks),
        "checks": [asdict(one) for one in checks],
    }


def _advice(error: GrafanaError) -> str:
    """Return what to do next."""
    if isinstance(error, GrafanaAway):
        return (
            "Is it running? `docker compose up` starts one at http://127.0.0.1:3000; name another with "
            "GRAFANA_URL=http://host:port."
        )
    if isinstance(error, GrafanaRefused):
        return (
            "It lets nobody look without a token, or not with this one. Make a service account with the role "
            "Viewer there (Administration, Users and access) and give its token as GRAFANA_TOKEN."
        )
    return (
        "Is that a Grafana? Name it with GRAFANA_URL=http://host:port, with the path at which it is served."
    )


if __name__ == "__main__":
    sys.exit(main())

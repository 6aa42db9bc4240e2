"""The chain in containers: what a newcomer must see after `docker compose up`."""

import itertools
import json
import re
import socket

import httpx
import pytest

from container_stack import HEALTHY, ROOT, Stack, docker
from real_parts import wait_until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

SECONDS = 60.0
KIND = "repeated-current-fluctuation"


def test_the_default_is_two_charge_points(stack: Stack) -> None:
    """As in the embedded bench; the rest stands once."""
    wait_until(lambda: stack.connected() == {"CP-1", "CP-2"}, what="CP-1 and CP-2")
    assert len(stack.containers()) == 9


def test_every_published_port_answers(stack: Stack) -> None:
    """On 127.0.0.1: the page, both APIs, and the OCPP server, which takes nothing but OCPP."""
    for port in HEALTHY:
        assert stack.get(port, "/healthz")["ok"], port
    page = httpx.get(f"{stack.url('CONSOLE_PORT')}/", timeout=10, trust_env=False)
    assert page.headers["content-type"].startswith("text/html")
    with socket.create_connection(("127.0.0.1", int(stack.environ["OCPP_PORT"])), timeout=10) as connection:
        connection.sendall(b"GET /CP-9 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 4")


def test_current_swings_from_0_to_85_a_and_back(stack: Stack) -> None:
    """CP-1 lives the base scenario, cycle after cycle."""

    def cycles() -> bool:
        rows = stack.query(
            "SELECT current_a FROM dash.metrics WHERE charge_point_id = 'CP-1' AND origin = 'can' ORDER BY at"
        )
        currents = [row["current_a"] for row in rows]
        high = [current >= 85 for current in currents if current >= 85 or current <= 5]
        return sum(not before and after for before, after in itertools.pairwise(high)) >= 3

    wait_until(cycles, timeout_s=SECONDS, what="three swings of CP-1's current")


def test_the_anomaly_is_in_the_database_the_viewer_and_the_api(stack: Stack) -> None:
    """Named, graded and explained, at CP-1 and not at CP-2, which charges all the same."""
    wait_until(
        lambda: bool(stack.query("SELECT 1 FROM dash.anomalies WHERE charge_point_id = 'CP-1'")),
        timeout_s=SECONDS,
        what="the anomaly in PostgreSQL",
    )
    found = stack.query("SELECT kind, severity, deviation FROM dash.anomalies WHERE charge_point_id = 'CP-1'")
    assert found[0]["kind"] == KIND
    assert found[0]["deviation"] > 50

    viewer = ("exec", "-e", "COLUMNS=200", stack.name("memorybank"), "memory-viewer")
    assert KIND in docker(*viewer, "--anomalies", "5")
    assert "anomalies" in docker(*viewer, "--summary").lower()
    anomalies = stack.get("MEMORYBANK_HTTP_PORT", "/api/anomalies?charge_point_id=CP-1")
    assert anomalies["items"][0]["kind"] == KIND

    charging = "SELECT 1 FROM dash.metrics WHERE charge_point_id = 'CP-2' AND current_a > 20 LIMIT 1"
    wait_until(lambda: bool(stack.query(charging)), timeout_s=SECONDS, what="CP-2 to charge")
    assert stack.query("SELECT kind FROM dash.anomalies WHERE charge_point_id = 'CP-2'") == []


def test_the_terminal_view_is_in_the_consoles_image(stack: Stack) -> None:
    """It finds the console in whose container it runs, and names both charge points."""
    told = docker("exec", stack.name("console"), "console-top", "--once", check=False)
    assert re.search(r"^CP-1 +\w+ ", told, re.MULTILINE), told
    assert re.search(r"^CP-2 +\w+ ", told, re.MULTILINE), told


def test_a_foreign_page_cannot_start_a_scenario(stack: Stack) -> None:
    """Nor can anyone without the token."""
    body = json.dumps({"scenario": KIND, "charge_point_ids": ["CP-2"]})
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {}):
        answer = httpx.post(
            f"{stack.url('CSMS_HTTP_PORT')}/api/scenario-runs",
            content=body,
            headers={"Content-Type": "application/json", **headers},
            trust_env=False,
        )
        assert answer.status_code == 403, headers


def test_grafana_s_role_reads_the_views_and_nothing_else(stack: Stack) -> None:
    """By grants: what a session may undo is no boundary."""
    assert stack.query("SELECT count(*) AS n FROM dash.metrics", role="grafana_reader")[0]["n"] > 0
    for refused in (
        "SELECT 1 FROM memory.events",
        "SELECT 1 FROM truth.labels",
        "SELECT * FROM pg_read_file('/etc/passwd')",
        "INSERT INTO dash.anomalies DEFAULT VALUES RETURNING 1",
    ):
        with pytest.raises(AssertionError, match=r"permission denied|syntax error"):
            stack.query(refused, role="grafana_reader")


def test_grafana_stands_in_the_file_that_people_use(stack: Stack) -> None:
    """It has no stand-in here, so that at least its place in the stack is checked."""
    # Without the override that takes it out of the tests.
    answer = docker(
        *("compose", "--file", str(ROOT / "docker-compose.yml"), "--env-file", "/dev/null"),
        *("config", "--format", "json"),
    )
    grafana = json.loads(answer)["services"]["grafana"]
    assert grafana["ports"] == [
        {"mode": "ingress", "host_ip": "127.0.0.1", "target": 3000, "published": "3000", "protocol": "tcp"}
    ]
    assert grafana["environment"]["GRAFANA_READER_PASSWORD"]
    for volume in grafana["volumes"]:
        if volume["type"] == "bind":
            assert volume["read_only"]
            assert (ROOT / volume["source"]).is_dir()

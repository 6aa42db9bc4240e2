"""The HTTP API against a real PostgreSQL with a small memory in it."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jsonschema_rs
import psycopg
import pytest

from contracts import events
from memorybank.api import make_app
from memorybank.reader import LEVELS, ORDERS, Reader
from memorybank_parts import START_AT
from real_parts import Postgres, free_port
from remembered import NASTY, remember, remember_more

LISTS = {
    "/api/anomalies": {},
    "/api/charge-points": {},
    "/api/events": {},
    "/api/gaps": {},
    "/api/metrics": {"charge_point_id": "CP-1", "seconds": "3600"},
    "/api/patterns": {},
    "/api/poison": {},
    "/api/rollups": {"charge_point_id": "CP-1", "level": "10s"},
    "/api/sessions": {},
    "/api/sources": {},
}


@pytest.fixture
def remembering(postgres: Postgres) -> Postgres:
    asyncio.run(remember(postgres.writer_url))
    return postgres


@pytest.fixture
def much(postgres: Postgres) -> Postgres:
    asyncio.run(remember(postgres.writer_url))
    remember_more(postgres.writer_url)
    return postgres


@pytest.fixture
def client(remembering: Postgres) -> Iterator["Client"]:
    with Reader(remembering.reader_url) as reader:
        yield Client(reader)


class Client:
    """Asks the application itself; the server in front of it is tested with the process."""

    def __init__(self, reader: Reader) -> None:
        self.app = make_app(reader, lambda: {"ok": True, "service": "memorybank"})
        self._transport = httpx.ASGITransport(app=self.app)

    def get(self, path: str, **parameters: object) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://test") as client:
                return await client.get(path, params=parameters or None)  # type: ignore[arg-type]

        return asyncio.run(ask())

    def items(self, path: str, **parameters: object) -> list[dict[str, Any]]:
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


def test_summary(client: Client) -> None:
    """How much is remembered."""
    summary = client.get("/api/summary").json()
    assert summary.pop("lag_s") >= 0
    assert summary.pop("last_event_at").endswith("Z")
    assert summary == {
        "events": 53,
        "metrics": 181,
        "sessions": 1,
        "anomalies": 1,
        "open_anomalies": 1,
        "charge_points": 2,
        "first_event_at": START_AT.isoformat().replace("+00:00", "Z"),
        "gaps": 0,
        "duplicates": 0,
        "poison": 1,
    }


def test_anomalies(client: Client) -> None:
    """Each is what the live topic told of it; in the list and by its id."""
    (anomaly,) = client.items("/api/anomalies", charge_point_id="CP-1", open="true")
    assert events.decode_anomaly(json.dumps(anomaly).encode()).kind == "repeated-current-fluctuation"
    assert client.get(f"/api/anomalies/{anomaly['id']}").json() == anomaly
    assert client.get("/api/anomalies/00000000-0000-0000-0000-000000000000").status_code == 404
    assert client.items("/api/anomalies", open="false") == []
    assert client.items("/api/anomalies", charge_point_id="CP-2") == []


def test_the_pattern_of_an_anomaly(much: Postgres) -> None:
    """What was learned from it and those like it, and which these are."""
    with Reader(much.reader_url) as reader:
        client = Client(reader)
        (anomaly,) = client.items("/api/anomalies", kind="repeated-current-fluctuation")
        pattern = client.get(f"/api/anomalies/{anomaly['id']}/pattern").json()
        assert (pattern["count"], pattern["charge_point_id"]) == (1, "CP-1")
        assert pattern["first_seen_at"] == pattern["last_seen_at"] == anomaly["started_at"]
        assert client.items("/api/anomalies", pattern_id=pattern["id"]) == [anomaly]
        other = client.items("/api/anomalies", kind="other")[0]
        assert client.get(f"/api/anomalies/{other['id']}/pattern").status_code == 404
        assert client.items("/api/anomalies", pattern_id=other["id"]) == []
        assert client.get("/api/anomalies", pattern_id="5").status_code == 422


def test_anomalies_by_kind_severity_and_time(much: Postgres) -> None:
    """Each filter alone, and the stretch is half open."""
    with Reader(much.reader_url) as reader:
        client = Client(reader)
        assert len(client.items("/api/anomalies")) == 5
        assert {a["kind"] for a in client.items("/api/anomalies", severity="critical")} == {"other"}
        assert len(client.items("/api/anomalies", kind="repeated-current-fluctuation")) == 1
        began = client.items("/api/anomalies")[0]["started_at"]
        assert client.items("/api/anomalies", until=began) == []
        assert len(client.items("/api/anomalies", since=began)) == 5


def test_sessions(client: Client) -> None:
    """With energy, peak, mean, duration and the number of anomalies."""
    (session,) = client.items("/api/sessions")
    assert session["transaction_id"] == "5"
    assert session["id_tag"] == NASTY
    assert (session["energy_wh"], session["peak_a"], session["anomalies"]) == (1234.5, 99.0, 1)
    assert session["duration_s"] == 180.0


def test_events(client: Client) -> None:
    """Newest first, by charge point, kind and time, bounded."""
    assert [event["kind"] for event in client.items("/api/events", limit=1)] == ["transaction_ended"]
    frames = client.items("/api/events", kind="can_frame_seen", charge_point_id="CP-2")
    assert len(frames) == 50
    assert frames[0]["summary"] == "0x300 6400 heard"
    assert frames[0]["detail"] == {"can_id": 0x300, "data": "6400"}
    refused = client.get("/api/events", kind="rumour")
    assert (refused.status_code, "status_changed" in refused.text) == (422, True)
    later = (START_AT + timedelta(microseconds=1)).isoformat()
    assert [event["kind"] for event in client.items("/api/events", since=later)] == [
        "transaction_ended", "system_event",
    ]  # fmt: skip
    assert len(client.items("/api/events", until=later)) == 51
    # An offset of elsewhere is the same instant.
    assert len(client.items("/api/events", until=later.replace("+00:00", "Z"))) == 51


def test_the_line_of_an_event_is_the_dashboards(remembering: Postgres) -> None:
    """The API and Grafana tell an event in the same words."""
    with Reader(remembering.reader_url) as reader, psycopg.connect(remembering.grafana_url) as grafana:
        told = sorted(event["summary"] for event in reader.events())
        assert told == sorted(row[0] for row in grafana.execute("SELECT summary FROM dash.events"))


def test_metrics(client: Client) -> None:
    """The last minute of a connector, or a stretch of time, oldest first."""
    (metric,) = client.items("/api/metrics", charge_point_id="CP-2")
    assert metric["current_a"] == 42.0
    assert client.items("/api/metrics", charge_point_id="CP-2", origin="ocpp") == []
    old = client.items("/api/metrics", charge_point_id="CP-1", seconds=3600)
    assert [row["at"] for row in old] == sorted(row["at"] for row in old)
    assert len(old) == 180
    since, until = START_AT + timedelta(seconds=8), START_AT + timedelta(seconds=16)
    cycle = client.items(
        "/api/metrics", charge_point_id="CP-1", since=since.isoformat(), until=until.isoformat()
    )
    assert [row["current_a"] for row in cycle] == [0.0, 0.0, 0.0, 0.0, 89.0, 99.0, 1.0, 0.0]
    newest = client.items("/api/metrics", charge_point_id="CP-1", seconds=3600, limit=2)
    assert newest == old[-2:]


@pytest.mark.parametrize("level", LEVELS)
def test_rollups(client: Client, level: str) -> None:
    """Means, lowest and highest of the readings, whatever the level."""
    rows = client.items("/api/rollups", charge_point_id="CP-1", level=level)
    assert sum(row["readings"] for row in rows) == 180
    mean_a = sum(row["current_a"] * row["readings"] for row in rows) / 180
    cycle = [0.0, 0.0, 0.0, 0.0, 89.0, 99.0, 1.0, 0.0]
    assert mean_a == pytest.approx(sum(cycle[second % 8] for second in range(180)) / 180)
    assert (min(r["current_min_a"] for r in rows), max(r["current_max_a"] for r in rows)) == (0.0, 99.0)
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert all(row["voltage_v"] is None for row in rows)


def test_charge_points(much: Postgres) -> None:
    """The statistics are of what began in the time."""
    with Reader(much.reader_url) as reader:
        client = Client(reader)
        by_name = {(c["charge_point_id"], c["connector"]): c for c in client.items("/api/charge-points")}
        assert set(by_name) == {("CP-1", 1), ("CP-2", 1), ("CP-2", 2), ("CP-10", 1)}
        one, two = by_name["CP-1", 1], by_name["CP-2", 1]
        assert (one["sessions"], one["peak_a"], one["anomalies"], one["open_anomalies"]) == (1, 99.0, 1, 1)
        assert (two["sessions"], two["anomalies"], two["open_anomalies"]) == (4, 4, 0)
        (lately,) = client.items("/api/charge-points", charge_point_id="CP-1", since=_ago(minutes=1))
        assert (lately["sessions"], lately["anomalies"]) == (0, 0)


def _ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", [1, 3])
def test_a_list_page_by_page_is_the_whole_list(much: Postgres, path: str, limit: int) -> None:
    """Nothing twice, nothing left out, also among rows of one instant; the last page says so."""
    with Reader(much.reader_url) as reader:
        client = Client(reader)
        whole = client.get(path, **LISTS[path], limit=1000).json()
        assert whole["next"] is None
        assert len(whole["items"]) > 3
        pages = []
        after: dict[str, object] = {}
        while True:
            answer = client.get(path, **LISTS[path], limit=limit, **after).json()
            assert len(answer["items"]) <= limit
            pages.append(answer["items"])
            if answer["next"] is None:
                break
            after = {"after": answer["next"]}
    # Readings go back page by page, and forward within a page.
    is_backwards = path in ("/api/metrics", "/api/rollups")
    assert [item for page in (pages[::-1] if is_backwards else pages) for item in page] == whole["items"]


@pytest.mark.parametrize(
    "question",
    [
        "/api/anomalies?limit=0",
        "/api/anomalies?limit=1001",
        "/api/anomalies?open=perhaps",
        "/api/anomalies?severity=bad",
        "/api/anomalies/5",
        "/api/events?limit=many",
        "/api/events?since=yesterday",
        "/api/events?since=2026-07-01T12:00:00",
        "/api/events?since=2026-07-01T12:00:00Z&until=2026-07-01T12:00:00Z",
        "/api/events?after=nonsense",
        "/api/events?after=",
        f"/api/events?after={'A' * 5000}",
        "/api/metrics",
        "/api/metrics?charge_point_id=CP-1&seconds=-1",
        "/api/metrics?charge_point_id=CP-1&connector=300",
        "/api/metrics?charge_point_id=CP-1&origin=dream",
        "/api/rollups?charge_point_id=CP-1&level=1d",
        "/api/sessions?charge_point_id=",
        "/api/events?charge_point=CP-1",
        "/api/events?severity=critical",
        "/api/summary?since=2026-07-01T12:00:00Z",
        "/api/sessions?charge_point_id=a%00b",
    ],
)
def test_bad_questions_are_refused(client: Client, question: str) -> None:
    """Out of bounds or no value at all: 422, always in the same shape."""
    answer = client.get(question)
    assert answer.status_code == 422
    assert all({"type", "loc", "msg"} <= set(entry) for entry in answer.json()["detail"])


def test_a_cursor_of_impossible_values_is_refused(much: Postgres) -> None:
    """Forged so that its form is right: what the database cannot take is the asker's fault, not ours."""
    forged = [
        ORDERS["events"].page([{"at": datetime.now(UTC), "source_no": 2**62, "seq": 1}] * 2, 1).next,
        ORDERS["sessions"]
        .page([{"started_at": START_AT, "charge_point_id": "a\0", "transaction_id": "5"}] * 2, 1)
        .next,
        ORDERS["sessions"]
        .page([{"started_at": START_AT, "charge_point_id": "a", "transaction_id": "five"}] * 2, 1)
        .next,
    ]
    with Reader(much.reader_url) as reader:
        client = Client(reader)
        assert client.get("/api/events", after=forged[0]).status_code == 422
        assert client.get("/api/sessions", after=forged[1]).status_code == 422
        assert client.get("/api/sessions", after=forged[2]).status_code == 422
        assert client.get("/api/anomalies", after=forged[0]).status_code == 422
        assert client.get("/api/summary").status_code == 200


def test_openapi_is_complete(client: Client) -> None:
    """Every operation and every parameter says what it is, every answer has a titled model; only GET."""
    described = client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    for path, operations in described["paths"].items():
        assert set(operations) == {"get"}, path
        operation = operations["get"]
        assert operation["summary"], path
        if path.startswith("/api/"):
            model = operation["responses"]["200"]["content"]["application/json"]["schema"]
            assert "$ref" in model or model["type"] == "array", path
            assert {"503"} <= set(operation["responses"]), path
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (path, parameter["name"])
    for name, model in described["components"]["schemas"].items():
        assert model["title"], name


def test_answers_are_as_openapi_says(much: Postgres) -> None:
    """Each operation, asked with the examples of its own description, answers what it declares."""
    with Reader(much.reader_url) as reader:
        client = Client(reader)
        described = client.get("/openapi.json").json()
        (anomaly,) = client.items("/api/anomalies", kind="repeated-current-fluctuation")
        asked = 0
        for path, operations in described["paths"].items():
            if not path.startswith("/api/"):
                continue
            operation = operations["get"]
            parameters = operation.get("parameters", [])
            required = {p["name"]: _example(p) for p in parameters if p["required"] and p["in"] == "query"}
            with_all = {p["name"]: _example(p) for p in parameters if p["in"] == "query" and _example(p)}
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            validator = jsonschema_rs.validator_for(
                {
                    "$schema": "https://json-schema.org/draft/2020-12/schema",
                    **schema,
                    "components": described["components"],
                }
            )
            for question in (required, with_all):
                answer = client.get(path.replace("{anomaly_id}", anomaly["id"]), **question)
                assert answer.status_code == 200, (path, question, answer.text)
                validator.validate(answer.json())
                asked += 1
    assert asked >= 2 * 13


def _example(parameter: dict[str, Any]) -> Any:
    examples = parameter["schema"].get("examples") or parameter.get("examples")
    return examples[0] if examples else parameter["schema"].get("default")


def test_a_database_that_is_away_is_said_so() -> None:
    """503 with the reason, and the application lives on."""
    with Reader(f"postgresql://nobody:x@127.0.0.1:{free_port()}/none") as reader:
        answer = Client(reader).get("/api/summary")
    assert answer.status_code == 503
    assert "the database does not answer" in answer.json()["detail"]

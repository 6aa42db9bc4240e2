"""The HTTP APIs of the CSMS and the MemoryBank as the console uses them: small real servers on loopback."""

import json
import threading
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from chassis.guard import TOKEN_HEADER
from contracts import events
from contracts.events import Anomaly
from real_parts import free_port

CSMS_TOKEN = "token-of-the-csms"


class ApiServer:
    """A small real HTTP server on loopback; `answer(method, path, query, body)` gives (status, JSON)."""

    def __init__(self) -> None:
        self.port = free_port()
        self.tokens: list[str | None] = []
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        raise NotImplementedError

    def start(self) -> None:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                if self.command != "GET":
                    api.tokens.append(self.headers.get(TOKEN_HEADER))
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                status, answer = api.answer(self.command, unquote(parts.path), query, body)
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - the names that http.server calls

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None


class CsmsApi(ApiServer):
    """The CSMS's HTTP API as far as the console uses it."""

    def __init__(self) -> None:
        super().__init__()
        self.charge_points: list[dict[str, Any]] = []
        self.asked_alone: set[str] = set()
        """The charge points that were asked for one by one."""
        self.runs: list[dict[str, Any]] = []
        self.wishes: list[dict[str, Any]] = []
        self.mixes: list[dict[str, Any]] = []
        self.mix_runs: list[dict[str, Any]] = []
        self.scenarios = [
            {
                "name": "repeated-current-fluctuation",
                "title": "Repeated current fluctuation during charging",
                "anomaly": "repeated-current-fluctuation",
                "description": "The limit alternates between nothing and plenty while short transactions are "
                "started and stopped: the current swings from 0 A to its peak and back, cycle after cycle.",
                "parameters": {},
            },
            {
                "name": "benign-charging",
                "title": "Benign charging",
                "anomaly": None,
                "description": "Quiet sessions one after the other.",
                "parameters": {},
            },
        ]

    def add(self, charge_point_id: str, status: str = "Charging", **more: Any) -> None:
        self.charge_points.append(
            {
                "charge_point_id": charge_point_id,
                "connected": True,
                "enrolled": True,
                "connectors": [
                    {"connector": 1, "status": status, "error_code": "NoError", "transaction_id": 41}
                ],
                "scenario": None,
                **more,
            }
        )

    def run(self, scenario: str, charge_point_ids: list[str], cycles: int = 0) -> dict[str, Any]:
        run = {
            "run_id": str(uuid.uuid4()),
            "scenario": scenario,
            "anomaly": next((s["anomaly"] for s in self.scenarios if s["name"] == scenario), None),
            "charge_point_ids": charge_point_ids,
            "started_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "ended_at": None,
            "state": "running",
            "cycles": cycles,
            "parameters": {},
            "reason": None,
        }
        self.runs.insert(0, run)
        return run

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        lists = {
            "/api/charge-points": self.charge_points,
            "/api/scenarios": self.scenarios,
            "/api/scenario-runs": self.runs,
            "/api/mixes": self.mixes,
            "/api/mix-runs": self.mix_runs,
        }
        if method == "GET":
            for charge_point in self.charge_points:
                if path == f"/api/charge-points/{charge_point['charge_point_id']}":
                    self.asked_alone.add(charge_point["charge_point_id"])
                    return 200, charge_point
            return (200, lists[path]) if path in lists else (404, {"detail": "no such thing"})
        if self.tokens[-1] != CSMS_TOKEN:
            return 403, {"detail": "the start-up token is wrong"}
        running = [run for run in self.runs if run["state"] == "running"]
        if path == "/api/stop-all":
            for run in running:
                run["state"] = "stopped"
            return 200, {"stopped_runs": len(running), "stopped_transactions": 1}
        if path.startswith("/api/mix-runs"):
            return self._mixed(method, path, body)
        if method == "POST":
            return self._started(body, running)
        return self._stopped(path, running)

    def _stopped(self, path: str, running: list[dict[str, Any]]) -> tuple[int, Any]:
        for run in running:
            if path.endswith(f"/{run['run_id']}"):
                run["state"] = "stopped"
                return 200, run
        return 404, {"detail": "no such run"}

    def _mixed(self, method: str, path: str, wish: Any) -> tuple[int, Any]:
        if method == "POST":
            self.wishes.append(wish)
            run = {
                **self.run(wish["mix"], wish["charge_point_ids"]),
                "mix_run_id": str(uuid.uuid4()),
                "runs": 1,
            }
            self.runs.pop(0)
            self.mix_runs.insert(0, {**run, "name": wish["mix"]})
            return 201, self.mix_runs[0]
        for run in self.mix_runs:
            if path.endswith(f"/{run['mix_run_id']}"):
                run["state"] = "stopped"
                return 200, run
        return 404, {"detail": "no such mix"}

    def _started(self, wish: dict[str, Any], running: list[dict[str, Any]]) -> tuple[int, Any]:
        self.wishes.append(wish)
        wanted = set(wish["charge_point_ids"])
        foreign = [
            c["charge_point_id"]
            for c in self.charge_points
            if c["charge_point_id"] in wanted and not c["enrolled"]
        ]
        if foreign:
            return 403, {"detail": f"{foreign[0]} is not enrolled as the bench's own"}
        for run in running:
            if wanted & set(run["charge_point_ids"]):
                if not wish["replace"]:
                    return 409, {"detail": f"{min(wanted)} is in a scenario already"}
                run["state"] = "stopped"
        return 201, self.run(wish["scenario"], wish["charge_point_ids"])


class MemoryBankApi(ApiServer):
    """The MemoryBank's HTTP API as far as the console uses it."""

    def __init__(self) -> None:
        super().__init__()
        self.anomalies: list[Anomaly] = []
        self.patterns: dict[uuid.UUID, dict[str, Any]] = {}
        """By anomaly; all anomalies of one kind are alike."""
        self.readings: list[dict[str, Any]] = []
        self.verdicts: list[dict[str, Any]] = []
        self.database = True

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if path == "/healthz":
            health = {"ok": self.database, "service": "memorybank", "broker": True, "database": self.database}
            return (200 if self.database else 503), health
        if not self.database:
            return 503, {"detail": "the database is away"}
        if path == "/api/metrics":
            return 200, {"items": self.readings, "next": None}
        if path == "/api/verdicts":
            return 200, {"items": self.verdicts, "next": None}
        if path.startswith("/api/anomalies/"):
            return self._one(*path.split("/")[3:])
        if path != "/api/anomalies":
            return 200, {"items": [], "next": None}
        chosen = [
            anomaly
            for anomaly in self.anomalies
            if query.get("charge_point_id") in (None, anomaly.charge_point_id)
            and ("open" not in query or anomaly.phase != "closed")
        ]
        most = int(query.get("limit", 100))
        return 200, {
            "items": [json.loads(events.encode(anomaly)) for anomaly in chosen[:most]],
            "next": "more" if len(chosen) > most else None,
        }

    def _one(self, anomaly_id: str, *rest: str) -> tuple[int, Any]:
        for anomaly in self.anomalies:
            if str(anomaly.id) == anomaly_id and rest == ("pattern",) and anomaly.id in self.patterns:
                return 200, self.patterns[anomaly.id]
            if str(anomaly.id) == anomaly_id and not rest:
                return 200, json.loads(events.encode(anomaly))
        return 404, {"detail": "no anomaly of that id is remembered"}

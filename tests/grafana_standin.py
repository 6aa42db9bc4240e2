"""A stand-in for a Grafana server, as far as the bench asks one: its documented HTTP API, on real PostgreSQL.

What it keeps of Grafana's contract was read in its documentation and in its sources: who may what, the
shapes of answers and errors, how tags are kept and found, what a query that fails looks like. It can be
away, slow, failing and talkative without end.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg

from chassis.grafana_address import Address
from grafana_frames import Frame, dashboards, framed
from grafana_sql import Range, RefusedByGrafana, expand_macros
from grafana_wire import as_json
from real_parts import free_port

Json = dict[str, Any]
Reply = tuple[int, Any]

DATA_SOURCE = "chargebench-postgres"
EDITOR_TOKEN = "glsa_editor_of_the_tests"
VIEWER_TOKEN = "glsa_viewer_of_the_tests"


def provisioned() -> dict[str, Json]:
    """Return our committed dashboards by uid, as a Grafana that took them from our files has them."""
    meta = {"provisioned": True, "provisionedExternalId": "x.json", "folderUid": "chargebench"}
    return {one["uid"]: {"dashboard": one, "meta": meta} for one in dashboards().values()}


@dataclass
class GrafanaStandin:
    """Use as a context manager; `stop` and `start` it, change what it does while it runs.

    Without a database its data source is broken.
    """

    database_url: str = ""
    prefix: str = ""
    anonymous: str | None = "Viewer"
    tokens: dict[str, str] = field(default_factory=lambda: {EDITOR_TOKEN: "Editor", VIEWER_TOKEN: "Viewer"})
    dashboards: dict[str, Json] = field(default_factory=provisioned)
    rules: list[Json] = field(default_factory=list)
    annotations: dict[int, Json] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    most_tags: int = 500
    """Characters of all tags of an annotation, with their quotes; this is Grafana's default."""
    slow_s: float = 0.0
    failing: int = 0
    """A status with which everything is answered."""
    goes_after: int = 0
    """Requests after which everything is answered with 503."""
    page: bytes = b""
    """What is answered instead of JSON."""
    moved_to: str = ""
    """Where it sends whoever asks."""
    endless: bool = False
    """The body of an answer never ends, and never stops coming."""
    asked: list[str] = field(default_factory=list)
    """Method and path of every request."""
    authorizations: set[str] = field(default_factory=set)
    _server: ThreadingHTTPServer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asking: threading.Lock = field(default_factory=threading.Lock)
    _connection: "psycopg.Connection[Any] | None" = None
    _connected_to: str = ""
    _stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    @property
    def address(self) -> Address:
        return Address.parse(self.url)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        grafana = self
        self._stopping.clear()

        class Handler(BaseHTTPRequestHandler):
            def _any(self) -> None:
                grafana.handle(self)

            do_GET = do_POST = do_PUT = _any  # noqa: N815 - the base class's names

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - its name
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="grafana").start()

    def stop(self) -> None:
        """Be away, as after a crash; what it knows it knows again when it is back."""
        self._stopping.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        with self._asking:
            self._disconnect()

    def with_tag(self, tag: str) -> list[Json]:
        """Return the annotations that carry a tag."""
        with self._lock:
            return [dict(one) for one in self.annotations.values() if tag in one["tags"]]

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.asked.append(f"{request.command} {request.path}")
        self.authorizations.add(request.headers.get("Authorization", ""))
        if self.goes_after and len(self.asked) > self.goes_after:
            self.failing = 503
        if self._stopping.wait(self.slow_s):
            return
        status, answer = (
            (self.failing, {"message": "as the test wishes"})
            if self.failing
            else self._answer(request, parts.path, parse_qs(parts.query), body)
        )
        request.send_response(302 if self.moved_to else status)
        if self.moved_to:
            request.send_header("Location", self.moved_to)
        encoded = self.page or json.dumps(answer).encode()
        request.send_header("Content-Type", "application/json")
        if not self.endless:
            request.send_header("Content-Length", str(len(encoded)))
        request.end_headers()
        try:
            while self.endless and not self._stopping.wait(0.05):
                request.wfile.write(b" ")
                request.wfile.flush()
            request.wfile.write(encoded)
        except OSError:
            pass  # who asked has gone

    def _answer(self, request: BaseHTTPRequestHandler, path: str, query: Json, body: bytes) -> Reply:
        if not path.startswith(f"{self.prefix}/api/"):
            return 404, {"message": "Not found"}
        steps = [unquote(step) for step in path.removeprefix(f"{self.prefix}/api/").split("/")]
        if steps == ["health"]:
            return 200, {"commit": "unknown", "database": "ok", "version": "13.1.3"}
        role = self._role(request.headers.get("Authorization"))
        if role is None:
            return 401, {"message": "Unauthorized", "messageId": "auth.unauthorized", "statusCode": 401}
        return self._routed(role, request.command, steps, query, json.loads(body) if body else {})

    def _routed(self, role: str, method: str, steps: list[str], query: Json, content: Json) -> Reply:
        match method, steps:
            case "GET", ["datasources", "uid", uid, "health"]:
                return self._data_source_health(uid)
            case "GET", ["dashboards", "uid", uid]:
                found = self.dashboards.get(uid)
                return (200, found) if found else (404, {"message": "Dashboard not found"})
            case "GET", ["prometheus", "grafana", "api", "v1", "rules"]:
                return 200, {"status": "success", "data": {"groups": [{"rules": self.rules}]}}
            case "POST", ["ds", "query"]:
                return self._query(content)
            case "GET", ["annotations"]:
                return self._find(query)
            case "POST", ["annotations"] if role == "Editor":
                return self._add(content)
            case "PUT", ["annotations", identity] if role == "Editor":
                return self._change(int(identity), content)
            case (("POST" | "PUT"), ["annotations", *_]):
                return 403, {"message": "You'll need additional permissions to perform this action."}
        return 404, {"message": "Not found"}

    def _role(self, authorization: str | None) -> str | None:
        if authorization is None:
            return self.anonymous
        # An unknown token is refused also where nobody would need one.
        return self.tokens.get(authorization.removeprefix("Bearer "))

    def _data_source_health(self, uid: str) -> Reply:
        if uid != DATA_SOURCE:
            return 404, {"message": "Data source not found"}
        try:
            with psycopg.connect(self.database_url or "host=127.0.0.1 port=1", connect_timeout=2):
                return 200, {"message": "Database Connection OK", "status": "OK"}
        except psycopg.OperationalError:
            return 400, {"message": "Connection error: failed to connect to server", "status": "ERROR"}

    def _query(self, content: Json) -> Reply:
        span = Range(*(datetime.fromtimestamp(int(content[end]) / 1000, UTC) for end in ("from", "to")))
        results: dict[str, Json] = {}
        for query in content["queries"]:
            if query["datasource"]["uid"] != DATA_SOURCE:
                return 404, {"message": "Data source not found"}
            try:
                frame = self._framed(expand_macros(query["rawSql"], span), query["format"])
                results[query["refId"]] = {"status": 200, "frames": [as_json(frame, query["refId"])]}
            except (psycopg.Error, RefusedByGrafana, AssertionError) as error:
                results[query["refId"]] = {"status": 500, "error": f"db query error: {error}", "frames": []}
        failed = any("error" in result for result in results.values())
        return 400 if failed else 200, {"results": results}

    def _framed(self, sql: str, form: str) -> Frame:
        # One connection for all, as from a pool; another where the database is another.
        with self._asking:
            if self._connection is None or self._connection.closed or self._connected_to != self.database_url:
                self._disconnect()
                self._connection = psycopg.connect(self.database_url, autocommit=True)
                self._connected_to = self.database_url
            return framed(self._connection, sql, form)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _find(self, query: dict[str, list[str]]) -> Reply:
        wanted = set(_kept(query.get("tags", [])))
        limit = int(query.get("limit", ["100"])[0])
        with self._lock:
            found = [one for one in self.annotations.values() if wanted <= set(one["tags"])]
            found.sort(key=lambda one: one["timeEnd"], reverse=True)
            return 200, found[:limit]

    def _add(self, content: Json) -> Reply:
        if refusal := self._refusal(content):
            return refusal
        with self._lock:
            identity = len(self.annotations) + 1
            self.annotations[identity] = {
                "id": identity,
                "dashboardUID": content.get("dashboardUID"),
                "dashboardId": content.get("dashboardId") or 0,
                "panelId": content.get("panelId") or 0,
                "time": content.get("time") or int(time.time() * 1000),
                "timeEnd": content.get("timeEnd") or content.get("time"),
                "text": content["text"],
                "tags": _kept(content.get("tags") or []),
            }
        return 200, {"message": "Annotation added", "id": identity}

    def _refusal(self, content: Json) -> Reply | None:
        if not content.get("text"):
            return 400, {"message": "Failed to save annotation: text field should not be empty"}
        if len(json.dumps(_kept(content.get("tags") or []), separators=(",", ":"))) > self.most_tags:
            return 400, {"message": f"tags length exceeds the maximum allowed ({self.most_tags})"}
        return None

    def _change(self, identity: int, content: Json) -> Reply:
        if refusal := self._refusal(content):
            return refusal
        with self._lock:
            known = self.annotations.get(identity)
            if known is None:
                return 404, {"message": "Could not find annotation to update"}
            known |= {
                "time": content.get("time") or known["time"],
                "timeEnd": content.get("timeEnd") or known["timeEnd"],
                "text": content["text"],
                "tags": _kept(content.get("tags") or []),
            }
        return 200, {"message": "Annotation updated"}


def _kept(tags: list[str]) -> list[str]:
    """Return tags as Grafana keeps them: a key, or the key and the value around a colon; each once."""
    found: dict[str, None] = {}
    for tag in tags:
        pieces = [piece.strip(" ") for piece in tag.split(":")[:2]]
        if pieces[0]:
            found[":".join(piece for piece in pieces if piece)] = None
    return list(found)


def until_asked(grafana: GrafanaStandin, what: str, times: int = 1) -> Callable[[], bool]:
    """Return a condition for wait_until: a request that begins like `what` came so often."""
    return lambda: sum(one.startswith(what) for one in list(grafana.asked)) >= times

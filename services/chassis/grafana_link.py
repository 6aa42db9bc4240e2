"""The one seam to a Grafana server: all that the bench asks of one, in our words and errors.

Nothing else imports `grafana_api`. That package knows annotations; health, uids, queries and alert rules came
to Grafana after it, so they go by its plain GET and POST. Facts about it (1.0.3, read in its source): it
always sends credentials, so none are a callable that adds nothing; its timeout holds for each wait on the
socket, not for the whole answer; an error page that is no JSON makes it fail with whatever Python raises.
"""

import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from urllib.parse import quote

import requests
from grafana_api.grafana_api import GrafanaException  # type: ignore[import-untyped] # it ships no types
from grafana_api.grafana_face import GrafanaFace  # type: ignore[import-untyped]
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from chassis.grafana_address import Address, token_complaint
from chassis.grafana_region import Region

Json: TypeAlias = dict[str, Any]

_MOST_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 65_536
_LONGEST_REASON = 300
_UNAUTHORISED, _FORBIDDEN, _TOO_MANY = 401, 403, 429


class GrafanaError(Exception):
    """Grafana did not do what it was asked."""


class GrafanaAway(GrafanaError):  # noqa: N818 - named after what happened
    """It does not answer, not in time, or says itself that it cannot now: ask again later."""


class GrafanaRefused(GrafanaError):  # noqa: N818
    """It does not let us: no token, an unknown one, or one that may not."""


class GrafanaRejected(GrafanaError):  # noqa: N818
    """It answered that this request is wrong, or that what it names is not there."""


class GrafanaMalformed(GrafanaError):  # noqa: N818
    """What answered is not as Grafana answers: something else listens at this address."""


@dataclass(frozen=True, slots=True)
class Health:
    """What Grafana says of itself; `database` is its own, and `ok` when it works."""

    version: str
    database: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave: frames in Grafana's JSON, or why there are none."""

    frames: list[Json]
    error: str | None = None

    @property
    def fields(self) -> list[Json]:
        """The fields of all frames, as the schema names them."""
        return [field for frame in self.frames for field in frame.get("schema", {}).get("fields", [])]

    @property
    def rows(self) -> int:
        """How many rows the longest frame has."""
        columns = [frame.get("data", {}).get("values") or [[]] for frame in self.frames]
        return max((len(column[0]) for column in columns), default=0)


class GrafanaLink:
    """One Grafana, asked by one thread at a time; every method raises GrafanaError, and in time."""

    def __init__(self, address: Address, token: str = "", *, deadline_s: float = 10.0) -> None:
        """Ask as the owner of a service account's `token`; without one, as whoever may look unasked.

        No call takes longer than `deadline_s` to connect, again so long to the first byte of the answer,
        and as long for the rest of it.
        """
        if complaint := token_complaint(token):
            raise ValueError(f"the token {complaint}")
        self.address = address
        self._deadline_s = deadline_s
        self._grafana = GrafanaFace(
            auth=token,
            host=address.host,
            port=address.port,
            url_path_prefix=address.prefix,
            protocol=address.protocol,
            timeout=deadline_s,
        )
        session: requests.Session = self._grafana.api.s
        if not token:
            self._grafana.api.auth = _nobody
        # Where it sends us elsewhere, a POST would arrive there as a GET.
        session.max_redirects = 0
        session.trust_env = not address.is_loopback
        session.stream = True
        session.hooks["response"].append(self._read)

    def health(self) -> Health:
        """Return what it says of itself; it says so to anybody."""
        answer = self._asked(lambda api: api.GET("/health"))
        if not isinstance(answer.get("version"), str) or not isinstance(answer.get("database"), str):
            raise GrafanaMalformed(f"{self.address}: its health names no version and no database")
        return Health(answer["version"], answer["database"])

    def data_source_health(self, uid: str) -> str:
        """Return what the data source says of its connection; GrafanaRejected where that does not work."""
        answer = self._asked(lambda api: api.GET(f"/datasources/uid/{quote(uid, safe='')}/health"))
        message = str(answer.get("message", ""))
        if answer.get("status") != "OK":
            raise GrafanaRejected(message or "no reason given")
        return message

    def dashboard(self, uid: str) -> Json:
        """Return `{"dashboard": …, "meta": …}`; GrafanaRejected where there is none."""
        answer: Json = self._asked(lambda api: api.GET(f"/dashboards/uid/{quote(uid, safe='')}"))
        if not isinstance(answer.get("dashboard"), dict) or not isinstance(answer.get("meta"), dict):
            raise GrafanaMalformed(f"{self.address}: a dashboard without content")
        return answer

    def alert_rules(self) -> list[Json]:
        """Return the alert rules that we may see, as last evaluated (`uid`, `name`, `state`, `health`)."""
        answer = self._asked(lambda api: api.GET("/prometheus/grafana/api/v1/rules"))
        try:
            return [rule for group in answer["data"]["groups"] for rule in group["rules"]]
        except (KeyError, TypeError):
            raise GrafanaMalformed(f"{self.address}: alert rules in another form than expected") from None

    def query(self, queries: list[Json], start: datetime, end: datetime) -> dict[str, Answer]:
        """Run queries over a stretch of time, macros expanded by Grafana; return the answers by refId."""
        body = {"queries": queries, "from": str(_ms(start)), "to": str(_ms(end))}
        answer = self._asked(lambda api: api.POST("/ds/query", json=body), refused_in_part="results")
        results = answer.get("results")
        if not isinstance(results, dict):
            raise GrafanaMalformed(f"{self.address}: an answer to a query without results")
        return {
            ref: Answer(result.get("frames") or [], result.get("error")) for ref, result in results.items()
        }

    def annotations(self, tag: str) -> list[Json]:
        """Return the annotations that carry a tag (`id`, `time`, `timeEnd`, `text`, `tags`)."""
        find = self._grafana.annotations.get_annotation
        found = self._asked(lambda _: find(tags=[quote(tag, safe="")], limit=10), kind=list)
        if not all(isinstance(one, dict) and isinstance(one.get("id"), int) for one in found):
            raise GrafanaMalformed(f"{self.address}: an annotation without id")
        return list(found)

    def add_annotation(self, region: Region) -> None:
        """Add an annotation of the whole organisation: it belongs to no dashboard."""
        add = self._grafana.annotations.add_annotation
        self._asked(lambda _: add(**_fields(region)))

    def change_annotation(self, identity: int, region: Region) -> None:
        """Put a region in the place of what an annotation was."""
        update = self._grafana.annotations.update_annotation
        self._asked(lambda _: update(identity, **_fields(region)))

    def _asked(
        self, ask: Callable[[Any], Any], *, kind: type[Any] = dict, refused_in_part: str | None = None
    ) -> Any:
        """Return the JSON of an answer, or raise what it means that there is none."""
        try:
            answer = ask(self._grafana.api)
        except GrafanaException as error:
            # Of several queries one may fail: then the others' answers are there, and the status says 400.
            if refused_in_part and isinstance(error.response, dict) and refused_in_part in error.response:
                return error.response
            raise self._refusal(error) from None
        except requests.TooManyRedirects:
            raise GrafanaMalformed(f"{self.address}: sends elsewhere; give the address it sends to") from None
        except (requests.JSONDecodeError, json.JSONDecodeError, TypeError):
            # A TypeError: grafana_api looks for a message in what is no JSON.
            raise GrafanaMalformed(f"{self.address}: what answers there is no Grafana (no JSON)") from None
        except (requests.RequestException, HTTPError, OSError) as error:
            raise GrafanaAway(f"{self.address}: {self._reason(error)}") from None
        if not isinstance(answer, kind):
            raise GrafanaMalformed(f"{self.address}: an answer of another form than Grafana's")
        return answer

    def _refusal(self, error: Any) -> GrafanaError:
        said = error.response.get("message") if isinstance(error.response, dict) else None
        reason = f"status {error.status_code}" + (f": {str(said)[:_LONGEST_REASON]}" if said else "")
        if error.status_code >= 500 or error.status_code == _TOO_MANY:
            return GrafanaAway(f"{self.address}: {reason}")
        if error.status_code in (_UNAUTHORISED, _FORBIDDEN):
            return GrafanaRefused(f"{self.address}: {reason}")
        return GrafanaRejected(reason)

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, requests.Timeout):
            return f"no answer within {self._deadline_s:g} s"
        if isinstance(error, requests.exceptions.SSLError):
            return "its TLS certificate is not accepted"
        root: BaseException = error
        while (inner := root.__cause__ or root.__context__) is not None:
            root = inner
        words = root.strerror if isinstance(root, OSError) else None
        return words or str(root)[:_LONGEST_REASON] or type(root).__name__

    def _read(self, response: requests.Response, **_: Any) -> requests.Response:
        """Read the whole answer within the deadline and a bound, which requests would not."""
        raw: HTTPResponse = response.raw
        ends_s = time.monotonic() + self._deadline_s
        body = bytearray()
        while piece := raw.read1(_PIECE_BYTES, decode_content=True):
            body += piece
            if time.monotonic() > ends_s:
                raw.close()
                raise requests.ReadTimeout(response=response)
            if len(body) > _MOST_BYTES:
                raw.close()
                raise OSError(f"an answer of more than {_MOST_BYTES} bytes")
        raw.release_conn()
        response.raw = io.BytesIO(body)
        return response


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _fields(region: Region) -> Json:
    return {
        "time_from": region.start_ms,
        "time_to": region.end_ms,
        "tags": list(region.tags),
        "text": region.text,
    }


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)

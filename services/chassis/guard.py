"""Who may ask a service over HTTP, decided from the request's head alone. Pure.

Any web page that a user opens can send requests to localhost. So the Host must be one of ours (no DNS
rebinding), the Origin too (no other page), and whatever changes state needs the start-up token in a header.
"""

import base64
import contextlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from chassis.settings import SettingsError, setting

TOKEN_HEADER = "X-ChargeBench-Token"  # noqa: S105 - the header's name
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where a service's HTTP listens and who may use it. The port stands in each service's own settings."""

    bind: str = setting("HTTP_BIND", "Address to listen on; 0.0.0.0 inside a container", default="127.0.0.1")
    exposed: str = setting(
        "HTTP_EXPOSED_ON",
        "Address under which people reach this port; another than loopback demands HTTP_PASSWORD. "
        "Where HTTP_BIND is not loopback this must be given",
        default="",
    )
    hosts: tuple[str, ...] = setting(
        "HTTP_HOSTS",
        "Further host names (with port where it is not 80) accepted in Host and Origin, comma-separated",
        default=(),
    )
    password: str | None = setting(
        "HTTP_PASSWORD",
        "When given, every request but /healthz needs Basic authentication with this password (any user)",
        default=None,
        secret=True,
    )
    token: str | None = setting(
        "CHARGEBENCH_TOKEN",
        "The start-up token: demanded in X-ChargeBench-Token by everything that changes state",
        default=None,
        secret=True,
    )

    def demand_safety(self) -> None:
        """Raise SettingsError when the port is reachable from other machines without a password."""
        require_password("HTTP_PASSWORD", self.password, self.bind, self.exposed, "HTTP_EXPOSED_ON")


def require_password(
    password_env: str, password: str | None, bind: str, exposed: str, exposed_env: str
) -> None:
    """Raise SettingsError unless what listens on `bind` is for loopback only or has a password."""
    if not password and not is_loopback(exposed or bind):
        raise SettingsError(
            f"{password_env}: needed because this would be reachable on {exposed or bind}; "
            f"set it, or keep to loopback (inside a container whose port is published on 127.0.0.1: "
            f"{exposed_env}=127.0.0.1)"
        )


def is_loopback(address: str) -> bool:
    """Return whether an address or host name stays on this machine."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered: HTTP's status (401, 403, 415) and the reason to tell."""

    status: int
    reason: str

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says besides, so that a browser asks its user for the password."""
        return {"WWW-Authenticate": 'Basic realm="ChargeBench"'} if self.status == 401 else {}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's head; the headers' names are found in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    kind: Literal["http", "websocket"] = "http"
    arrived_at: str | None = None
    """Our own address at which it arrived, where that too is a good Host (see `Gate.refusal`)."""


class Gate:
    """Knows the settings and the port, and with them who may pass."""

    def __init__(self, settings: HttpSettings, port: int) -> None:
        self._settings = settings
        self._port = port
        names = {"127.0.0.1", "localhost", "[::1]", _in_url(settings.exposed)} - {""}
        # Browsers leave out the port where it is the scheme's own.
        self._hosts = {f"{name}:{port}" for name in names} | set(settings.hosts)
        if port == 80:
            self._hosts |= names

    def refusal(self, asked: Asked) -> Refusal | None:
        """Return why the request is refused, or None.

        Who asks for health passes always: an engine's check knows no name and no password. A number as Host,
        `arrived_at`, can be no rebound name; it is how Prometheus asks replicas that it found by their name.
        """
        headers = asked.headers
        if asked.path == "/healthz":
            return None
        host = headers.get("host", "")
        if host not in self._hosts and not self._is_own(host, asked.arrived_at):
            return Refusal(403, f"Host {host!r:.100} is not one of this service's; add it to HTTP_HOSTS")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] not in self._hosts:
            return Refusal(403, f"Origin {origin!r:.100} may not use this service")
        if origin is None and _is_embedded_elsewhere(headers):
            return Refusal(403, "another page may not load this into itself")
        if self._settings.password and not self._authorised(headers.get("authorization", "")):
            return Refusal(401, "a password is needed (HTTP_PASSWORD)")
        if asked.kind == "http" and asked.method not in _SAFE_METHODS:
            return self._state_change_refusal(headers)
        return None

    def _is_own(self, host: str, arrived_at: str | None) -> bool:
        return arrived_at is not None and host == f"{_in_url(arrived_at)}:{self._port}"

    def _state_change_refusal(self, headers: Mapping[str, str]) -> Refusal | None:
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        if has_body and _media_type(headers) != "application/json":
            return Refusal(415, "only application/json is taken")
        if not self._settings.token:
            return Refusal(403, "no CHARGEBENCH_TOKEN is set, so nothing may be changed")
        given = headers.get(TOKEN_HEADER.lower(), "")
        if not hmac.compare_digest(given.encode(), self._settings.token.encode()):
            return Refusal(403, f"the header {TOKEN_HEADER} must carry the start-up token")
        return None

    def _authorised(self, header: str) -> bool:
        kind, _, value = header.partition(" ")
        if kind.lower() != "basic":
            return False
        with contextlib.suppress(ValueError):
            password = base64.b64decode(value, validate=True).partition(b":")[2]
            return hmac.compare_digest(password, (self._settings.password or "").encode())
        return False


def _is_embedded_elsewhere(headers: Mapping[str, str]) -> bool:
    """Return whether a browser says that another site's page loads this, which it need not say by an Origin.

    An image or a frame there could read nothing, but have a whole memory exported. A link is no such thing.
    """
    elsewhere = headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")
    return elsewhere and headers.get("sec-fetch-dest") != "document"


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()

"""Who may connect as which charge point: decided from the opening request alone."""

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from contracts.ocpp_messages import SUBPROTOCOL

MAX_IDENTITY = 48  # OCPP 2.0.1's limit; 1.6 names none


@dataclass(frozen=True, slots=True)
class OpeningRequest:
    """What a charge point says when it opens a connection; None: the header is not there."""

    path: str
    subprotocols: tuple[str, ...] = ()
    origin: str | None = None
    authorization: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """Passwords: of the bench's own charge points, and (None: not demanded) of foreign ones."""

    enrolment_password: str | None = None
    foreign_password: str | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """It may connect; `enrolled`: it is one of the bench's own."""

    charge_point_id: str
    enrolled: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """It may not: the HTTP status and the reason to tell it. `charge_point_id` where it could be read."""

    status: int
    reason: str
    charge_point_id: str | None = None


def admit(request: OpeningRequest, rules: Rules, is_enrolled: Callable[[str], bool]) -> Admitted | Refused:
    """Return whether and as whom the peer may connect.

    `is_enrolled` tells whether an identity belongs to the bench: then nobody takes it without the password,
    present or absent.
    """
    if request.origin is not None:
        return Refused(403, "browsers are not served here (the request has an Origin header)")
    charge_point_id = _identity(request.path)
    if isinstance(charge_point_id, Refused):
        return charge_point_id
    if SUBPROTOCOL not in request.subprotocols:
        offered = ", ".join(request.subprotocols) or "none"
        return Refused(
            400, f"the subprotocol {SUBPROTOCOL} is demanded, offered: {offered:.100}", charge_point_id
        )
    if request.authorization is None:
        if rules.foreign_password is not None:
            return Refused(401, "Basic authentication is demanded (OCPP_PASSWORD)", charge_point_id)
        enrolled = False
    else:
        password = _password(request.authorization, charge_point_id)
        enrolled = _same(password, rules.enrolment_password)
        if not enrolled and not _same(password, rules.foreign_password):
            return Refused(401, "wrong user (the identity is demanded) or password", charge_point_id)
    if not enrolled and is_enrolled(charge_point_id):
        return Refused(
            403, "this identity is one of the bench's own and needs ENROLMENT_PASSWORD", charge_point_id
        )
    return Admitted(charge_point_id, enrolled)


def _identity(path: str) -> str | Refused:
    encoded = path.partition("?")[0].removeprefix("/")
    if not encoded or "/" in encoded:
        return Refused(404, "connect to /<charge point identity>, percent-encoded")
    try:
        identity = unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        return Refused(400, "the identity is not valid UTF-8")
    if len(identity) > MAX_IDENTITY:
        return Refused(400, f"the identity is longer than {MAX_IDENTITY} characters")
    # Control characters, line breaks and direction marks (none printable) would lie in lists and logs.
    if not identity.isprintable() or identity != identity.strip() or "/" in identity:
        return Refused(400, "the identity has a control character, a slash, or a space at its end")
    return identity


def _password(authorization: str, user: str) -> bytes | None:
    kind, _, value = authorization.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, separator, password = base64.b64decode(value.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return password if separator and name == user.encode() else None


def _same(given: bytes | None, expected: str | None) -> bool:
    return given is not None and expected is not None and hmac.compare_digest(given, expected.encode())

"""Fields of OCPP payloads that the official schemas let pass and that we still cannot take as they come."""

from datetime import UTC, datetime

from contracts.ocpp_messages import MalformedMessage, Payload

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
MAX_CONNECTOR = 255
_INT32 = 2**31


def connector_of(payload: Payload, lowest: int = 0) -> int:
    """Return `connectorId`, or raise MalformedMessage where no charge point has such a connector."""
    connector: int = payload["connectorId"]
    if not lowest <= connector <= MAX_CONNECTOR:
        raise MalformedMessage(
            "PropertyConstraintViolation", f"connectorId: {connector} is not in {lowest} … {MAX_CONNECTOR}"
        )
    return connector


def int32_of(payload: Payload, name: str) -> int:
    """Return a whole number, or raise MalformedMessage where it is beyond 32 bits, signed."""
    value: int = payload[name]
    if not -_INT32 <= value < _INT32:
        raise MalformedMessage("PropertyConstraintViolation", f"{name}: {value:.3g} is beyond 32 bits")
    return value


def instant_of(payload: Payload, now: datetime) -> datetime:
    """Return `timestamp`, aware; raise MalformedMessage where it is no instant.

    Without one, or from a clock that was never set (before 2000, after 2100), it is `now`. An instant without
    offset is UTC.
    """
    text = payload.get("timestamp")
    if text is None:
        return now
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:  # an offset led out of the calendar
        return now
    except ValueError as error:
        raise MalformedMessage(
            "PropertyConstraintViolation", f"timestamp: {text!r:.50} is no date-time"
        ) from error
    return at if _EARLIEST <= at < _LATEST else now

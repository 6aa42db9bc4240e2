"""A frame as Grafana's HTTP API writes it: JSON with a schema, and the values column by column."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from grafana.verify import our_rules

from grafana_frames import Frame

_TYPES = {"number": "number", "time": "time", "bool": "boolean", "string": "string"}
_IN_GO = {"number": "float64", "time": "time.Time", "bool": "bool", "string": "string"}


def as_json(frame: Frame, ref: str = "A") -> dict[str, Any]:
    """Return the frame as it stands in an answer of /api/ds/query; times are milliseconds since 1970."""
    fields = [
        {
            "name": one.name,
            "type": _TYPES[one.kind],
            "typeInfo": {"frame": _IN_GO[one.kind], "nullable": True},
            **({"labels": one.labels} if one.labels else {}),
        }
        for one in frame.fields
    ]
    values = [[_plain(value, one.kind) for value in one.values] for one in frame.fields]
    return {"schema": {"refId": ref, "fields": fields}, "data": {"values": values}}


def _plain(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, Decimal):
        return float(value)
    if kind == "string" or isinstance(value, date):
        return str(value)
    return value


def rules_as_evaluated() -> list[dict[str, Any]]:
    """Return our alert rules as Grafana lists them after their first evaluation."""
    return [
        {"uid": rule["uid"], "name": rule["title"], "state": "inactive", "health": "ok"}
        for rule in our_rules()
    ]

"""An alert rule evaluated as Grafana does it: the query on a PostgreSQL, its last value, the threshold."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from grafana.verify import our_rules

from grafana_frames import framed
from grafana_sql import Range, expand_macros

Json = dict[str, Any]


def rules() -> dict[str, Json]:
    """Return the committed rules by uid, from the very file that Grafana reads."""
    return {rule["uid"]: rule for rule in our_rules()}


def evaluate(connection: psycopg.Connection[Any], rule: Json) -> tuple[float, bool]:
    """Return the number and whether the condition holds; raises AssertionError where there is no number."""
    values: dict[str, float] = {}
    for step in rule["data"]:
        values[step["refId"]] = _step(connection, step, values)
    numbers = [values[step["refId"]] for step in rule["data"] if step["model"].get("type") == "reduce"]
    return numbers[-1], bool(values[rule["condition"]])


def _step(connection: psycopg.Connection[Any], step: Json, values: dict[str, float]) -> float:
    model = step["model"]
    match model.get("type"):
        case None:
            now = datetime.now(UTC)
            span = Range(now - timedelta(seconds=step["relativeTimeRange"]["from"]), now)
            frame = framed(connection, expand_macros(model["rawSql"], span), model["format"])
            series = [one for one in frame.fields if one.kind == "number"]
            assert len(series) == 1, "one number is compared"
            assert series[0].values[-1] is not None, "no data"
            return float(series[0].values[-1])
        case "reduce":
            assert model["reducer"] == "last"
            return values[model["expression"]]
        case "threshold":
            (condition,) = model["conditions"]
            assert condition["evaluator"]["type"] == "gt"
            (limit,) = condition["evaluator"]["params"]
            return float(values[model["expression"]] > limit)
    raise AssertionError(f"no expression of type {model['type']!r} is known here")

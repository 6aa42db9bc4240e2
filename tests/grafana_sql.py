"""What Grafana makes of a query before PostgreSQL sees it: variables, intervals, macros.

Variables are replaced in the browser, by `grafana.variables`; macros by the PostgreSQL data source, whose
rules are written down here (grafana/README.md says what is thereby verified and what not). Only what the
bench's dashboards use is known: anything else is refused, so that a new macro is looked up before it is
relied on.
"""

import re
from datetime import UTC, datetime

from grafana.variables import Range, RefusedByGrafana, Values, duration_s, interval_s, with_variables

__all__ = ["Range", "RefusedByGrafana", "Values", "expand", "expand_macros", "interval_s"]

_MACRO = re.compile(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)")


def expand(sql: str, span: Range, variables: Values, every_s: float) -> str:
    """Return the SQL that PostgreSQL gets; raises RefusedByGrafana."""
    return expand_macros(with_variables(sql, variables, every_s), span)


def expand_macros(sql: str, span: Range) -> str:
    """Return the SQL that PostgreSQL gets of what the front end sent; raises RefusedByGrafana."""

    def replaced(match: re.Match[str]) -> str:
        name, arguments = match[1], [part.strip(" ") for part in match[2].split(",")]
        if "(" in match[2]:
            raise RefusedByGrafana(f"{match[0]}…: a macro's argument ends at the first closing parenthesis")
        if name == "__timeGroup" and sql[match.end() : match.end() + 1] == ",":
            name = "__timeGroupAlias"  # so Grafana reads it, for dashboards of old
        return _macro(name, arguments, span)

    return _MACRO.sub(replaced, sql)


def _macro(name: str, arguments: list[str], span: Range) -> str:
    start, end = _instant(span.start), _instant(span.end)
    match name, arguments:
        case "__timeFilter", [column]:
            return f"{column} BETWEEN '{start}' AND '{end}'"
        case "__timeFrom", [""]:
            return f"'{start}'"
        case "__timeTo", [""]:
            return f"'{end}'"
        case "__timeGroup", [column, interval, *_]:
            every = f"{duration_s(interval.strip(chr(39))):g}"
            return f"floor(extract(epoch from {column})/{every})*{every}"
        case "__timeGroupAlias", _:
            return f'{_macro("__timeGroup", arguments, span)} AS "time"'
    raise RefusedByGrafana(f"unknown macro ${name} with {len(arguments)} arguments")


def _instant(at: datetime) -> str:
    """Return RFC 3339 in UTC as Go writes it: no zeros at the end of the fraction."""
    text = at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
    return f"{text.rstrip('0').rstrip('.')}Z"

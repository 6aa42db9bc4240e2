"""The report: one HTML file that needs nothing beside it, and the table that stands in docs/. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from chassis.terminal import plural

Row = Mapping[str, Any]

STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { max-width: 84rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0 2rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid light-dark(#ccc, #444); text-align: right; }
th:first-child, td:first-child, td.words { text-align: left; }
td.short { color: light-dark(#a40000, #ff9b8f); font-weight: 600; }
svg { max-width: 100%; height: auto; background: white; }
code { background: light-dark(#eee, #333); padding: 0 .3em; }
"""

COLUMNS = (
    "scenario",
    "events",
    "recall (95 %)",
    "delay from command: median, p95 (s)",
    "from physical start (s)",
    "name right",
    "alarms an event",
    "false alarms beside",
)


def cells(row: Row) -> list[str]:
    """Return a scenario's cells, in the order of COLUMNS."""
    label = f"{row['number']} {row['scenario']}".strip()
    return [
        label,
        str(row["events"]),
        _recall(row),
        _spread(row["delay_from_command_s"]),
        _spread(row["delay_from_physical_start_s"]),
        _percent(row["named_share"]),
        _number(row["alarms_per_event"]),
        str(row["false_alarms"]),
    ]


def benign_cells(row: Row) -> list[str]:
    """Return the cells of a kind of life without events: name, days, false alarms, rate, interval."""
    low, high = row["false_alarms_interval"] or (None, None)
    return [
        f"{row['number']} {row['scenario']}".strip(),
        _number(row["charge_point_days"]),
        str(row["false_alarms"]),
        _number(row["false_alarms_per_charge_point_day"]),
        f"{_number(low)} … {_number(high)}",
        ", ".join(f"{kind} {count}" for kind, count in sorted(row["false_kinds"].items())),
    ]


def markdown(score: Row) -> str:
    """Return the tables as Markdown, for docs/."""
    parts = [
        _markdown(COLUMNS, [cells(row) for row in score["rows"]]),
        _markdown(BENIGN_COLUMNS, [benign_cells(row) for row in score["benign"]]),
        _markdown(_judge_columns(score), _judge_rows(score)),
    ]
    if section := score.get("learning"):
        parts.append(learning_words(section))
        parts.append(_markdown(LEARNED_COLUMNS, [learned_cells(row) for row in section["metrics"]]))
    if rows := score.get("paces"):
        parts.append(paces_words(rows))
        parts.append(_markdown(paces_columns(rows), paces_cells(rows)))
    return "\n\n".join(parts) + "\n"


BENIGN_COLUMNS = (
    "life without anomalies",
    "charge-point-days",
    "false alarms",
    "a charge-point-day",
    "95 % interval",
    "which",
)


def html(score: Row, pictures: Iterable[str]) -> str:
    """Return the whole page."""
    facts = score["made"]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ChargeBench: scores</title><style>{STYLE}</style></head>
<body>
<h1>ChargeBench: scores</h1>
<p>Configuration <code>{escape(facts["configuration"])}</code>, seeds from {facts["seeds_from"]},
{facts["events"]} events a scenario, version {escape(facts["version"])}, {escape(facts["at"])};
{facts["occupied_s"]:,.0f} s of charging simulated.</p>
<p>{escape(score["verdict"])}</p>
<h2>Anomalies</h2>
{_table(COLUMNS, [cells(row) for row in score["rows"]])}
<h2>False alarms</h2>
{_table(BENIGN_COLUMNS, [benign_cells(row) for row in score["benign"]])}
{_foreign(score)}
<h2>Beside trivial baselines: recall; the last lines their false alarms a charge-point-day</h2>
<p>Each baseline's threshold gives at most one false alarm per charge-point-day on other benign life.</p>
{_table(_judge_columns(score), _judge_rows(score))}
<h2>Without a layer: recall</h2>
{_table(_layer_columns(score), _layer_rows(score))}
{_learning(score)}
{_paces(score)}
<h2>Delay against false alarms</h2>
{"".join(f"<figure>{picture}</figure>" for picture in pictures)}
</body></html>
"""


def tables(score: Row) -> Iterator[tuple[str, Sequence[str], list[list[str]]]]:
    """Yield title, columns and cells of the tables of our detectors, then of each that is not ours."""
    for name in ("", *score["foreign"]):
        for columns, kinds, cells_of in (
            (COLUMNS, score["rows"], cells),
            (BENIGN_COLUMNS, score["benign"], benign_cells),
        ):
            rows = [kind["foreign"][name] if name else kind for kind in kinds]
            if rows:
                yield name, columns, [cells_of(row) for row in rows]


LEARNED_COLUMNS = (
    "usual",
    "before",
    "deviation",
    "after",
    "moved by (deviations)",
    "where nobody told: after",
    "moved by",
    "of the last sessions",
)


def learned_cells(row: Row) -> list[str]:
    """Return the cells of a metric that is learned, in the order of LEARNED_COLUMNS."""
    held = ", held" if row["untold_is_held"] else ""
    return [
        f"{row['metric']}, {row['phase']}",
        _number(row["mean_before"]),
        _number(row["sd_before"]),
        _number(row["mean_after"]),
        f"{row['moved_sd']:+.2f}",
        f"{_number(row['untold_mean_after'])}{held}",
        f"{row['untold_moved_sd']:+.2f}",
        _number(row["untold_recent_mean"]),
    ]


def learning_words(section: Row) -> str:
    """Return in words whether a drift for weeks was found to the end, and what of it was learned."""
    days = section["days"]
    last = days[-1]
    found, runs = (sum(day[name] for day in days) for name in ("detected", "events"))
    most = max((abs(row["moved_sd"]) for row in section["metrics"]), default=0.0)
    untold = max((abs(row["untold_moved_sd"]) for row in section["metrics"]), default=0.0)
    return (
        f"{section['scenario']} for {section['drifting_days']} days: {found} of {runs} runs were found, "
        f"{last['detected']} of {last['events']} on day {last['day']}. What is usual moved by {most:.2f} "
        f"standard deviations at most; where nobody told of anomalies, by {untold:.2f}."
    )


def paces_columns(rows: Sequence[Row]) -> list[str]:
    """Return the columns of the table of paces: one for each upper limit."""
    limits_a = dict.fromkeys(row["limit_a"] for row in rows)
    return ["ramp", "period (s)", "good up to (s)", *(f"0 and {limit_a:g} A" for limit_a in limits_a)]


def paces_cells(rows: Sequence[Row]) -> list[list[str]]:
    """Return a line for each ramp law and period: the median delay in seconds at each limit."""
    lines: dict[tuple[str, float], list[str]] = {}
    for row in rows:
        line = lines.setdefault(
            (row["law"], row["period_s"]), [row["law"], f"{row['period_s']:g}", f"{row['goal_s']:g}"]
        )
        missed = row["runs"] - row["found"]
        line.append(
            ("-" if row["median_s"] is None else f"{row['median_s']:.1f}")
            + (f" ({missed} of {row['runs']} not found)" if missed else "")
        )
    return list(lines.values())


def paces_words(rows: Sequence[Row]) -> str:
    """Return in words whether the base scenario is found soon enough at every pace."""
    runs, found = (sum(row[name] for row in rows) for name in ("runs", "found"))
    late = [f"{row['law']} {row['period_s']:g} s {row['limit_a']:g} A" for row in rows if not row["met"]]
    told = f"too late at {', '.join(late)}" if late else "in time at every pace"
    return (
        f"The base scenario at {len(rows)} paces, 5 % of the frames lost: {found} of {runs} runs were found "
        f"under its own name, the median of each pace's delays from the first command {told}."
    )


def _paces(score: Row) -> str:
    rows = score.get("paces")
    if not rows:
        return ""
    table = _table(paces_columns(rows), paces_cells(rows))
    return (
        f"<h2>The base scenario at every pace: median delay (s)</h2><p>{escape(paces_words(rows))}</p>{table}"
    )


def _learning(score: Row) -> str:
    section = score.get("learning")
    if section is None:
        return ""
    rows = [learned_cells(row) for row in section["metrics"]]
    return f"<h2>Weeks of drift</h2><p>{escape(learning_words(section))}</p>{_table(LEARNED_COLUMNS, rows)}"


def _foreign(score: Row) -> str:
    parts = [
        f"<h3>{escape(name)}</h3>{_table(columns, rows)}" for name, columns, rows in tables(score) if name
    ]
    parts += [
        f"<p>{escape(reason)}: {plural(count, 'time')}</p>" for reason, count in score["complaints"].items()
    ]
    return "".join(["<h2>Detectors that are not ours</h2>", *parts]) if parts else ""


def _judge_columns(score: Row) -> list[str]:
    return ["scenario", "ChargeBench", *score["foreign"], *score["baselines"]]


def _judge_rows(score: Row) -> list[list[str]]:
    rows = [
        [
            f"{row['number']} {row['scenario']}".strip(),
            _percent(row["recall"]),
            *(_percent(judge["recall"]) for judge in _others(score, row)),
        ]
        for row in score["rows"]
    ]
    rows += [
        [
            f"{row['number']} {row['scenario']}: false alarms".strip(),
            _number(row["false_alarms_per_charge_point_day"]),
            *(_number(judge["false_alarms_per_charge_point_day"]) for judge in _others(score, row)),
        ]
        for row in score["benign"]
    ]
    return rows


def _others(score: Row, row: Row) -> Iterable[Row]:
    yield from (row["foreign"][name] for name in score["foreign"])
    yield from (row["baselines"][name] for name in score["baselines"])


def _layer_columns(score: Row) -> list[str]:
    return ["scenario", "all layers", *(f"without {layer}" for layer in score["layers"])]


def _layer_rows(score: Row) -> list[list[str]]:
    return [
        [
            f"{row['number']} {row['scenario']}".strip(),
            _percent(row["recall"]),
            *(_percent(row["without"][layer]["recall"]) for layer in score["layers"]),
        ]
        for row in score["rows"]
    ]


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _markdown(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(columns)
    lines = [
        columns,
        ["---"] * len(columns),
        *([cell.replace("|", "\\|") for cell in row] for row in rows),
    ]
    lines[0] = [column.replace("|", "\\|") for column in columns]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _recall(row: Row) -> str:
    if row["recall"] is None:
        return "-"
    low, high = row["recall_interval"]
    return f"{row['recall']:.3f} ({low:.2f} … {high:.2f})"


def _spread(value: Mapping[str, float] | None) -> str:
    return "-" if value is None else f"{value['median']:.0f}, {value['p95']:.0f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"

"""Dashboards drawn by Grafana's published components in a browser, from what their queries give.

`picture` runs every query of a dashboard and returns what the page of grafana/render draws; `bundle` makes
that page's script; `draw` shows the picture.
"""

import asyncio
import json
import subprocess
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from grafana.variables import Range
from playwright.async_api import Page, Route

from grafana_frames import GRAFANA, Frame, Json, check_annotation, check_panel, check_variable
from grafana_wire import as_json

RENDER = GRAFANA / "render"
MODULES = RENDER / "node_modules"
MISSING = "Grafana's components are not installed: npm ci --prefix grafana/render --ignore-scripts"
ADDRESS = "http://render.test/"
"""No host's name: the browser's requests are answered from the disk."""
WIDTH_PX = 1600
NOT_PUBLISHED = {"state-timeline", "status-history", "heatmap", "histogram", "barchart", "piechart"}
"""Panel types that only Grafana's app can draw; grafana/render/src/page.tsx says so in their place."""

_ROW_PX = 38
_ICONS = "/public/build/img/icons/"
_FONTS = {"/public/fonts/inter/Inter-Regular.woff2": 400, "/public/fonts/inter/Inter-Medium.woff2": 500}
_DRAWN_WITHIN_S = 100
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><title>ChargeBench: a dashboard drawn</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="page.css">
</head>
<body style="margin: 0"><div id="page"></div><script src="page.js"></script></body>
</html>
"""


def bundle(directory: Path) -> Path:
    """Make the page's script and style in `directory` and return it; needs Node.js and the modules."""
    command = ["npm", "run", "--silent", "bundle", "--", f"--outdir={directory}"]
    subprocess.run(command, cwd=RENDER, check=True, timeout=120)
    return directory


def choices(connection: psycopg.Connection[Any], dashboard: Json, span: Range) -> dict[str, str | list[str]]:
    """Return what a dashboard shows when it is opened: all where several can be chosen, else the first."""
    chosen: dict[str, str | list[str]] = {}
    for variable in dashboard["templating"]["list"]:
        name = variable["name"]
        if variable["type"] == "query":
            values = check_variable(connection, variable, chosen, span)
            if variable["multi"]:
                chosen[name] = values
            else:
                chosen[name] = min(values, key=_natural) if variable["sort"] and values else [*values, ""][0]
        else:
            chosen[name] = variable["current"]["value"]
    return chosen


def _natural(text: str) -> tuple[str, int]:
    head = text.rstrip("0123456789")
    return head, int(text[len(head) :] or 0)


def picture(connection: psycopg.Connection[Any], dashboard: Json, span: Range) -> Json:
    """Run all queries of a dashboard and return what the page draws.

    Raises AssertionError as `check_panel`: what Grafana could not draw.
    """
    chosen = choices(connection, dashboard, span)
    panels = {
        panel["id"]: {
            "span": _span(span.for_panel(panel.get("timeFrom"))),
            "frame": as_json(check_panel(connection, panel, span, chosen)),
        }
        for panel in dashboard["panels"]
    }
    regions = [
        {**_span(Range(begin, finish)), "color": annotation["iconColor"]}
        for annotation in dashboard["annotations"]["list"]
        if annotation["enable"]
        for begin, finish in _regions(check_annotation(connection, annotation, span, chosen))
    ]
    return {
        "dashboard": dashboard,
        "span": _span(span),
        "variables": chosen,
        "panels": panels,
        "regions": regions,
    }


def _regions(frame: Frame) -> Iterable[tuple[datetime, datetime]]:
    if not frame.rows:
        return []
    begins, ends, *_ = frame.fields
    return zip(begins.values, ends.values, strict=True)


def _span(span: Range) -> dict[str, float]:
    return {"from": span.start.timestamp() * 1000, "to": span.end.timestamp() * 1000}


async def draw(page: Page, directory: Path, picture: Json) -> None:
    """Draw a picture with the script that `bundle` left in `directory`, all in sight; return when it stands.

    Raises AssertionError with what a component threw.
    """
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in picture["dashboard"]["panels"])
    await page.set_viewport_size({"width": WIDTH_PX, "height": (rows + 1) * _ROW_PX})

    async def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        file = _file(directory, path)
        if path == "/":
            await route.fulfill(content_type="text/html", body=_PAGE)
        elif file.is_file():
            await route.fulfill(path=file)
        else:
            await route.fulfill(status=404)

    await page.route(f"{ADDRESS}**", answer)
    await page.goto(ADDRESS, timeout=_DRAWN_WITHIN_S * 1000)
    await asyncio.wait_for(
        page.evaluate("text => draw(JSON.parse(text))", json.dumps(picture)), _DRAWN_WITHIN_S
    )
    broken = await page.locator(".broken").all_inner_texts()
    assert not broken, "; ".join(broken)


def _file(directory: Path, path: str) -> Path:
    """Return what Grafana's server has at `path`: icons, two fonts; the rest is what was bundled."""
    if path.startswith(_ICONS):
        return MODULES / "@grafana" / "ui" / "dist" / "public" / "img" / "icons" / path.removeprefix(_ICONS)
    if path in _FONTS:
        return MODULES / "@fontsource" / "inter" / "files" / f"inter-latin-{_FONTS[path]}-normal.woff2"
    return directory / path.removeprefix("/")

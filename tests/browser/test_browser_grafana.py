"""Every dashboard drawn by Grafana's published components in Chromium, from the frames that its queries give.

Needs Node.js and `npm ci --prefix grafana/render --ignore-scripts`; without them these tests are skipped by
name. The pictures are left in build/pictures, to be looked at.
"""

import asyncio
import copy
import re
from datetime import timedelta
from pathlib import Path

import pytest
from grafana.running import opened_at

import grafana_render
import recorded_run
from grafana_frames import dashboards
from grafana_memory import standing_still
from grafana_render import MODULES, draw
from grafana_seen import differences, read
from real_parts import database

PICTURES = Path(__file__).parents[2] / "build" / "pictures"
RUN = timedelta(minutes=10)

pytestmark = pytest.mark.skipif(not MODULES.exists(), reason=grafana_render.MISSING)


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    return grafana_render.bundle(tmp_path_factory.mktemp("render"))


def pictures_of(server, files, length):
    """Return what every dashboard shows when it is opened now, at the end of a run of that length."""
    with database(server, files) as postgres, standing_still(postgres) as (connection, now):
        run = recorded_run.events(now - length, now) if length else []
        asyncio.run(recorded_run.record(postgres.writer_url, run))
        return {
            name: grafana_render.picture(connection, dashboard, opened_at(dashboard, now))
            for name, dashboard in dashboards().items()
        }


@pytest.fixture(scope="module")
def pictures(_shared_postgres):
    return pictures_of(*_shared_postgres, RUN)


@pytest.fixture(scope="module")
def empty_pictures(_shared_postgres):
    """The migrations and nothing else."""
    return pictures_of(*_shared_postgres, timedelta(0))


@pytest.mark.parametrize("name", dashboards())
async def test_every_panel_shows_what_its_query_gave(page, script, pictures, name):
    """Values, names, headings, rows, and a line in each series' colour; an error on the console fails."""
    await draw(page, script, pictures[name])
    await page.screenshot(path=PICTURES / f"{name}.png")
    seen = await read(page)
    assert differences(pictures[name], seen) == []


@pytest.mark.parametrize("name", dashboards())
async def test_an_empty_database_is_told_in_each_panels_words(page, script, empty_pictures, name):
    await draw(page, script, empty_pictures[name])
    await page.screenshot(path=PICTURES / f"{name}-empty.png")
    seen = await read(page)
    assert differences(empty_pictures[name], seen) == []


def panel_titled(picture, title):
    (panel,) = [panel for panel in picture["dashboard"]["panels"] if panel["title"] == title]
    return panel


def defaults(picture, title):
    return panel_titled(picture, title)["fieldConfig"]["defaults"]


def values(picture, title):
    return picture["panels"][panel_titled(picture, title)["id"]]["frame"]["data"]["values"]


async def test_a_current_that_is_the_learned_mean_hides_neither(page, script, pictures):
    """So it is where the history is short: the two lines lie upon each other, and both are seen."""
    as_learned = copy.deepcopy(pictures["learned-patterns"])
    _, current, mean, *_ = values(as_learned, "Current and its learned band")
    current[:] = mean[:] = [20.0] * len(mean)
    await draw(page, script, as_learned)
    assert differences(as_learned, await read(page)) == []


async def test_slips_are_seen(page, script, pictures):
    """What is drawn otherwise than the dashboard and its data say is named, and nothing else."""
    meant = pictures["fleet-overview"]
    drawn = copy.deepcopy(meant)
    values(drawn, "Power")[0][0] *= 1.2
    del defaults(drawn, "Load now")["unit"]
    defaults(drawn, "Power by charge point")["custom"] |= {"lineWidth": 0, "fillOpacity": 0}
    del panel_titled(drawn, "Charge points")["fieldConfig"]["overrides"][2]
    for column in values(drawn, "Newest anomalies"):
        column.pop()
    panel_titled(drawn, "Energy today")["title"] = "Energy"
    await draw(page, script, drawn)
    named = {re.match("'(.*?)'", words)[1] for words in differences(meant, await read(page))}
    assert named == {
        "Power",
        "Load now",
        "Power by charge point",
        "Charge points",
        "Newest anomalies",
        "Energy today",
    }


async def test_what_a_component_throws_is_told(page, script, pictures, expected_errors):
    broken = copy.deepcopy(pictures["fleet-overview"])
    panel_titled(broken, "Power")["type"] = "thermometer"
    expected_errors.append("thermometer")
    with pytest.raises(AssertionError, match="no drawing for a panel of type thermometer"):
        await draw(page, script, broken)

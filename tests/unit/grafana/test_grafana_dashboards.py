"""The committed dashboards and provisioning files: right in all that can be seen without a database."""

import json
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
DASHBOARDS = {path.stem: json.loads(path.read_bytes()) for path in FILES}
PANELS = [
    pytest.param(dashboard, panel, id=f"{name}-{panel['id']}-{panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
]
each_dashboard = pytest.mark.parametrize("name", DASHBOARDS)
each_panel = pytest.mark.parametrize(("dashboard", "panel"), PANELS)

EXPRESSION = re.compile(r"\$(?:(\w+)|\{(\w+)[^}]*\})")
DASHBOARD_URL = re.compile(r"^/d/([\w-]+)/([\w-]+)\?")
BUILT_IN = {
    *("__all", "__data", "__field", "__url_time_range", "__interval", "__interval_ms"),
    *("__timeFrom", "__timeTo", "__timeFilter", "__timeGroup", "__timeGroupAlias"),
}
OVERRIDABLE = {
    *("color", "decimals", "displayName", "links", "mappings", "noValue", "thresholds", "unit"),
    *("custom.axisPlacement", "custom.cellOptions", "custom.fillBelowTo", "custom.fillOpacity"),
    *("custom.hideFrom", "custom.lineInterpolation", "custom.lineStyle", "custom.lineWidth"),
    *("custom.showPoints", "custom.width"),
}
REFRESHED = {
    "fleet-overview": ("10s", "now-15m"),
    "charge-point-live": ("5s", "now-5m"),
    "anomaly-explorer": ("30s", "now-1h"),
    "sessions-and-energy": ("1m", "now-7d"),
    "learned-patterns": ("1m", "now-24h"),
    "pipeline-health": ("10s", "now-15m"),
}
"""How often each asks anew, and of which time unless somebody chooses another."""
NAMED_COLORS = re.compile(
    r"^(text|#[0-9a-f]{6}|((super-light|light|semi-dark|dark)-)?(red|orange|yellow|green|blue|purple))$"
)


def provisioned(kind):
    """Return a provisioning file as {dotted path: text}; enough of YAML for maps, one list, plain words."""
    found, above = {}, []
    text = (ROOT / "grafana" / "provisioning" / kind / "chargebench.yaml").read_text()
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indent = len(line) - len(line.lstrip(" -"))
        key, _, value = line.lstrip(" -").partition(":")
        above = [(depth, name) for depth, name in above if depth < indent]
        above.append((indent, key))
        if value.strip():
            found[".".join(name for _, name in above)] = value.strip()
    return found


def every_link(content):
    """Yield every data link and dashboard link anywhere in the JSON."""
    if isinstance(content, dict):
        if "url" in content and "title" in content:
            yield content
        for value in content.values():
            yield from every_link(value)
    elif isinstance(content, list):
        for value in content:
            yield from every_link(value)


def every_mapped_word(content):
    """Yield every (word, colour) of value mappings anywhere in the JSON."""
    if isinstance(content, dict):
        if content.get("type") == "value" and "options" in content:
            yield from ((result["text"], result["color"]) for result in content["options"].values())
        for value in content.values():
            yield from every_mapped_word(value)
    elif isinstance(content, list):
        for value in content:
            yield from every_mapped_word(value)


def test_the_files_are_what_their_source_says():
    done = subprocess.run(
        [sys.executable, "-m", "grafana.generate", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_there_are_six_dashboards():
    assert DASHBOARDS.keys() == REFRESHED.keys()


def test_uids_are_unique_and_ours():
    uids = [dashboard["uid"] for dashboard in DASHBOARDS.values()]
    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"chargebench-[a-z-]{1,28}", uid) for uid in uids)


@each_dashboard
def test_it_is_classic_json_that_nobody_edits_in_grafana(name):
    dashboard = DASHBOARDS[name]
    assert dashboard["schemaVersion"] == 42
    assert dashboard["editable"] is False
    assert "elements" not in dashboard
    assert "id" not in dashboard
    assert not any("libraryPanel" in panel for panel in dashboard["panels"])


@each_dashboard
def test_it_says_what_it_is_and_shares_the_crosshair(name):
    dashboard = DASHBOARDS[name]
    assert dashboard["title"].lower().replace(" ", "-") == name
    assert len(dashboard["description"]) > 20
    assert "chargebench" in dashboard["tags"]
    assert dashboard["graphTooltip"] == 1


@each_dashboard
def test_its_refresh_can_be_chosen(name):
    dashboard = DASHBOARDS[name]
    assert dashboard["refresh"] in dashboard["timepicker"]["refresh_intervals"]


def test_they_refresh_as_fast_as_what_they_show():
    found = {name: (one["refresh"], one["time"]["from"]) for name, one in DASHBOARDS.items()}
    assert found == REFRESHED


@each_dashboard
@pytest.mark.parametrize("key", ["id", "title"])
def test_panels_are_told_apart(name, key):
    values = [panel[key] for panel in DASHBOARDS[name]["panels"]]
    assert len(set(values)) == len(values)


@each_dashboard
def test_no_panels_overlap_or_leave_the_grid(name):
    places = [panel["gridPos"] for panel in DASHBOARDS[name]["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


@each_dashboard
def test_every_data_source_is_the_provisioned_one(name):
    source = provisioned("datasources")
    ours = {"type": source["datasources.type"], "uid": source["datasources.uid"]}
    sources = re.findall(r'"datasource": (\{[^}]*\})', json.dumps(DASHBOARDS[name]))
    assert len(sources) > 10
    assert all(json.loads(found) == ours for found in sources)


@each_dashboard
def test_every_variable_that_is_used_is_there(name):
    dashboard = DASHBOARDS[name]
    known = {variable["name"] for variable in dashboard["templating"]["list"]} | BUILT_IN
    text = json.dumps(dashboard)
    assert {bare or braced for bare, braced in EXPRESSION.findall(text)} <= known


@each_dashboard
def test_every_variable_is_found_anew_with_each_refresh_in_natural_order(name):
    variables = [
        variable for variable in DASHBOARDS[name]["templating"]["list"] if variable["type"] == "query"
    ]
    assert variables
    assert all(variable["refresh"] == 2 for variable in variables)
    assert {variable["sort"] for variable in variables if variable["name"] != "anomaly"} == {7}


@each_panel
def test_a_panel_says_what_it_shows(dashboard, panel):
    assert len(panel["title"]) >= 4
    assert len(panel["description"].split()) >= 6
    assert panel["description"].endswith(".")


@each_panel
def test_a_panel_has_a_unit_and_says_in_words_why_it_is_empty(dashboard, panel):
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert len(defaults["noValue"].split()) >= 3


@each_panel
def test_a_panel_asks_one_query_written_by_hand(dashboard, panel):
    (target,) = panel["targets"]
    assert target["rawQuery"] is True
    assert target["editorMode"] == "code"
    assert target["format"] == (
        "time_series" if panel["type"] in ("timeseries", "state-timeline", "heatmap") else "table"
    )
    assert ";" not in target["rawSql"]
    assert "SELECT *" not in target["rawSql"]


@each_panel
def test_a_time_series_is_ordered_by_time(dashboard, panel):
    (target,) = panel["targets"]
    if target["format"] == "time_series":
        assert re.search(r"\nORDER BY 1(, 2)?(, 3)?$", target["rawSql"])


@each_panel
def test_a_bound_that_is_reckoned_with_is_cast(dashboard, panel):
    (target,) = panel["targets"]
    assert not re.search(r"\$__time(From|To)\(\)(?!::timestamptz)", target["rawSql"])


@each_panel
def test_overrides_set_what_exists(dashboard, panel):
    for override in panel["fieldConfig"]["overrides"]:
        assert {entry["id"] for entry in override["properties"]} <= OVERRIDABLE


@each_panel
def test_a_table_has_a_heading_for_each_column_or_hides_it(dashboard, panel):
    if panel["type"] == "table":
        for override in panel["fieldConfig"]["overrides"]:
            assert {entry["id"] for entry in override["properties"]} & {"displayName", "custom.hideFrom"}


@each_dashboard
def test_every_link_leads_somewhere(name):
    for link in every_link(DASHBOARDS[name]):
        url = link["url"]
        if link.get("type") == "dashboards":
            assert set(link["tags"]) <= set(DASHBOARDS[name]["tags"])
        elif url.startswith("/d/"):
            uid, slug = DASHBOARD_URL.match(url).groups()
            target = DASHBOARDS[slug]
            assert target["uid"] == uid
            known = {variable["name"] for variable in target["templating"]["list"]}
            assert set(re.findall(r"[?&]var-(\w+)=", url)) <= known
        else:
            assert url.startswith("${console:raw}/")


@each_dashboard
def test_links_between_dashboards_keep_time_and_charge_point(name):
    for link in every_link(DASHBOARDS[name]):
        if link.get("type") == "dashboards":
            assert link["keepTime"] is True
            assert link["includeVars"] is True
        elif link["url"].startswith("/d/"):
            assert re.search(r"\?(\$\{__url_time_range\}|from=.+&to=.+?)&var-charge_point=", link["url"])
            assert all(
                part.endswith(":percentencode}") for part in re.findall(r"var-\w+=([^&]+)", link["url"])
            )


@each_dashboard
def test_it_links_to_the_console(name):
    dashboard = DASHBOARDS[name]
    (console,) = [variable for variable in dashboard["templating"]["list"] if variable["name"] == "console"]
    assert console["query"] == "http://127.0.0.1:8080"
    assert any("${console:raw}/" in link["url"] for link in dashboard["links"])


def test_the_live_dashboard_opens_the_console_at_its_charge_point():
    urls = [link["url"] for link in DASHBOARDS["charge-point-live"]["links"]]
    assert "${console:raw}/?charge_point=${charge_point:percentencode}" in urls


def test_a_word_has_the_same_colour_everywhere_and_no_colour_stands_without_a_word():
    colors = {}
    for word, color in every_mapped_word(DASHBOARDS):
        assert word
        assert colors.setdefault(word, color) == color
    assert colors["Available"] == "green"
    assert colors["Charging"] == "blue"
    assert colors["SuspendedEV"].endswith("yellow")
    assert colors["Faulted"] == "red"
    assert (colors["info"], colors["warning"], colors["critical"]) == ("blue", "orange", "red")


def test_every_colour_is_one_that_grafana_knows():
    found = re.findall(r'"(?:color|fixedColor|iconColor)": "([^"]+)"', json.dumps(DASHBOARDS))
    assert found
    assert [color for color in found if not NAMED_COLORS.match(color)] == []


@each_dashboard
def test_anomalies_and_the_ground_truth_are_annotated_in_colours_of_their_own(name):
    annotations = DASHBOARDS[name]["annotations"]["list"]
    assert [(one["name"], one["iconColor"], one["enable"]) for one in annotations] == [
        ("Info anomalies", "blue", True),
        ("Warning anomalies", "orange", True),
        ("Critical anomalies", "red", True),
        ("Ground truth", "dark-purple", True),
        ("Benign scenarios", "light-green", False),
    ]


@each_dashboard
def test_the_charge_point_chosen_goes_along(name):
    (variable,) = [one for one in DASHBOARDS[name]["templating"]["list"] if one["name"] == "charge_point"]
    assert variable["multi"] is (name not in ("charge-point-live", "learned-patterns"))


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("fleet-overview", "Newest anomalies"),
        ("charge-point-live", "Anomalies"),
        ("anomaly-explorer", "Anomalies"),
    ],
)
def test_an_anomaly_leads_to_its_waveform_and_to_the_console(name, title):
    (panel,) = [panel for panel in DASHBOARDS[name]["panels"] if panel["title"] == title]
    urls = " ".join(link["url"] for link in every_link(panel["fieldConfig"]))
    assert "&var-anomaly=${__data.fields.id:percentencode}" in urls
    assert "${console:raw}/?anomaly=${__data.fields.id:percentencode}" in urls


def test_the_data_source_is_provisioned_with_what_breaks_silently():
    assert provisioned("datasources") == {
        "apiVersion": "1",
        "datasources.name": "ChargeBench",
        "datasources.uid": "chargebench-postgres",
        "datasources.type": "grafana-postgresql-datasource",
        "datasources.access": "proxy",
        "datasources.url": "$GRAFANA_POSTGRES_HOST",
        "datasources.user": "grafana_reader",
        "datasources.isDefault": "true",
        "datasources.editable": "false",
        "datasources.secureJsonData.password": "$GRAFANA_READER_PASSWORD",
        "datasources.jsonData.database": "$GRAFANA_POSTGRES_DATABASE",
        "datasources.jsonData.timeInterval": "1s",
        "datasources.jsonData.sslmode": "disable",
        "datasources.jsonData.postgresVersion": "1700",
        "datasources.jsonData.timescaledb": "false",
        "datasources.jsonData.maxOpenConns": "10",
        "datasources.jsonData.maxIdleConns": "5",
        "datasources.jsonData.connMaxLifetime": "14400",
    }


def test_the_provider_lets_nobody_change_or_delete():
    provider = provisioned("dashboards")
    assert provider["providers.allowUiUpdates"] == "false"
    assert provider["providers.disableDeletion"] == "true"
    assert provider["providers.folderUid"] == "chargebench"
    assert provider["providers.options.path"] == "/var/lib/grafana/dashboards"

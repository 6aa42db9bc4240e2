"""The dashboards against a JSON Schema made from Grafana's own published types.

Needs Node.js and `npm ci --prefix grafana/schema`; without them these tests are skipped by name.
"""

import copy
import json
import subprocess
from pathlib import Path

import jsonschema_rs
import pytest

from grafana_frames import GRAFANA, dashboards

GENERATOR = GRAFANA / "schema" / "node_modules" / ".bin" / "ts-json-schema-generator"

pytestmark = pytest.mark.skipif(
    not GENERATOR.exists(), reason="Grafana's types are not installed: npm ci --prefix grafana/schema"
)


@pytest.fixture(scope="module")
def validator(tmp_path_factory):
    path = Path(tmp_path_factory.mktemp("schema")) / "dashboard.json"
    options = ["--type", "ChargeBenchDashboard", "--no-type-check", "--expose", "none", "--out", str(path)]
    subprocess.run(
        [GENERATOR, "--path", "dashboard.ts", *options], cwd=GRAFANA / "schema", check=True, timeout=60
    )
    return jsonschema_rs.validator_for(json.loads(path.read_bytes()))


@pytest.mark.parametrize("name", dashboards())
def test_a_dashboard_is_what_grafanas_types_say(validator, name):
    assert [str(error) for error in validator.iter_errors(dashboards()[name])] == []


def _set(content, path, value):
    *parents, last = path
    for key in parents:
        content = content[key]
    content[last] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schemaVersion",), 43),
        (("tagz",), []),
        (("graphTooltip",), "shared"),
        (("panels", 0, "type"), "statistic"),
        (("panels", 0, "options", "colourMode"), "value"),
        (("panels", 0, "options", "colorMode"), "colourful"),
        (("panels", 0, "fieldConfig", "defaults", "no_value"), "nothing"),
        (("panels", 0, "fieldConfig", "defaults", "custom"), {"lineWidth": 1}),
        (("panels", 0, "targets", 0, "format"), "timeseries"),
        (("panels", 0, "datasource", "uid"), "another"),
        (("templating", "list", 0, "type"), "queries"),
        (("links", 0, "keepTime"), "yes"),
    ],
    ids=lambda part: "/".join(map(str, part)) if isinstance(part, tuple) else "",
)
def test_a_slip_is_seen(validator, path, value):
    """The schema is strict enough to notice."""
    content = copy.deepcopy(dashboards()["fleet-overview"])
    _set(content, path, value)
    assert not validator.is_valid(content)


def test_a_slip_in_a_heatmap_is_seen(validator):
    """Of a panel type that only one dashboard has."""
    content = copy.deepcopy(dashboards()["sessions-and-energy"])
    (heatmap,) = [panel for panel in content["panels"] if panel["type"] == "heatmap"]
    assert validator.is_valid(content)
    heatmap["options"]["color"]["scale"] = "logarithmic"
    assert not validator.is_valid(content)

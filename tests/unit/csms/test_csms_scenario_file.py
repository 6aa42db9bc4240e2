"""Scenario files that are wrong: everything is named with file and place."""

import json
import random
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from contracts.injections import MeterGain
from csms import scenario, scenario_file, scenario_schema, toml_lines
from csms.scenario import Between, Inject, Wait
from csms.scenario_file import ScenarioFileError

SCENARIOS = Path(__file__).parents[3] / "scenarios"

GOOD = """
name = "one"
title = "One"
description = "d"
imitates = "i"
source = "s"
anomaly = "none"
repeat = 3

[parameters.pause_s]
default = 2
unit = "s"
minimum = 1
maximum = 3
description = "p"

[[steps]]
do = "wait"
seconds = { from = "$pause_s", to = 9 }
"""


@pytest.fixture
def written(tmp_path):
    def write(text: str, name: str = "one"):
        path = tmp_path / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_good_file_is_a_scenario(written):
    loaded = scenario_file.load(written(GOOD))
    assert (loaded.name, loaded.anomaly, loaded.repeat) == ("one", None, 3)
    assert loaded.steps == (Wait(seconds=Between("$pause_s", 9)),)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('title = "One"', "", "one.toml: Object missing required field `title`"),
        ('title = "One"', "title = 1", "one.toml: title: Expected `str`, got `int`"),
        ('title = "One"', 'titel = "One"', "one.toml: Object contains unknown field `titel`"),
        ('name = "one"', 'name = "two"', "one.toml: name: 'two' is not the file's name"),
        ('anomaly = "none"', "", 'one.toml: anomaly: the name of what it provokes, or "none", is demanded'),
        ("repeat = 3", "repeat = 0", 'one.toml: repeat: "forever" or a whole number from 1 on is demanded'),
        (
            "repeat = 3",
            "repeat = true",
            'one.toml: repeat: "forever" or a whole number from 1 on is demanded',
        ),
        ('do = "wait"', 'do = "explode"', "one.toml: steps[0].do: Invalid value 'explode'"),
        ('do = "wait"', "", "one.toml: steps[0]: Object missing required field `do`"),
        ("to = 9", "until = 9", "one.toml: steps[0].seconds: Object contains unknown field `until`"),
        ("to = 9", "to = -9", "one.toml: steps[0].seconds.to: Expected `float` >= 0.0"),
        ("to = 9", "to = inf", "one.toml: steps[0].seconds.to: Expected `float` <= 1000000000.0"),
        ("to = 9", 'to = "9"', "one.toml: steps[0].seconds.to: Expected `str` matching regex"),
        ('"$pause_s"', '"$nap_s"', "one.toml: steps[0].seconds: there is no parameter 'nap_s'"),
        ('"$pause_s"', "1", "one.toml: parameters.pause_s: no step uses it"),
        ("default = 2", "default = 4", "one.toml: parameters.pause_s.default: 4 is not between"),
        ("maximum = 3", 'maximum = "3"', "one.toml: parameters.pause_s.maximum: Expected `float`, got `str`"),
        (
            "[parameters.pause_s]",
            "[parameters.Pause]",
            "one.toml: parameters.Pause: a parameter's name is in",
        ),
        ("repeat = 3", "repeat = ", "one.toml: Invalid value (at line 8, column 10)"),
    ],
)
def test_what_is_wrong_is_named(written, old, new, complaint):
    with pytest.raises(ScenarioFileError) as error:
        scenario_file.load(written(GOOD.replace(old, new)))
    assert any(line.startswith(complaint) for line in str(error.value).splitlines()), str(error.value)


def test_everything_that_is_wrong_is_named_at_once(written):
    bad = GOOD.replace('title = "One"', "").replace("repeat = 3", "repeat = 0").replace("to = 9", "to = -9")
    with pytest.raises(ScenarioFileError) as error:
        scenario_file.load(written(bad))
    assert len(str(error.value).splitlines()) >= 3


@pytest.mark.parametrize("text", ["", "steps = 1", "parameters = 1\nsteps = []", "[steps]"])
def test_a_file_of_another_kind_is_refused_not_crashed_on(written, text):
    with pytest.raises(ScenarioFileError):
        scenario_file.load(written(text))


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "one.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioFileError, match=r"one\.toml"):
        scenario_file.load(path)


def test_a_broken_file_costs_only_itself(written, tmp_path):
    written(GOOD)
    written("", "two")
    scenarios, errors = scenario_file.load_directory(tmp_path)
    assert list(scenarios) == ["one"]
    assert len(errors) == 1


def test_a_missing_directory_is_an_error(tmp_path):
    with pytest.raises(ScenarioFileError, match="no such directory"):
        scenario_file.load_directory(tmp_path / "nowhere")


INJECTING = GOOD.replace(
    'do = "wait"',
    '''do = "inject"
fault = "meter_gain"
seconds = 5
with = { gain = "$pause_s" }

[[steps]]
do = "wait"''',
)


def test_an_injection_takes_parameters(written):
    loaded = scenario_file.load(written(INJECTING))
    values = scenario.chosen_parameters(loaded, {"pause_s": 3})
    inject, _ = scenario.cycle(loaded, values, random.Random(1))
    assert isinstance(inject, Inject)
    assert scenario.injection(inject) == MeterGain(gain=3)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            '"meter_gain"',
            '"meter_gian"',
            "one.toml: steps[0].with: Invalid value 'meter_gian' - at `$.fault` (line",
        ),
        ("gain =", "gian =", "one.toml: steps[0].with: Object contains unknown field `gian` (line 21)"),
        (
            '"$pause_s" }',
            '"$pause_s", more = 1 }',
            "one.toml: steps[0].with: Object contains unknown field `more`",
        ),
        (
            "maximum = 3",
            "maximum = 2000",
            "one.toml: steps[0].with: Expected `float` <= 1000.0 - at `$.gain` (line",
        ),
        ('"$pause_s" }', '"$nap_s" }', "one.toml: steps[0].values: there is no parameter 'nap_s' (line"),
    ],
)
def test_an_injection_that_there_is_not_is_named(written, old, new, complaint):
    """Also one that only a parameter's least or greatest value makes wrong."""
    with pytest.raises(ScenarioFileError) as error:
        scenario_file.load(written(INJECTING.replace(old, new)))
    assert any(line.startswith(complaint) for line in str(error.value).splitlines()), str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('title = "One"', "title = 1", 3),
        ('title = "One"', 'titel = "One"', 3),
        ("default = 2", "default = 4", 11),
        ("to = 9", "to = -9", 19),
        ('do = "wait"', 'do = "explode"', 18),
    ],
)
def test_the_line_is_told(written, old, new, line):
    with pytest.raises(ScenarioFileError) as error:
        scenario_file.load(written(GOOD.replace(old, new)))
    assert f"(line {line})" in str(error.value)


def test_long_texts_are_not_taken_for_keys():
    text = 'a = """\nb = 1\n[c]\n"""\nd = 2\n[[e]]\nf = 3\n[[e]]\nf = 4 # g = 1\n'
    assert toml_lines.lines(text) == {"a": 1, "d": 5, "e": 6, "e[0]": 6, "e[0].f": 7, "e[1]": 8, "e[1].f": 9}


def test_the_published_schema_is_that_of_the_types():
    """`python -m csms.scenario_schema` writes it."""
    assert (SCENARIOS / "schema.json").read_text(encoding="utf-8") == scenario_schema.text()


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_file_is_whole_and_names_the_schema(path):
    scenario_file.load(path)
    assert path.read_text(encoding="utf-8").startswith("#:schema schema.json\n")


def test_the_schema_and_the_loader_agree_on_every_file():
    """What an editor calls right or wrong, the CSMS does too."""
    validator = jsonschema_rs.validator_for(json.loads(scenario_schema.text()))
    for path in SCENARIOS.glob("*.toml"):
        validator.validate(tomllib.loads(path.read_text(encoding="utf-8")))
    for wrong in ({"do": "explode"}, {"do": "wait"}, {"do": "inject", "fault": "can_flood", "seconds": "5"}):
        whole = tomllib.loads(GOOD)
        whole["steps"] = [wrong]
        assert not validator.is_valid(whole)


def test_a_preparation_is_read_and_checked_like_the_steps(written):
    prepared = GOOD + '\n[[prepare]]\ndo = "remote_start"\nid_tag = "MINE"\n'
    loaded = scenario_file.load(written(prepared))
    assert scenario.preparation(loaded, {"pause_s": 2.0}, random.Random(1)) == list(loaded.prepare)
    assert loaded.id_tags == {"MINE"}
    with pytest.raises(ScenarioFileError, match=r"prepare\[0\]\.id_tag: .* \(line 23\)"):
        scenario_file.load(written(prepared.replace('"MINE"', "7")))


def test_a_tag_that_a_scenario_shows_at_the_reader_is_one_of_its_tags():
    assert scenario_file.load(SCENARIOS / "credential-replay.toml").id_tags == {"CLONED-TAG"}


def test_the_catalogue_is_whole():
    """Every anomaly and every hard negative of the catalogue has a file."""
    known, errors = scenario_file.load_directory(SCENARIOS)
    assert errors == []
    assert {one.number for one in known.values()} == {
        "",
        *(f"A{n}" for n in range(1, 23)),
        *(f"H{n}" for n in range(1, 10)),
    }
    assert all(one.hard_negative == one.number.startswith("H") for one in known.values())
    assert all((one.anomaly is not None) == one.number.startswith("A") for one in known.values())

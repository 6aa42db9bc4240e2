"""Mixes: what a seed draws, and files that are wrong."""

import itertools
import json
import tomllib
from collections import Counter
from pathlib import Path

import jsonschema_rs
import pytest

from csms import mix_file, scenario_file, scenario_schema
from csms.mix import ALL, course, courses
from csms.mix_file import MixFileError

SCENARIOS = Path(__file__).parents[3] / "scenarios"
MIXES = SCENARIOS / "mixes"
KNOWN, _ = scenario_file.load_directory(SCENARIOS)

GOOD = """
name = "two"
title = "Two"
description = "d"
pause_s = { from = 5, to = 9 }

[[runs]]
scenario = "benign-charging"
weight = 3
lasts_s = 60

[[runs]]
scenario = "can-flood"
parameters = { frames_per_s = { from = 300, to = 900 } }
"""


def parsed(text=GOOD):
    return mix_file.parsed(text, "two.toml", KNOWN)


def drawn(mix, seed=7, where="CP-1", count=400):
    return list(itertools.islice(course(mix, KNOWN, seed, where), count))


def test_the_same_seed_draws_the_same_course():
    assert drawn(parsed()) == drawn(parsed())
    assert drawn(parsed()) != drawn(parsed(), seed=8)
    assert drawn(parsed()) != drawn(parsed(), where="CP-2")


def test_runs_are_drawn_by_weight_with_pauses_and_parameters_in_their_spans():
    runs = drawn(parsed())
    share = Counter(run.scenario.name for run in runs)["benign-charging"] / len(runs)
    assert 0.65 < share < 0.85
    assert runs[0].pause_s == 0
    assert all(5 <= run.pause_s <= 9 for run in runs[1:])
    floods = [run for run in runs if run.scenario.name == "can-flood"]
    rates = {run.parameters["frames_per_s"] for run in floods}
    assert len(rates) == len(floods)
    assert all(300 <= rate <= 900 for rate in rates)
    assert floods[0].lasts_s == KNOWN["can-flood"].lasts_s
    assert floods[0].parameters["limit_a"] == 80
    assert {run.lasts_s for run in runs if run.scenario.name == "benign-charging"} == {60}


def test_a_sequence_goes_round_in_its_order():
    runs = drawn(parsed('order = "sequence"\n' + GOOD), count=5)
    assert [run.scenario.name for run in runs] == [
        *("benign-charging", "can-flood", "benign-charging", "can-flood", "benign-charging")
    ]
    assert len({run.seed for run in runs}) == 5


def test_each_charge_point_has_a_course_of_its_own_unless_they_are_together():
    assert courses(parsed(), ["CP-1", "CP-2"]) == [("CP-1", ("CP-1",)), ("CP-2", ("CP-2",))]
    assert courses(parsed("together = true\n" + GOOD), ["CP-1", "CP-2"]) == [(ALL, ("CP-1", "CP-2"))]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('title = "Two"', "", "two.toml: Object missing required field `title`"),
        ('title = "Two"', 'titel = "Two"', "two.toml: Object contains unknown field `titel` (line 3)"),
        (
            '"can-flood"',
            '"can-flod"',
            "two.toml: runs[1].scenario: there is no scenario 'can-flod' (line 13)",
        ),
        ("weight = 3", "weight = 0", "two.toml: runs[0].weight: Expected `float` > 0.0 (line 9)"),
        (
            "to = 900",
            "to = 9000",
            "runs[1].parameters: frames_per_s: 9000 is not in 200 … 1000 1/s (line 14)",
        ),
        ("frames_per_s", "frames", "runs[1].parameters: frames: can-flood has no such parameter (line 14)"),
        ("to = 9 }", "to = 4 }", "two.toml: pause_s: from 5 to 4 is no span (line 5)"),
        (
            '"can-flood"',
            '"mass-step"',
            "mass-step moves its charge points in phase: it needs together = true",
        ),
        ("weight = 3", "weight = ", "two.toml: Invalid value (at line 9"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old, new, complaint):
    with pytest.raises(MixFileError) as refused:
        parsed(GOOD.replace(old, new))
    assert complaint in str(refused.value)


def test_a_file_has_its_mixs_name(tmp_path):
    (tmp_path / "other.toml").write_text(GOOD, encoding="utf-8")
    mixes, (error,) = mix_file.load_directory(tmp_path, KNOWN)
    assert (mixes, str(error)) == ({}, "other.toml: name: 'two' is not the file's name (line 2)")
    with pytest.raises(MixFileError, match=r"nowhere\.toml: "):
        mix_file.load(tmp_path / "nowhere.toml", KNOWN)


@pytest.mark.parametrize("path", sorted(MIXES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_file_is_whole_and_fits_the_published_schema(path):
    mix_file.load(path, KNOWN)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#:schema schema.json\n")
    schema = (MIXES / "schema.json").read_text(encoding="utf-8")
    assert schema == scenario_schema.mix_text()
    jsonschema_rs.validator_for(json.loads(schema)).validate(tomllib.loads(text))

"""The log's words for what is recorded."""

import ast
import logging
from pathlib import Path

import pytest

from chargepoint import wording

CHARGEPOINT = Path(__file__).parents[3] / "services" / "chargepoint"
TOLD_IN = {"Record", "Happened"}


def names_told() -> set[str]:
    """Return the names of the records that the cores make, as far as they stand where the record is made."""
    found = set()
    for path in CHARGEPOINT.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in TOLD_IN:
                found |= {
                    part.value
                    for part in ast.walk(node.args[0])
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                }
    return found


def test_every_record_of_a_core_has_words_of_its_own():
    assert names_told() <= wording._WORDS.keys()
    assert names_told()


@pytest.mark.parametrize(
    ("name", "detail", "expected"),
    [
        ("module_heard", {}, (logging.INFO, "the module is heard")),
        ("module_silent", {"after_s": 3.0}, (logging.WARNING, "the module is silent for 3 s")),
        ("module_attached", {"charger_id": "charger-1"}, (logging.INFO, "charger-1 serves the bus")),
        (
            "bus_contested",
            {"by": "CP-{9}", "connector": 2},
            (logging.WARNING, "CP-{9}, connector 2, claims the same bus"),
        ),
        ("something_new", {"a": 1}, (logging.INFO, "something new")),
    ],
)
def test_a_record_is_told_in_words(name, detail, expected):
    assert wording.of_record(name, detail) == expected


def test_a_status_is_told_with_its_error_only():
    assert wording.of_status("Charging", "NoError") == (logging.INFO, "Charging")
    told = wording.of_status("Faulted", "HighTemperature")
    assert told == (logging.WARNING, "Faulted, HighTemperature")

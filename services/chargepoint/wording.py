"""What the log says of a record: words for a person, and how loud. Pure."""

import logging
from collections.abc import Mapping
from typing import Any

_WORDS = {
    "bus_contested": "{by}, connector {connector}, claims the same bus",
    "module_attached": "{charger_id} serves the bus",
    "module_heard": "the module is heard",
    "module_lost": "{charger_id} serves the bus no more",
    "module_restarted": "the module has restarted",
    "module_silent": "the module is silent for {after_s:g} s",
    "module_stopped_by_other": "the module was stopped, and not by us",
    "transition_refused": "{trigger}: has no place while {status}",
}
_UNWELCOME = {"bus_contested", "module_lost", "module_restarted", "module_silent", "module_stopped_by_other"}


def of_record(name: str, detail: Mapping[str, Any]) -> tuple[int, str]:
    """Return level and words of a record; one without words of its own is told by its name."""
    words = _WORDS.get(name, name.replace("_", " ")).format(**detail)
    return logging.WARNING if name in _UNWELCOME else logging.INFO, words


def of_status(status: str, error_code: str) -> tuple[int, str]:
    """Return level and words of a new status."""
    if error_code == "NoError":
        return logging.INFO, status
    return logging.WARNING, f"{status}, {error_code}"

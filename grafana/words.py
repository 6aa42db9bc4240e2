"""The words that all dashboards share, each always in the same colour and never in colour alone."""

from typing import Any

Json = dict[str, Any]

STATUSES = (
    # The position is `status_code` of the views in schema `dash`.
    ("Offline", "#808080"),
    ("Available", "green"),
    ("Preparing", "super-light-blue"),
    ("Charging", "blue"),
    ("SuspendedEVSE", "dark-yellow"),
    ("SuspendedEV", "yellow"),
    ("Finishing", "purple"),
    ("Reserved", "super-light-purple"),
    ("Unavailable", "dark-orange"),
    ("Faulted", "red"),
)
SEVERITIES = (("info", "blue"), ("warning", "orange"), ("critical", "red"))
VERDICTS = (("normal", "green"), *SEVERITIES)
"""The position is the verdict's code: 0 while no anomaly is open, else the worst severity."""

TRUTHS = (("no scenario", "#808080"), ("benign scenario", "light-green"), ("anomaly injected", "dark-purple"))
"""What the ground truth says of a moment; on a lane their codes follow those of the verdicts."""
TRUTH_COLOR, BENIGN_COLOR = TRUTHS[2][1], TRUTHS[1][1]
JUDGEMENTS = (
    ("found", "green"),
    ("missed", "red"),
    ("true alarm", "green"),
    ("false alarm", "orange"),
    ("quiet", "text"),
)
"""A verdict beside the truth."""
UPS = (("up", "green"), ("some silent", "orange"), ("silent", "red"))

QUIET = "text"
"""The colour of a number that asks for nothing."""

FLEET_NAMED: list[Json] = [
    {"type": "value", "options": {"*": {"text": "the fleet", "color": QUIET, "index": 0}}}
]
"""What is of all charge points together has "*" for a charge point."""


def by_code(words: tuple[tuple[str, str], ...]) -> list[Json]:
    """Return the value mappings that show a code (its position) as its word in its colour."""
    options = {
        str(code): {"text": word, "color": color, "index": code} for code, (word, color) in enumerate(words)
    }
    return [{"type": "value", "options": options}]


def by_word(words: tuple[tuple[str, str], ...]) -> list[Json]:
    """Return the value mappings that give each word its colour."""
    options = {
        word: {"text": word, "color": color, "index": index} for index, (word, color) in enumerate(words)
    }
    return [{"type": "value", "options": options}]

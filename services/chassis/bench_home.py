"""The folder of a bench on one machine, where nobody names one."""

from collections.abc import Mapping
from pathlib import Path

DEFAULT_HOME = Path(".chargebench")


def usual_home(environ: Mapping[str, str]) -> Path:
    """Return CHARGEBENCH_HOME, else DEFAULT_HOME: as given, so below the folder that one is in."""
    return Path(environ.get("CHARGEBENCH_HOME") or DEFAULT_HOME)

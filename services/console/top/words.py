"""Numbers, spans of time and styles, as the terminal says them. Pure."""

from datetime import datetime

NONE = "-"
SERVICES = {"can": "CAN", "csms": "CSMS", "memorybank": "MemoryBank", "broker": "broker"}
SEVERITY_STYLES = {"info": "cyan", "warning": "yellow", "critical": "bold red"}
_STATUS_STYLES = {
    "Available": "green",
    "Preparing": "green",
    "Charging": "cyan",
    "SuspendedEV": "yellow",
    "SuspendedEVSE": "yellow",
    "Finishing": "yellow",
    "Unavailable": "dim",
    "Offline": "dim",
    "Faulted": "bold red",
}
BUS_WORDS = {"silent": "no readings", "lost": "bus lost", "none": "no CAN bus"}


def amperes(value: float | None) -> str:
    """Return a current with its unit."""
    return NONE if value is None else f"{value:,.1f} A"


def power(value_w: float | None) -> str:
    """Return a power in kilowatts."""
    return NONE if value_w is None else f"{value_w / 1000:,.1f} kW"


def rate(value: float | None, unit: str) -> str:
    """Return so many a second; small ones with a decimal."""
    if value is None:
        return f"{NONE} {unit}"
    return f"{value:,.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"


def span(seconds: float) -> str:
    """Return a span of time in its largest unit."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def since(at: datetime, now_s: float) -> str:
    """Return how long ago an instant is."""
    return span(now_s - at.timestamp())


def kind(text: str) -> str:
    """Return an anomaly's kind as words."""
    return text.replace("-", " ")


def status_style(status: str) -> str:
    """Return the style of an OCPP status; colours repeat what the word says."""
    return _STATUS_STYLES.get(status.partition(" ")[0], "")

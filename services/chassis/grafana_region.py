"""What Grafana is told of a stretch of time: a value, without the way there."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of time with a text and tags, shown on every dashboard that asks for one of the tags."""

    start_ms: int
    end_ms: int
    text: str
    tags: tuple[str, ...]

"""What a detector of somebody else's says: one small JSON object on its topic (docs/detectors.md).

A verdict is known by its detector, place, kind and `at`: told again it is the same one, and may add its end.
"""

from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from contracts import topics
from contracts.errors import MalformedVerdict
from contracts.events import EARLIEST_AT, LATEST_AT, At, Connector, Name

MAX_VERDICT_BYTES = 4096
"""Its JSON; four bytes for each character of the longest explanation, and the rest."""
MAX_EXPLANATION = 500
"""Characters: a sentence or two."""
LONGEST = timedelta(days=366)

DetectorName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
Kind = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}\Z")]


class Verdict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An anomaly as a foreign detector tells it. Instants are event times, with their offset from UTC."""

    detector: DetectorName
    """Who says so: the topic's, too."""
    kind: Kind
    """The anomaly's name; it counts as right where it is one of a scenario's (docs/scores.md)."""
    charge_point_id: Name
    """Where; `*` is the fleet."""
    connector: Connector
    """1-based; 0 is the whole charge point."""
    at: At
    """When the detector had seen enough: delays are measured to it."""
    ended_at: At | None = None
    """When the anomaly was over; may be told later, in the same verdict once more."""
    score: Annotated[float, Meta(ge=-1e12, le=1e12)] | None = None
    """How strange, in the detector's own measure."""
    explanation: Annotated[str, Meta(max_length=MAX_EXPLANATION)] = ""
    """Why, in a sentence for a person."""


_DECODER = msgspec.json.Decoder(Verdict)
_VERDICTS_DECODER = msgspec.json.Decoder(list[msgspec.Raw])


def decode_verdict(payload: bytes | msgspec.Raw) -> Verdict:
    """Return the verdict or raise MalformedVerdict naming the place."""
    size = len(memoryview(payload))
    if size > MAX_VERDICT_BYTES:
        raise MalformedVerdict(f"{size} bytes or more, {MAX_VERDICT_BYTES} are allowed")
    try:
        verdict = _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedVerdict(str(error)) from error
    if "\0" in verdict.charge_point_id + verdict.explanation:
        raise MalformedVerdict("a string with NUL, which PostgreSQL cannot store - somewhere in `$`")
    if not EARLIEST_AT <= verdict.at < LATEST_AT:
        raise MalformedVerdict(f"{verdict.at.isoformat()} is out of range - at `$.at`")
    if verdict.ended_at is not None and not verdict.at <= verdict.ended_at <= verdict.at + LONGEST:
        raise MalformedVerdict(f"{verdict.ended_at.isoformat()} is no end of it - at `$.ended_at`")
    return verdict


def decode_verdicts(line: bytes) -> list[msgspec.Raw]:
    """Return the members of a JSON list, to be decoded each for itself, or raise MalformedVerdict."""
    try:
        return _VERDICTS_DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedVerdict(str(error)) from error


def on_topic(topic: str, payload: bytes) -> Verdict:
    """Return the verdict that arrived on a topic; raise MalformedVerdict where it is none of that topic's."""
    verdict = decode_verdict(payload)
    if topics.verdicts_topic(verdict.detector, verdict.charge_point_id) != topic:
        raise MalformedVerdict(
            f"of {verdict.detector!r} about {verdict.charge_point_id!r} on the topic {topic!r:.300}"
        )
    return verdict

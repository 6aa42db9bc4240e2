"""The MQTT topics. Names from outside are percent-encoded, so that no identity can widen a topic.

A source's service is a level of its own, so that a broker's access list can name it.
"""

import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias
from urllib.parse import quote, unquote

from contracts.errors import MalformedTopic

ROOT = "chargebench/v1"
PARTITIONS = 16

Channel: TypeAlias = Literal["events", "truth"]
"""`truth` carries ground truth: no detector's account may read it."""
CHANNELS: tuple[Channel, ...] = ("events", "truth")

_EVENTS = re.compile(rf"{ROOT}/(events|truth)/([0-9]{{2}})/([a-z]+)/([^/]+)")
_COMMITTED = re.compile(rf"{ROOT}/committed/([a-z]+)/([^/]+)/(events|truth)/([0-9]{{2}})")
_VERDICTS = re.compile(rf"{ROOT}/verdicts/([^/]+)/([^/]+)")
_NAME = re.compile(r"[a-z]+:.+", re.DOTALL)


@lru_cache(maxsize=10_000)  # asked for each event
def partition_of(charge_point_id: str) -> int:
    """Return which of the 16 partitions carries this charge point; the same on every machine."""
    return zlib.crc32(charge_point_id.encode()) % PARTITIONS


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """Who numbers events: one per process, channel and partition.

    `name` is service and instance, e.g. `chargepoint:CP-1`; raises MalformedTopic for any other form.
    """

    name: str
    channel: Channel
    partition: int

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise MalformedTopic(f"{self.name!r:.300} is no service and instance, as `chargepoint:CP-1` is")

    @property
    def id(self) -> str:
        """The source's id in batches, tables and the committed topic, e.g. `csms:csms-1/events/07`."""
        return f"{self.name}/{self.channel}/{self.partition:02d}"

    @classmethod
    def from_id(cls, source_id: str) -> "Source":
        """Return the source whose `id` this is."""
        name, channel, partition = source_id.rsplit("/", 2)
        return cls(name, "truth" if channel == "truth" else "events", int(partition))


def _levels(source_name: str) -> str:
    """Return the two levels of a source's name: its service, its encoded instance."""
    service, _, instance = source_name.partition(":")
    return f"{service}/{quote(instance, safe='')}"


def events_topic(source: Source) -> str:
    """Return the topic on which a source publishes its batches (QoS 1, not retained)."""
    return f"{ROOT}/{source.channel}/{source.partition:02d}/{_levels(source.name)}"


def partition_filter(channel: Channel, partition: int) -> str:
    """Return the filter for everything that is published on a channel in one partition."""
    return f"{ROOT}/{channel}/{partition:02d}/+/+"


def source_from_topic(topic: str) -> Source:
    """Return the source that publishes on `topic`, or raise MalformedTopic."""
    match = _EVENTS.fullmatch(topic)
    if match is not None and int(match[2]) < PARTITIONS:
        source = Source.from_id(f"{match[3]}:{unquote(match[4])}/{match[1]}/{match[2]}")
        # Only our own spelling: an account that may write `%41` must not become the source `A`.
        if events_topic(source) == topic:
            return source
    raise MalformedTopic(f"{topic!r} is no topic of events")


def committed_topic(source_id: str) -> str:
    """Return the topic that says up to where a source's events are committed (QoS 0, retained)."""
    name, channel, partition = source_id.rsplit("/", 2)
    return f"{ROOT}/committed/{_levels(name)}/{channel}/{partition}"


def committed_topics(source_name: str) -> str:
    """Return the filter for the committed topics of everything that `source_name` publishes."""
    return f"{ROOT}/committed/{_levels(source_name)}/+/+"


def source_id_from_committed(topic: str) -> str:
    """Return the source's id of a committed topic, or raise MalformedTopic."""
    match = _COMMITTED.fullmatch(topic)
    if match is not None and int(match[4]) < PARTITIONS:
        source_id = f"{match[1]}:{unquote(match[2])}/{match[3]}/{match[4]}"
        if committed_topic(source_id) == topic:
            return source_id
    raise MalformedTopic(f"{topic!r} is no committed topic")


def anomaly_topic(charge_point_id: str) -> str:
    """Return the topic on which the MemoryBank tells of an anomaly's opening, update and close (QoS 0)."""
    return f"{ROOT}/live/anomalies/{quote(charge_point_id, safe='')}"


def injections_topic(charge_point_id: str) -> str:
    """Return the topic on which the CSMS orders injections at a charge point (QoS 1, not retained)."""
    return f"{ROOT}/injections/{quote(charge_point_id, safe='')}"


def injected_topic(charge_point_id: str) -> str:
    """Return the topic on which those who perform injections tell that one began or ended (QoS 1)."""
    return f"{ROOT}/injected/{quote(charge_point_id, safe='')}"


def verdicts_topic(detector: str, charge_point_id: str) -> str:
    """Return the topic on which a detector of somebody else's tells of its anomalies (QoS 1)."""
    return f"{ROOT}/verdicts/{quote(detector, safe='')}/{quote(charge_point_id, safe='')}"


def verdict_from_topic(topic: str) -> tuple[str, str]:
    """Return the detector and the charge point of a topic of verdicts, or raise MalformedTopic."""
    match = _VERDICTS.fullmatch(topic)
    if match is not None:
        detector, charge_point_id = unquote(match[1]), unquote(match[2])
        if verdicts_topic(detector, charge_point_id) == topic:
            return detector, charge_point_id
    raise MalformedTopic(f"{topic!r:.300} is no topic of verdicts")


ALL_INJECTIONS = f"{ROOT}/injections/+"
ALL_INJECTED = f"{ROOT}/injected/+"
ALL_VERDICTS = f"{ROOT}/verdicts/+/+"
ALL_ANOMALIES = f"{ROOT}/live/anomalies/+"
ALL_EVENTS = f"{ROOT}/events/+/+/+"
ALL_TRUTH = f"{ROOT}/truth/+/+/+"

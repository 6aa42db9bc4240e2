"""All detectors over all connectors: readings in, findings out; what a finding recalls is added here."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import UUID

from msgspec import structs

from contracts.events import Anomaly, Reading
from memorybank.detectors import AnyDetector
from memorybank.patterns import Pattern, learned, recollection

log = logging.getLogger("memorybank")

SILENCE_S = 120.0
"""An anomaly on a connector that nothing was heard of for so long (by our clock) is over."""
FORGET_S = 3600.0
_RECALLS = "; "

StateKey: TypeAlias = tuple[str, int, str]
"""Charge point, connector, kind."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A change of an anomaly, and the pattern that it shows as it is known now."""

    anomaly: Anomaly
    pattern: Pattern


@dataclass(slots=True)
class _Stream:
    state: Any
    heard_s: float


@dataclass(slots=True)
class Watch:
    """The detectors' states. `patterns` by id, and `shown`: which of them an open anomaly shows."""

    detectors: tuple[AnyDetector, ...]
    patterns: dict[UUID, Pattern] = field(default_factory=dict)
    shown: dict[UUID, UUID] = field(default_factory=dict)
    failures: int = 0
    _streams: dict[StateKey, _Stream] = field(default_factory=dict)

    def observe(self, reading: Reading, heard_s: float) -> list[Finding]:
        """Take a reading, heard at `heard_s` of our clock; readings of a connector come in order."""
        if reading.origin != "can" or reading.charge_point_id is None or reading.connector is None:
            return []
        findings: list[Finding] = []
        for detector in self.detectors:
            key = (reading.charge_point_id, reading.connector, detector.kind)
            stream = self._streams.get(key)
            if stream is None:
                stream = self._streams[key] = _Stream(detector.start(), heard_s)
            stream.heard_s = heard_s
            try:
                stream.state, told = detector.step(stream.state, reading)
            except Exception:
                # A detector's bug must not stop the memory: it starts afresh on this connector.
                log.exception("%s failed on %s", detector.kind, reading.charge_point_id)
                self.failures += 1
                stream.state, told = detector.start(), ()
            findings += [self._found(anomaly) for anomaly in told]
        return findings

    def expire(self, now_s: float) -> list[Finding]:
        """Close the anomalies of connectors that fell silent; forget streams of an hour ago."""
        findings: list[Finding] = []
        kinds = {detector.kind: detector for detector in self.detectors}
        for key, stream in list(self._streams.items()):
            silent_s = now_s - stream.heard_s
            if silent_s >= SILENCE_S:
                stream.state, told = kinds[key[2]].end(stream.state)
                findings += [self._found(anomaly) for anomaly in told]
            if silent_s >= FORGET_S:
                del self._streams[key]
        return findings

    def resume(self, readings: Iterable[Reading], anomalies: Iterable[Anomaly], heard_s: float) -> None:
        """Take up after a restart: the last readings before it, already told of, then what was open."""
        known, shown = dict(self.patterns), dict(self.shown)
        for reading in readings:
            self.observe(reading, heard_s)
        self.patterns, self.shown = known, shown
        still_open = {(a.charge_point_id, a.connector, a.kind): a for a in anomalies}
        for detector in self.detectors:
            for key, stream in self._streams.items():
                if key[2] == detector.kind and key not in still_open:
                    stream.state, _ = detector.end(stream.state)
            for key, anomaly in still_open.items():
                if key[2] == detector.kind:
                    stream = self._streams.setdefault(key, _Stream(detector.start(), heard_s))
                    own_words = anomaly.explanation.partition(_RECALLS)[0]
                    stream.state = detector.resume(
                        stream.state, structs.replace(anomaly, explanation=own_words)
                    )

    def _found(self, anomaly: Anomaly) -> Finding:
        pattern = self.patterns.get(self.shown.get(anomaly.id, anomaly.id))
        if pattern is None or anomaly.phase == "opened":
            alike = [
                p
                for p in self.patterns.values()
                if p.charge_point_id == anomaly.charge_point_id and p.kind == anomaly.kind
            ]
            pattern = learned(alike, anomaly)
            self.patterns[pattern.id] = pattern
        self.shown[anomaly.id] = pattern.id
        if anomaly.phase == "closed":
            del self.shown[anomaly.id]
        told = f"{anomaly.explanation}{_RECALLS}{recollection(pattern)}"
        return Finding(structs.replace(anomaly, explanation=told), pattern)

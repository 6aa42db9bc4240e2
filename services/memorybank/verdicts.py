"""What detectors of somebody else's say: heard on a connection of its own, stored, then acknowledged.

They keep nothing to send again, so the broker keeps it: a verdict is acknowledged when it is committed. On
the events' connection, acknowledged early and in order, that could not be; and no flood here delays an event.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from chassis.mqtt import Delivery, MqttLink, MqttSettings
from contracts import topics
from contracts.errors import ContractError, MalformedVerdict
from contracts.verdicts import MAX_VERDICT_BYTES, Verdict, on_topic
from memorybank.records import Poison
from memorybank.share import Share
from memorybank.store import Store

log = logging.getLogger("memorybank")

MOST_DETECTORS = 50
"""Distinct names that are stored; the next is refused until retention has forgotten one."""
BURST, PER_S = 10_000, 1.0
"""Verdicts of one detector at once, and on average from then on: after an outage they come together."""
_MOST_WAITING = 5_000
_BATCH = 500
_AHEAD = timedelta(minutes=1)
"""A clock may be wrong by so much."""

OUTCOMES = ("stored", "malformed", "too_often", "too_many_detectors", "overflowed")


@dataclass(slots=True)
class Allowance:
    """How many verdicts a detector may still tell."""

    left: float = field(default_factory=lambda: BURST)
    refilled_s: float = field(default_factory=time.monotonic)

    def take(self, now_s: float) -> bool:
        """Return whether one more is allowed, and count it."""
        self.left = min(BURST, self.left + (now_s - self.refilled_s) * PER_S)
        self.refilled_s = now_s
        if self.left < 1:
            return False
        self.left -= 1
        return True


def taken(topic: str, payload: bytes, now: datetime) -> Verdict:
    """Return the verdict heard `now`, or raise MalformedVerdict."""
    verdict = on_topic(topic, payload)
    if verdict.at > now + _AHEAD:
        raise MalformedVerdict(f"{verdict.at.isoformat()} is yet to come - at `$.at`")
    return verdict


class Verdicts:
    """Run it beside the ingest. What is not stored is counted in `counted`, by the names of OUTCOMES."""

    def __init__(self, mqtt: MqttSettings, share: Share, store: Store) -> None:
        self._share = share
        self._store = store
        self._allowances: dict[str, Allowance] = {}
        self._waiting: deque[Delivery | Callable[[], None]] = deque()
        """In the order in which they came; of what is refused only the acknowledgement, in its turn."""
        self._arrived = asyncio.Event()
        self.counted: Counter[str] = Counter()
        self._link = MqttLink(
            mqtt,
            f"{share.client_id}-verdicts",
            subscriptions=((topics.ALL_VERDICTS, 1),),
            on_message=self._take_in,
            persistent=True,
        )

    @property
    def by_outcome(self) -> Mapping[str, int]:
        """What became of the messages so far, by the names of OUTCOMES."""
        return {name: self.counted[name] for name in OUTCOMES}

    async def run(self) -> None:
        """Hear, store, acknowledge, until cancelled."""
        self._allowances = {name: Allowance() for name in await self._store.verdict_detectors()}
        async with self._link:
            while True:
                await self._arrived.wait()
                await self._save_some()

    async def _save_some(self) -> None:
        some = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        if not self._waiting:
            self._arrived.clear()
        verdicts: list[Verdict] = []
        poison: list[Poison] = []
        now = datetime.now(UTC)
        for each in some:
            if not isinstance(each, Delivery):
                continue
            try:
                verdicts.append(taken(each.topic, each.payload, now))
            except ContractError as error:
                log.warning("set aside a verdict on %.300s: %s", each.topic, error)
                poison.append(Poison(topic=each.topic, reason=str(error), payload=each.payload))
        if verdicts or poison:
            await self._store.save_verdicts(verdicts, poison, now)
        self.counted["stored"] += len(verdicts)
        self.counted["malformed"] += len(poison)
        for each in some:
            (each.ack if isinstance(each, Delivery) else each)()

    def _take_in(self, delivery: Delivery) -> None:
        refusal = self._refusal(delivery.topic)
        if refusal is None:
            # Enough of it to see that it is too long.
            self._waiting.append(replace(delivery, payload=delivery.payload[: MAX_VERDICT_BYTES + 1]))
        elif refusal:
            self.counted[refusal] += 1
        if refusal is not None and delivery.qos:  # without, there is nothing to acknowledge
            self._waiting.append(delivery.ack)
        if self._waiting:
            self._arrived.set()

    def _refusal(self, topic: str) -> str | None:
        """Return why a message is not taken; empty: it is another share's; None: it is."""
        try:
            detector, charge_point_id = topics.verdict_from_topic(topic)
        except ContractError:
            return "malformed"
        if not self._share.has(charge_point_id):
            return ""
        allowance = self._allowances.get(detector)
        if allowance is None:
            if len(self._allowances) >= MOST_DETECTORS:
                return "too_many_detectors"
            allowance = self._allowances[detector] = Allowance()
            log.info("verdicts of a detector new here: %.64s", detector)
        if not allowance.take(time.monotonic()):
            return "too_often"
        # A broker's window bounds what it delivers with QoS 1, not what was published with QoS 0.
        return "overflowed" if len(self._waiting) >= _MOST_WAITING else None

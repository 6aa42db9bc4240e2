"""A connector's simulated bus: module, charge point, and rogue nodes where an injection put some."""

import random
from collections.abc import Callable
from uuid import UUID

from charger.arbitration import fate_s
from contracts import can_frames
from contracts.can_frames import Frame
from contracts.errors import MalformedFrame
from contracts.injections import CanFlood
from lab.rogue import sender as senders
from lab.rogue.sender import BusInjection, Raw, Sender
from lab.simulated.agenda import Agenda
from lab.simulated.module_node import ModuleNode


class Bus:
    """Who sends is not heard by itself. `listen` is the charge point's ear."""

    def __init__(self, agenda: Agenda, node: ModuleNode, listen: Callable[[Raw], None]) -> None:
        self._agenda = agenda
        self._node = node
        self._listen = listen
        self._rogues: dict[UUID, Sender] = {}
        self.is_shared = False
        """Whether a rogue node is on it."""
        self._draws = random.Random(0)
        self._heard_a = 0.0

    def began(self, injection_id: UUID, injection: BusInjection, seed: int, heard_a: float) -> None:
        """Put a rogue node on it."""
        self._draws = random.Random(seed)
        self._rogues[injection_id] = senders.begun(injection, self._agenda.now_s, heard_a)
        self.is_shared = True
        self._await(injection_id)

    def ended(self, injection_id: UUID) -> None:
        """Take a rogue node off it, after its last frames."""
        rogue = self._rogues.pop(injection_id, None)
        self.is_shared = bool(self._rogues)
        for raw in senders.restoring(rogue) if rogue else ():
            self._listen(raw)
            self._obey(raw)

    def sent(self, raw: Raw) -> None:
        """Let the charge point's frame be heard by all others, or be lost in a flood."""
        late_s = self._late_s()
        if late_s is None:
            return
        self._agenda.after(late_s, lambda: self._obey(raw))
        self._overhear(raw)

    def published(self, frames: tuple[Frame, ...]) -> None:
        """Let the module's frames of an instant be heard by all others, or be lost in a flood."""
        late_s = self._late_s()
        if late_s is None:
            return
        for frame in frames:
            raw = Raw(*can_frames.encode(frame))
            self._overhear(raw)
            self._agenda.after(late_s, lambda raw=raw: self._listen(raw))  # type: ignore[misc]

    def _late_s(self) -> float | None:
        floods = [rogue.injection for rogue in self._rogues.values() if isinstance(rogue.injection, CanFlood)]
        if not floods:
            return 0.0
        return fate_s(floods[-1], self._draws.random())

    def _overhear(self, raw: Raw) -> None:
        now_s = self._agenda.now_s
        self._rogues = {number: senders.heard(rogue, raw, now_s) for number, rogue in self._rogues.items()}

    def _await(self, injection_id: UUID) -> None:
        next_s = self._rogues[injection_id].next_s
        if next_s < float("inf"):
            self._agenda.at(next_s, lambda: self._due(injection_id))

    def _due(self, injection_id: UUID) -> None:
        rogue = self._rogues.get(injection_id)
        if rogue is None:
            return
        self._rogues[injection_id], frames = senders.due(rogue, self._agenda.now_s)
        for raw in frames:
            self._listen(raw)
            self._obey(raw)
        self._await(injection_id)

    def _obey(self, raw: Raw) -> None:
        try:
            frame = can_frames.decode(raw.can_id, raw.data)
        except MalformedFrame:
            return
        if frame is not None:
            self._node.hear(frame, self._agenda.now_s)

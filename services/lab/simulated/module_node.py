"""The charger module on a simulated bus: the real module's core, stepped as coarsely as its laws allow."""

from msgspec.structs import replace

from charger import module as modules
from charger.course import Course
from charger.module import Module
from contracts import can_frames
from contracts.can_frames import Frame, Keepalive, ModuleState

SETTLED_A = 0.2
"""A current so near a target that moves by no more a second has arrived: then one step of a second is as good
as ten. Exact while the target stands; where vehicle or heat lower it, within 0.3 A.
"""


class ModuleNode(Course):
    """A module at the instant to which it was advanced last."""

    _target_a: float
    _is_settled: bool

    def __init__(self, module: Module) -> None:
        self._stepped_at_s = 0.0
        super().__init__(module)

    def become(self, module: Module) -> None:
        """Be this module from now on."""
        super().become(module)
        self._look()

    def advance(self, now_s: float) -> None:
        """Let time pass."""
        elapsed_s = now_s - self._stepped_at_s
        self._stepped_at_s = now_s
        if elapsed_s <= 0:
            return
        before_a = self._target_a
        if self._is_settled:
            self.go(1, elapsed_s)
        else:
            self.go(*modules.steps(elapsed_s))
        self._look()
        if self._is_settled and abs(self._target_a - before_a) > SETTLED_A * elapsed_s:
            self._is_settled = False

    def _look(self) -> None:
        """Take note of where its current goes, and whether it is there."""
        if self._running is not None:
            self._target_a, current_a = self._running.target_a, self._running.current_a
            self._is_settled = abs(self._target_a - current_a) <= SETTLED_A
            return
        stage = self._value.stage
        self._target_a = stage.target_a
        self._is_settled = (
            stage.state is ModuleState.CHARGING and abs(self._target_a - stage.current_a) <= SETTLED_A
        )

    def hear(self, frame: Frame, now_s: float) -> None:
        """Obey a frame of the bus."""
        if not isinstance(frame, Keepalive) or not self.kept_alive():
            self.advance(now_s)
            self.obey(frame)
            self._look()

    def kept_alive(self) -> bool:
        """Hear a keepalive where it changes nothing but its age; False: it is to be heard as a frame."""
        # Its instant is the next step's business.
        if self._is_settled and self._running is not None:
            self._running.keepalive_age_s = 0.0
            self._is_value_old = True
            return True
        if self._is_settled or self.at_rest:
            stage = replace(self._value.stage, keepalive_age_s=0.0)
            self._value = replace(self._value, stage=stage)
            return True
        return False

    def publish(self, now_s: float) -> tuple[Frame, ...]:
        """Return the readings of this instant, as they arrive."""
        self.advance(now_s)
        if self._running is not None:
            return self.published()
        return tuple(map(can_frames.as_heard, self.published()))

"""The charger module on a simulated bus: the real module's core, stepped as coarsely as its laws allow."""

from msgspec.structs import replace

from charger import module as modules
from charger import power_stage
from charger.module import Module
from charger.running import Running, running
from contracts import can_frames
from contracts.can_frames import Frame, Keepalive, ModuleState

SETTLED_A = 0.2
"""A current so near a target that moves by no more a second has arrived: then one step of a second is as good
as ten. Exact while the target stands; where vehicle or heat lower it, within 0.3 A.
"""


class ModuleNode:
    """A module at the instant to which it was advanced last."""

    def __init__(self, module: Module) -> None:
        self._stepped_at_s = 0.0
        self._running: Running | None = None
        """While it charges in the plain way; then the value is made when somebody asks."""
        self._is_value_old = False
        self.become(module)

    @property
    def module(self) -> Module:
        """The module as a value."""
        if self._running is not None and self._is_value_old:
            self._value, self._is_value_old = self._running.module(), False
        return self._value

    @property
    def at_rest(self) -> bool:
        """Whether nothing flows and nothing can."""
        return self._running is None and self._value.stage.at_rest

    def become(self, module: Module) -> None:
        """Be this module from now on."""
        stage = module.stage
        self._value, self._is_value_old, self._running = module, False, running(module)
        self._target_a = stage.target_a
        self._is_settled = (
            stage.state is ModuleState.CHARGING and abs(self._target_a - stage.current_a) <= SETTLED_A
        )

    def advance(self, now_s: float) -> None:
        """Let time pass."""
        elapsed_s = now_s - self._stepped_at_s
        self._stepped_at_s = now_s
        if elapsed_s <= 0:
            return
        before_a = self._target_a
        if self._running is None or not self._run(self._running, elapsed_s):
            self._step(elapsed_s)
        if self._is_settled and abs(self._target_a - before_a) > SETTLED_A * elapsed_s:
            self._is_settled = False

    def _step(self, elapsed_s: float) -> None:
        module = self.module
        if self._is_settled:
            self.become(replace(module, stage=power_stage.step(module.stage, (), elapsed_s)))
        else:
            self.become(modules.advanced(module, elapsed_s))

    def _run(self, run: Running, elapsed_s: float) -> bool:
        """Let time pass for a module that charges; False: it cannot, and nothing was done."""
        if self._is_settled:
            if not run.later(elapsed_s):
                return False
        else:
            self._value, self._is_value_old = self.module, False
            steps, dt_s = modules.steps(elapsed_s)
            for _ in range(steps):
                if not run.later(dt_s):
                    self._running = running(self._value)
                    return False
        self._is_value_old = True
        self._target_a = run.target_a
        self._is_settled = abs(run.target_a - run.current_a) <= SETTLED_A
        return True

    def hear(self, frame: Frame, now_s: float) -> None:
        """Obey a frame of the bus."""
        if not isinstance(frame, Keepalive) or not self.kept_alive():
            self.advance(now_s)
            self.become(modules.heard(self.module, frame))

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
            self._is_value_old = True
            return self._running.published()
        self._value, frames = modules.published(self._value)
        return tuple(map(can_frames.as_heard, frames))

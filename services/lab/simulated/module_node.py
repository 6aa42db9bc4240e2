"""The charger module on a simulated bus: the real module's core, stepped as coarsely as its laws allow."""

from msgspec.structs import replace

from charger import module as modules
from charger import power_stage
from charger.module import Module
from contracts.can_frames import Frame, Keepalive, ModuleState

SETTLED_A = 0.2
"""A current so near a target that moves by no more a second has arrived: then one step of a second is as good
as ten. Exact while the target stands; where vehicle or heat lower it, within 0.3 A.
"""


class ModuleNode:
    """A module at the instant to which it was advanced last."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._stepped_at_s = 0.0
        self._target_a = 0.0
        self._is_settled = False

    @property
    def at_rest(self) -> bool:
        """Whether nothing flows and nothing can."""
        return self.module.stage.at_rest

    def become(self, module: Module) -> None:
        """Be this module from now on."""
        self.module = module
        stage = module.stage
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
        module, before_a = self.module, self._target_a
        if self._is_settled:
            self.become(replace(module, stage=power_stage.step(module.stage, (), elapsed_s)))
        else:
            self.become(modules.advanced(module, elapsed_s))
        if self._is_settled and abs(self._target_a - before_a) > SETTLED_A * elapsed_s:
            self._is_settled = False

    def hear(self, frame: Frame, now_s: float) -> None:
        """Obey a frame of the bus."""
        module = self.module
        if isinstance(frame, Keepalive) and (self._is_settled or module.stage.at_rest):
            # It changes nothing where all is well; the instant is the next step's business.
            self.module = replace(module, stage=replace(module.stage, keepalive_age_s=0.0))
            return
        self.advance(now_s)
        self.become(modules.heard(self.module, frame))

    def publish(self, now_s: float) -> tuple[Frame, ...]:
        """Return the readings of this instant."""
        self.advance(now_s)
        self.module, frames = modules.published(self.module)
        return frames

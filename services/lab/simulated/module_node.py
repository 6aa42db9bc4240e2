"""The charger module on a simulated bus: the real module's core, stepped as coarsely as its laws allow."""

from msgspec.structs import replace

from charger import module as modules
from charger import power_stage
from charger.module import Module
from contracts.can_frames import Frame, ModuleState

SETTLED_A = 0.05
"""A current so near its target has arrived: then one long step is as good as many of 0.1 s."""


class ModuleNode:
    """A module at the instant to which it was advanced last."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._stepped_at_s = 0.0

    @property
    def at_rest(self) -> bool:
        """Whether nothing flows and nothing can."""
        return self.module.stage.at_rest

    def advance(self, now_s: float) -> None:
        """Let time pass."""
        elapsed_s = now_s - self._stepped_at_s
        self._stepped_at_s = now_s
        if elapsed_s <= 0:
            return
        module = self.module
        stage = module.stage
        if stage.state is ModuleState.CHARGING and abs(stage.target_a - stage.current_a) <= SETTLED_A:
            self.module = replace(module, stage=power_stage.step(stage, (), elapsed_s))
        else:
            self.module = modules.advanced(module, elapsed_s)

    def hear(self, frame: Frame, now_s: float) -> None:
        """Obey a frame of the bus."""
        self.advance(now_s)
        self.module = modules.heard(self.module, frame)

    def publish(self, now_s: float) -> tuple[Frame, ...]:
        """Return the readings of this instant."""
        self.advance(now_s)
        self.module, frames = modules.published(self.module)
        return frames

"""A module as time passes: on numbers of its own (running.py) while it charges plainly, else by values."""

from charger import module as modules
from charger.module import Module
from charger.running import Running, running
from contracts.can_frames import Faults, Frame, Keepalive


class Course:
    """A module that is changed in place, for speed; what it does are the cores' laws, to the last bit."""

    _value: Module
    _is_value_old: bool
    _running: Running | None

    def __init__(self, module: Module) -> None:
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

    @property
    def faults(self) -> Faults:
        """What its stage notices."""
        return Faults.NONE if self._running is not None else self._value.stage.faults

    def become(self, module: Module) -> None:
        """Be this module from now on."""
        self._value = module
        self._is_value_old = False
        self._running = running(module)

    def go(self, number: int, dt_s: float) -> None:
        """Be so many steps of `dt_s` later."""
        if self._running is not None:
            number -= self._running.ahead(number, dt_s)
            self._is_value_old = True
        if number:
            self.become(modules.stepped(self.module, number, dt_s))

    def obey(self, frame: Frame) -> None:
        """Do what a frame of the bus says, if it is for modules."""
        if self._running is not None and isinstance(frame, Keepalive):
            self._running.keepalive_age_s = 0.0
            self.go(1, 0.0)
        else:
            self.become(modules.heard(self.module, frame))

    def published(self) -> tuple[Frame, ...]:
        """Return the readings of this instant: module.published's, or those as they arrive."""
        if self._running is not None:
            self._is_value_old = True
            return self._running.published()
        self._value, frames = modules.published(self._value)
        return frames

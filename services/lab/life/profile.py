"""What kind of life a site has: direct or alternating current, how busy, how often the unusual happens."""

from dataclasses import dataclass

from lab.life.session import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Shares are of sessions, unless they say of what; all of them are judgement where no source is named."""

    kind: Kind = "dc"
    phases: int = 1
    """Of an AC charge point: 1 or 3."""
    connectors: int = 1
    busyness: float = 1.0
    """Multiplies the measured rates of arrival."""
    delayed_share: float = 0.1
    """Charging begins after a random delay of up to `longest_delay_s` (British rules ask that of AC)."""
    managed_share: float = 0.25
    """Load management changes the limit a few times (of the measured DC sessions 75 % were controlled)."""
    paused_share: float = 0.02
    """The driver stops and starts again within minutes."""
    replugged_share: float = 0.02
    """The driver unplugs and plugs again within a minute."""
    surplus_share: float = 0.1
    """Of AC charge points: they follow the surplus of a photovoltaic plant."""
    hot_share: float = 0.05
    """Of charge points: so warm around the modules that they derate at full load."""
    saw_tooth_share: float = 0.05
    """Of DC charge points: the ramp up is a saw tooth, as of some real 50 kW stations."""
    longest_delay_s: float = 600.0


DC = Profile(delayed_share=0.03, managed_share=0.2)
AC_ONE_PHASE = Profile(kind="ac", phases=1)
AC_THREE_PHASES = Profile(kind="ac", phases=3)

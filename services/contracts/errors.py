"""The errors of the contracts, sorted by whose fault they are.

`Malformed…` means that the peer sent nonsense: drop it, count it, log it, carry on.
"""


class ContractError(Exception):
    """Root of everything that a contract refuses."""


class MalformedFrame(ContractError):  # noqa: N818 - named after what arrived, as all of this family
    """A CAN frame that does not have the length or the values its identifier demands."""


class MalformedEvent(ContractError):  # noqa: N818
    """An MQTT payload that is no valid batch of events; the message names the place."""


class MalformedDatagram(ContractError):  # noqa: N818
    """A backplane datagram that is neither a lease nor an offer."""


class MalformedTopic(ContractError):  # noqa: N818
    """An MQTT topic that is none of ours."""


class MalformedInjection(ContractError):  # noqa: N818
    """An injection that is none; the message names the place."""


class MalformedVerdict(ContractError):  # noqa: N818
    """What a foreign detector says is no verdict; the message names the place."""

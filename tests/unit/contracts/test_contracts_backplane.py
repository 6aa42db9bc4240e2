"""Backplane datagrams: leases, offers and faults there and back, all else refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import backplane
from contracts.backplane import Datagram, Fault, FaultEnded, FaultTaken, Lease, Offer
from contracts.errors import MalformedDatagram
from contracts.injections import CanFlood, FramesLost, ModuleSilent

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)
ports = st.integers(1, 65535)
faults = st.sampled_from([ModuleSilent(), FramesLost(share=0.5), CanFlood()])
datagrams: st.SearchStrategy[Datagram] = (
    st.builds(
        Lease,
        charge_point_id=names,
        connector=st.integers(1, 255),
        bus_port=ports,
        charger_id=st.none() | names,
    )
    | st.builds(Offer, charger_id=names, bus_port=ports, attached=st.booleans(), load=st.integers(0, 1000))
    | st.builds(Fault, id=st.uuids(), bus_port=ports, injection=faults, seed=st.integers(0, 1 << 60))
    | st.builds(FaultEnded, id=st.uuids(), bus_port=ports)
    | st.builds(FaultTaken, id=st.uuids(), bus_port=ports)
)


@given(st.lists(datagrams, min_size=1, max_size=5))
def test_what_is_sent_together_comes_back_as_it_went(together: list[Datagram]) -> None:
    assert backplane.decode(b"\n".join(map(backplane.encode, together))) == together


MALFORMED = {
    "nothing": b"",
    "no JSON": b"lease",
    "no UTF-8": b'{"type":"lease","charge_point_id":"\xff","connector":1,"bus_port":1}',
    "an array": b"[]",
    "deep nesting": b"[" * 4096,
    "no type": b'{"charge_point_id":"CP-1","connector":1,"bus_port":43200}',
    "an unknown type": b'{"type":"demand","charge_point_id":"CP-1","connector":1,"bus_port":43200}',
    "no charge point": b'{"type":"lease","connector":1,"bus_port":43200}',
    "a nameless charge point": b'{"type":"lease","charge_point_id":"","connector":1,"bus_port":43200}',
    "connector 0": b'{"type":"lease","charge_point_id":"CP-1","connector":0,"bus_port":43200}',
    "connector 256": b'{"type":"lease","charge_point_id":"CP-1","connector":256,"bus_port":43200}',
    "a fault of the meter": b'{"type":"fault","id":"7e1f3c52-0a51-4d7e-9a55-0d4c8a1f0001","bus_port":1,'
    b'"injection":{"fault":"meter_gain","gain":2}}',
    "port 0": b'{"type":"lease","charge_point_id":"CP-1","connector":1,"bus_port":0}',
    "port 65536": b'{"type":"offer","charger_id":"c","bus_port":65536,"attached":true}',
    "a port in words": b'{"type":"offer","charger_id":"c","bus_port":"43200","attached":true}',
    "attached in numbers": b'{"type":"offer","charger_id":"c","bus_port":43200,"attached":1}',
    "a load below 0": b'{"type":"offer","charger_id":"c","bus_port":43200,"attached":true,"load":-1}',
    "an unknown field": b'{"type":"offer","charger_id":"c","bus_port":43200,"attached":true,"price":1}',
    "something after it": b'{"type":"offer","charger_id":"c","bus_port":43200,"attached":true}{}',
    "nonsense in its second line": b'{"type":"offer","charger_id":"c","bus_port":43200,"attached":true}\n{}',
    "empty lines": b"\n\n",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_datagram_is_refused(case: str) -> None:
    with pytest.raises(MalformedDatagram):
        backplane.decode(MALFORMED[case])


@given(st.binary())
def test_random_bytes_raise_nothing_but_malformed_datagram(payload: bytes) -> None:
    with pytest.raises(MalformedDatagram):
        backplane.decode(payload)

"""The charge point's side of the backplane."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chargepoint.lease import MAX_OFFERS, Happened, Holder, heard, ticked
from contracts.backplane import LEASE_TIMEOUT_S, Lease, Offer

HOLDER = Holder("CP-1", 1, 43200)


def offer(charger_id, *, attached=False, load=0, bus_port=43200):
    return Offer(charger_id=charger_id, bus_port=bus_port, attached=attached, load=load)


def after(holder, *offers, now_s=0.0):
    for each in offers:
        holder, _ = heard(holder, each, now_s)
    return holder


def lease_of(outputs):
    return next(output for output in outputs if isinstance(output, Lease))


def happened(outputs):
    return [output.name for output in outputs if isinstance(output, Happened)]


def test_without_offers_the_lease_names_nobody():
    _, outputs = ticked(HOLDER, 0.0)
    assert outputs == (Lease(charge_point_id="CP-1", connector=1, bus_port=43200, charger_id=None),)


def test_the_least_loaded_charger_is_named():
    holder = after(HOLDER, offer("a", load=3), offer("b", load=1), offer("c", load=2))
    assert lease_of(ticked(holder, 0.0)[1]).charger_id == "b"


def test_the_charger_that_serves_the_bus_already_is_kept():
    holder = after(HOLDER, offer("a", load=0), offer("b", load=9, attached=True))
    assert lease_of(ticked(holder, 0.0)[1]).charger_id == "b"


def test_the_choice_stays_while_it_is_renewed():
    holder, _ = ticked(after(HOLDER, offer("a", load=5)), 0.0)
    holder = after(holder, offer("b", load=0), offer("a", load=6), now_s=1.0)
    assert lease_of(ticked(holder, 1.0)[1]).charger_id == "a"


def test_attaching_and_losing_are_reported_once():
    holder, _ = ticked(after(HOLDER, offer("a")), 0.0)
    holder, outputs = heard(holder, offer("a", attached=True), 0.5)
    assert happened(outputs) == ["module_attached"]
    holder, outputs = heard(holder, offer("a", attached=True), 1.0)
    assert outputs == ()
    holder, outputs = ticked(holder, 1.0 + LEASE_TIMEOUT_S)
    assert happened(outputs) == ["module_lost"]
    assert lease_of(outputs).charger_id is None
    assert happened(ticked(holder, 2.0 + LEASE_TIMEOUT_S)[1]) == []


def test_a_charger_that_lets_go_is_reported():
    holder = replace(HOLDER, charger_id="a", attached=True)
    assert happened(heard(holder, offer("a", attached=False), 0.0)[1]) == ["module_lost"]


def test_a_dead_charger_is_replaced_by_the_next_offer():
    holder, _ = ticked(after(HOLDER, offer("a")), 0.0)
    holder = after(holder, offer("b"), now_s=LEASE_TIMEOUT_S)
    assert lease_of(ticked(holder, LEASE_TIMEOUT_S)[1]).charger_id == "b"


def test_offers_for_other_buses_are_not_ours():
    holder = after(HOLDER, offer("a", bus_port=43204))
    assert holder == HOLDER


def test_ones_own_lease_is_no_rival():
    own = Lease(charge_point_id="CP-1", connector=1, bus_port=43200)
    assert heard(HOLDER, own, 0.0) == (HOLDER, ())


def test_another_charge_point_on_our_bus_is_reported_once():
    rival = Lease(charge_point_id="CP-9", connector=1, bus_port=43200)
    holder, outputs = heard(HOLDER, rival, 0.0)
    assert happened(outputs) == ["bus_contested"]
    assert happened(heard(holder, rival, 1.0)[1]) == []
    holder, _ = ticked(holder, 1.0 + LEASE_TIMEOUT_S)
    assert happened(heard(holder, rival, 9.0)[1]) == ["bus_contested"]


@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.booleans(), st.floats(0, 1))))
def test_only_one_charger_is_named_and_only_one_that_offered(offers):
    holder, now_s = HOLDER, 0.0
    for charger_id, attached, after_s in offers:
        now_s += after_s
        holder, _ = heard(holder, offer(charger_id, attached=attached), now_s)
        holder, outputs = ticked(holder, now_s)
        named = lease_of(outputs).charger_id
        assert named in holder.offers


def test_a_flood_of_invented_chargers_is_bounded():
    holder = after(HOLDER, *(offer(str(number)) for number in range(2 * MAX_OFFERS)))
    assert len(holder.offers) == MAX_OFFERS

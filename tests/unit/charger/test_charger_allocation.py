from hypothesis import given
from hypothesis import strategies as st

from charger import allocation
from charger.allocation import RELEASE_S, Allocation, Attach, Detach
from contracts.backplane import LEASE_TIMEOUT_S, Lease, Offer

PORT = 43200
EMPTY = Allocation("charger-a", capacity=8)


def lease(charger_id=None, port=PORT):
    return Lease(charge_point_id="CP-1", connector=1, bus_port=port, charger_id=charger_id)


def offer(*, attached, load, port=PORT):
    return Offer(charger_id="charger-a", bus_port=port, attached=attached, load=load)


def serving(at_s=0.0):
    return allocation.heard(EMPTY, lease("charger-a"), at_s)[0]


def test_a_lease_without_a_name_gets_an_offer_and_no_module():
    state, actions = allocation.heard(EMPTY, lease(), 0.0)
    assert state == EMPTY
    assert actions == (offer(attached=False, load=0),)


def test_a_lease_that_names_us_attaches_once():
    state, actions = allocation.heard(EMPTY, lease("charger-a"), 0.0)
    assert actions == (Attach(PORT, "CP-1", 1), offer(attached=True, load=1))
    _, actions = allocation.heard(state, lease("charger-a"), 1.0)
    assert actions == (offer(attached=True, load=1),)


def test_a_lease_that_names_another_is_left_alone():
    assert allocation.heard(EMPTY, lease("charger-b"), 0.0) == (EMPTY, ())


def test_a_lease_that_names_another_detaches_at_once():
    state, actions = allocation.heard(serving(), lease("charger-b"), 1.0)
    assert state == EMPTY
    assert actions == (Detach(PORT, "the lease names charger-b"),)


def test_the_load_tells_how_many_buses_are_served():
    state = serving()
    _, actions = allocation.heard(state, lease(port=PORT + 1), 1.0)
    assert actions == (offer(attached=False, load=1, port=PORT + 1),)


def test_a_charge_point_that_restarts_in_time_finds_its_module_attached():
    state, actions = allocation.heard(serving(), lease(), 3.0)
    assert actions == (offer(attached=True, load=1),)
    state, actions = allocation.heard(state, lease("charger-a"), 3.5)
    assert actions == (offer(attached=True, load=1),)
    assert allocation.ticked(state, {PORT}, 7.0)[1] == ()


def test_a_renewed_lease_is_kept():
    state = serving()
    for second in range(1, 20):
        state, _ = allocation.heard(state, lease("charger-a"), float(second))
        state, actions = allocation.ticked(state, {PORT}, second + 0.5)
        assert actions == ()


def test_a_lapsed_module_at_rest_is_detached():
    state, actions = allocation.ticked(serving(), {PORT}, LEASE_TIMEOUT_S + 0.1)
    assert state == EMPTY
    assert actions == (Detach(PORT, "the lease lapsed"),)


def test_a_lapsed_module_that_still_charges_is_left_to_come_to_rest():
    state, actions = allocation.ticked(serving(), set(), LEASE_TIMEOUT_S + 0.1)
    assert actions == ()
    _, actions = allocation.heard(state, lease("charger-a"), LEASE_TIMEOUT_S + 1)
    assert actions == (offer(attached=True, load=1),)


def test_a_module_that_never_rests_is_detached_after_all():
    state, actions = allocation.ticked(serving(), set(), LEASE_TIMEOUT_S + RELEASE_S + 0.1)
    assert state == EMPTY
    assert actions == (Detach(PORT, "the lease lapsed"),)


def test_a_full_charger_neither_offers_nor_attaches_more():
    full = allocation.heard(Allocation("charger-a", capacity=1), lease("charger-a"), 0.0)[0]
    assert allocation.heard(full, lease(port=PORT + 1), 0.0) == (full, ())
    assert allocation.heard(full, lease("charger-a", port=PORT + 1), 0.0) == (full, ())


def test_an_attach_that_failed_is_tried_with_the_next_lease():
    state = allocation.failed(serving(), PORT)
    _, actions = allocation.heard(state, lease("charger-a"), 1.0)
    assert actions[0] == Attach(PORT, "CP-1", 1)


@given(
    st.lists(
        st.tuples(st.sampled_from([None, "charger-a", "charger-b"]), st.booleans(), st.floats(0, 3)),
        max_size=60,
    )
)
def test_two_chargers_that_hear_the_same_leases_never_serve_one_bus(life):
    """Attach and Detach alternate on each charger, and at no time are both attached."""
    states = {name: Allocation(name, capacity=1) for name in ("charger-a", "charger-b")}
    attached = set()
    now_s = 0.0
    for named, rests, pause_s in life:
        now_s += pause_s
        for name in sorted(states, key=lambda name: name == named):  # the one that is named comes last
            states[name], ticked = allocation.ticked(states[name], {PORT} if rests else set(), now_s)
            states[name], heard = allocation.heard(states[name], lease(named), now_s)
            for action in (*ticked, *heard):
                match action:
                    case Attach():
                        assert name not in attached
                        attached.add(name)
                    case Detach():
                        attached.remove(name)
        assert len(attached) <= 1
        assert attached == {name for name, state in states.items() if state.renewed_s}

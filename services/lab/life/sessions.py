"""Life at one charge point: sessions that follow each other as real ones do."""

import heapq
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from lab.life import arrivals, cars, control, figures
from lab.life.cars import FULLEST_PERCENT
from lab.life.draws import mixing, part_of_day, quantile, shares
from lab.life.profile import Profile
from lab.life.session import LimitChange, Pause, Session

DC_RATED_A, AC_RATED_A = 300.0, 32.0
"""What the charge points of this life are rated for, per phase."""
LEAST_STAY_S = 240.0
PATIENCE = 1.5
"""So many times the drawn stay a driver waits at most for the energy that was wanted (judgement)."""
_HANDLING_S = 90.0
_TAG_S = 15.0  # judgement: mean time from the plug to the tag
_STRANGERS, _COLLEAGUES = 2000, 40
"""How many tags come to a charge point beside a road, and to one at work (judgement)."""
_DC_MIX, _AC_MIX = mixing(figures.DC_CORRELATION), mixing(figures.AC_CORRELATION)


def sessions(
    charge_point: int, *, seed: int, days: float, profile: Profile, begin_at: datetime
) -> Iterator[Session]:
    """Yield the sessions of a charge point in order of their plugs; those of one connector never overlap.

    `begin_at`: the hour and the weekday (in its own zone) at 0 s. No car comes once `days` are
    over. The same numbers give the same life, and another charge point another one.
    """
    streams = [
        _at_connector(charge_point, connector, seed, days, profile, begin_at)
        for connector in range(1, profile.connectors + 1)
    ]
    yield from heapq.merge(*streams, key=lambda session: session.plug_s)


def _at_connector(
    charge_point: int, connector: int, seed: int, days: float, profile: Profile, begin_at: datetime
) -> Iterator[Session]:
    site = Random(f"life/{seed}/{charge_point}")
    busyness = profile.busyness * _busyness(site, profile)
    follows_surplus = profile.kind == "ac" and site.random() < profile.surplus_share
    rates = figures.DC_ARRIVALS_PER_FREE_H if profile.kind == "dc" else figures.AC_ARRIVALS_PER_FREE_H
    end_at, free_at, number = begin_at + timedelta(days=days), begin_at, 0
    while True:
        rng = Random(f"life/{seed}/{charge_point}/{connector}/{number}")
        arrived_at = arrivals.next_arrival(rng, rates, free_at, busyness)
        if arrived_at is None or arrived_at >= end_at:
            return
        plug_s = (arrived_at - begin_at).total_seconds()
        drivers = _STRANGERS if profile.kind == "dc" else _COLLEAGUES
        id_tag = f"D{charge_point}-{rng.randrange(drivers)}"
        session = (
            _dc(rng, plug_s, id_tag)
            if profile.kind == "dc"
            else _ac(rng, plug_s, id_tag, arrived_at, profile.phases)
        )
        session = replace(
            session,
            connector=connector,
            tag_after_s=2.0 + rng.expovariate(1 / _TAG_S),
            limits=_limits(rng, session, profile, arrived_at, follows_surplus=follows_surplus),
        )
        yield from _interrupted(rng, session, profile)
        free_at = begin_at + timedelta(seconds=session.leave_s + rng.uniform(30.0, 120.0))
        number += 1


def _busyness(site: Random, profile: Profile) -> float:
    """Return how busy a site is: as Caltech's stations differ; beside a road up to a third (judgement)."""
    if profile.kind == "ac":
        return quantile(figures.AC_BUSYNESS, site.random())
    return site.uniform(2 / 3, 4 / 3)


def _dc(rng: Random, plug_s: float, id_tag: str) -> Session:
    names = list(figures.DC_QUANTILES)
    drawn = {
        name: quantile(figures.DC_QUANTILES[name], share)
        for name, share in zip(names, shares(rng, _DC_MIX), strict=True)
    }
    soc_percent = min(drawn["soc_percent"], FULLEST_PERCENT - 1)
    car = cars.dc_car(rng, soc_percent, drawn["capacity_wh"], drawn["peak_w"])
    wanted_percent = min((100 - soc_percent) * drawn["filled_share"], FULLEST_PERCENT - soc_percent)
    energy_wh = wanted_percent / 100 * car.capacity_wh
    stay_s = max(LEAST_STAY_S, drawn["stay_s"])
    needed_s = cars.charging_s(car, energy_wh, DC_RATED_A) + _HANDLING_S
    leave_s = plug_s + max(stay_s, min(needed_s, stay_s * PATIENCE))
    return Session(
        plug_s=plug_s,
        leave_s=leave_s,
        stop_s=leave_s - rng.uniform(10.0, 60.0),
        vehicle=car,
        id_tag=id_tag,
        energy_wh=energy_wh,
    )


def _ac(rng: Random, plug_s: float, id_tag: str, arrived_at: datetime, phases: int) -> Session:
    tables = figures.AC_QUANTILES[part_of_day(arrived_at.hour)]
    stay_share, energy_share = shares(rng, _AC_MIX)
    stay_s = max(LEAST_STAY_S, quantile(tables["stay_s"], stay_share))
    wanted_wh = quantile(tables["energy_wh"], energy_share)
    car = cars.ac_car(rng, phases, wanted_wh, stay_s)
    return Session(
        plug_s=plug_s,
        leave_s=plug_s + stay_s,
        stop_s=plug_s + stay_s - rng.uniform(10.0, 60.0),
        vehicle=car,
        id_tag=id_tag,
        kind="ac",
    )


def _limits(
    rng: Random, session: Session, profile: Profile, arrived_at: datetime, *, follows_surplus: bool
) -> tuple[LimitChange, ...]:
    """Return what limits the session; at most one thing at a time, as one CSMS decides."""
    lasts_s = session.stop_s - session.plug_s
    is_dc = session.kind == "dc"
    if follows_surplus:
        limits = control.surplus(rng, arrived_at, lasts_s, AC_RATED_A, profile.phases)
    elif rng.random() < profile.delayed_share:
        limits = control.delayed(rng, profile.longest_delay_s)
    elif rng.random() < profile.managed_share:
        rated_a, least_a = (DC_RATED_A, 0.0) if is_dc else (AC_RATED_A, control.LEAST_AC_A)
        limits = control.managed(rng, lasts_s, rated_a, least_a)
    else:
        limits = ()
    return tuple(change for change in limits if change.after_s < lasts_s)


def _interrupted(rng: Random, session: Session, profile: Profile) -> tuple[Session, ...]:
    """Return the session, with a pause in it, or in two parts because the driver plugged again."""
    lasts_s = session.stop_s - session.plug_s
    kind, at_s = rng.random(), lasts_s * rng.uniform(0.3, 0.7)
    if kind < profile.paused_share:
        return (replace(session, pauses=(Pause(at_s, min(lasts_s / 5, rng.uniform(10.0, 120.0))),)),)
    if kind >= profile.paused_share + profile.replugged_share:
        return (session,)
    again_s = at_s + rng.uniform(10.0, 55.0)
    early = tuple(change for change in session.limits if change.after_s < at_s)
    late = tuple(
        replace(change, after_s=change.after_s - again_s)
        for change in session.limits
        if change.after_s >= again_s
    )
    first = replace(session, stop_s=session.plug_s + at_s - 5.0, leave_s=session.plug_s + at_s, limits=early)
    second = replace(
        session,
        plug_s=session.plug_s + again_s,
        vehicle=None,
        energy_wh=None,
        # What holds at the station holds for who comes back, too.
        limits=(*(replace(change, after_s=0.0) for change in early[-1:]), *late),
    )
    return first, second

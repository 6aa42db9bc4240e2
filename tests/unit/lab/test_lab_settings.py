"""Whose injections an injector performs."""

import pytest

from chassis.settings import SettingsError, read
from contracts.topics import ALL_INJECTIONS, injections_topic
from lab.settings import Settings


@pytest.mark.parametrize(
    ("environ", "whose", "topic"),
    [
        ({}, None, ALL_INJECTIONS),
        ({"CHARGE_POINTS": "3"}, None, ALL_INJECTIONS),
        ({"CHARGE_POINT_ID": "north"}, {"north"}, injections_topic("north")),
        ({"CHARGE_POINT_REPLICA": "7"}, {"CP-7"}, injections_topic("CP-7")),
        ({"CHARGE_POINT_ID": "CP-5", "CHARGE_POINTS": "2"}, {"CP-5", "CP-6"}, ALL_INJECTIONS),
        ({"CHARGE_POINT_REPLICA": "2", "CHARGE_POINTS": "2"}, {"CP-3", "CP-4"}, ALL_INJECTIONS),
    ],
)
def test_whose_injections_it_performs(environ, whose, topic):
    settings = read(Settings, environ)
    assert settings.charge_point_ids == whose
    assert settings.orders_topic == topic


def test_many_need_a_number_to_count_from():
    with pytest.raises(SettingsError, match="'north' does not end in a number"):
        read(Settings, {"CHARGE_POINT_ID": "north", "CHARGE_POINTS": "2"}).charge_point_ids  # noqa: B018

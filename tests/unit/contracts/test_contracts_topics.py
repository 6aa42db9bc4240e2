"""Topics: any identity goes there and back, and none reaches beyond its own level."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from contracts import topics
from contracts.errors import MalformedTopic
from contracts.topics import Source

NASTY = [
    "a/b",
    "/",
    "+",
    "#",
    "a+b#",
    "%",
    "%2F",
    "%41",
    "..",
    ".",
    "$SYS",
    "CP é 😀",
    "\n",
    "a\0b",
    " ",
    ":",
]

identities = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50)
sources = st.builds(
    Source,
    identities.map(lambda identity: f"chargepoint:{identity}"),
    st.sampled_from(["events", "truth"]),
    st.integers(0, topics.PARTITIONS - 1),
)


@pytest.mark.parametrize("identity", NASTY)
@pytest.mark.parametrize("channel", ["events", "truth"])
def test_nasty_identity_goes_there_and_back(identity: str, channel: topics.Channel) -> None:
    source = Source(f"chargepoint:{identity}", channel, 7)
    assert topics.source_from_topic(topics.events_topic(source)) == source
    assert topics.source_id_from_committed(topics.committed_topic(source.id)) == source.id
    assert Source.from_id(source.id) == source


@given(sources)
@example(Source("chargepoint:a/b/events/03", "truth", 3))
def test_source_goes_there_and_back(source: Source) -> None:
    assert topics.source_from_topic(topics.events_topic(source)) == source
    assert topics.source_id_from_committed(topics.committed_topic(source.id)) == source.id


@given(sources, sources)
def test_no_source_reaches_another_ones_topics(one: Source, other: Source) -> None:
    """Each topic is in one filter of the services' and in its own source's only."""
    committed = topics.committed_topic(one.id)
    assert topic_matches_sub(topics.committed_topics(one.name), committed)
    assert topic_matches_sub(topics.committed_topics(other.name), committed) == (one.name == other.name)
    published = topics.events_topic(one)
    assert topic_matches_sub(topics.ALL_EVENTS, published) == (one.channel == "events")
    assert topic_matches_sub(topics.ALL_TRUTH, published) == (one.channel == "truth")


@given(identities)
def test_anomaly_topic_is_one_level_below_the_filter(identity: str) -> None:
    topic = topics.anomaly_topic(identity)
    assert topic.count("/") == topics.ALL_ANOMALIES.count("/")
    assert not {"+", "#", "\0"} & set(topic)
    assert topic_matches_sub(topics.ALL_ANOMALIES, topic)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "chargebench/v1/events/07",
        "chargebench/v1/events/07/csms/",
        "chargebench/v1/events/7/csms/a",
        "chargebench/v1/events/16/csms/a",
        "chargebench/v1/events/\u0660\u0667/csms/a",
        "chargebench/v1/live/07/csms/a",
        "chargebench/v2/events/07/csms/a",
        "chargebench/v1/events/07/csms/a/b",
        "chargebench/v1/events/07/csms",
        "chargebench/v1/events/07//a",
        "chargebench/v1/events/07/CSMS/a",
        "x/chargebench/v1/events/07/csms/a",
        "chargebench/v1/events/07/csms/a\n",
        "chargebench/v1/events/07/csms/%41",
        "chargebench/v1/events/07/csms/a%2fb",
        "chargebench/v1/events/07/csms/%",
        "chargebench/v1/events/07/csms/%ff",
        "chargebench/v1/events/07/csms/+",
        "chargebench/v1/events/07/csms/é",
    ],
)
def test_foreign_topic_is_refused(topic: str) -> None:
    """Other spellings of our topics too: who may write `%41` must not become the source `A`."""
    with pytest.raises(MalformedTopic):
        topics.source_from_topic(topic)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "chargebench/v1/committed/csms/a/events",
        "chargebench/v1/committed/csms/a/b/events/07",
        "chargebench/v1/committed/csms/events/07",
        "chargebench/v1/committed/csms/a/live/07",
        "chargebench/v1/committed/csms/a/events/7",
        "chargebench/v1/committed/csms/a/events/99",
        "chargebench/v1/committed/csms/%41/events/07",
        "chargebench/v1/committed/CSMS/a/events/07",
        "chargebench/v1/committed/csms/a/events/07\n",
        "chargebench/v1/committed/csms//events/07",
    ],
)
def test_foreign_committed_topic_is_refused(topic: str) -> None:
    with pytest.raises(MalformedTopic):
        topics.source_id_from_committed(topic)


@given(st.text())
def test_random_topic_raises_nothing_but_malformed_topic(topic: str) -> None:
    with pytest.raises(MalformedTopic):
        topics.source_from_topic(topic)
    with pytest.raises(MalformedTopic):
        topics.source_id_from_committed(topic)


@pytest.mark.parametrize(("identity", "partition"), [("CP-1", 10), ("CP-2", 0), ("CP-3", 6), ("é", 14)])
def test_partition_is_the_same_on_every_machine_and_for_ever(identity: str, partition: int) -> None:
    """A charge point that moved to another partition would have two numberings."""
    assert topics.partition_of(identity) == partition


@given(identities)
def test_partition_is_one_of_sixteen(identity: str) -> None:
    assert 0 <= topics.partition_of(identity) < topics.PARTITIONS


@pytest.mark.parametrize("name", ["", "csms", ":", "csms:", ":a", "CSMS:a", "c/s:a", "c+:a"])
def test_a_source_without_service_or_instance_is_refused(name: str) -> None:
    """The service is a level that access lists name; nothing may leave it empty or widen it."""
    with pytest.raises(MalformedTopic):
        Source(name, "events", 0)

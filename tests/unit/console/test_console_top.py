"""The terminal view's pure parts: whatever comes and is typed, it stays sane and within its screen."""

import itertools
import json
import math
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from chassis.terminal import printable
from console.top import plain
from console.top.course import course, graph, scale_of
from console.top.keys import keys_in
from console.top.messages import Csms, MalformedStream, Message, Row, Service, decode
from console.top.pace import Pace, counted
from console.top.picture import MAX_SAMPLES, Picture, away, counting_order, open_anomalies, take
from console.top.screen import Link, Rates, lines
from console.top.server_sent import ServerSent
from console.top.view import Sort, View, listed, press, selected
from contracts.events import Anomaly

NOW_S = 1_800_000_000.0
LINK = Link("http://127.0.0.1:8080")
KEYS = ["up", "down", "j", "k", "home", "end", "page up", "page down", " ", "g", "G", "/", "s", "a", "?", "q"]
KEYS += ["enter", "escape", "backspace", "ctrl-c", "x", "C", "-", "ü"]
NAMES = st.sampled_from(
    ["CP-1", "CP-2", "CP-10", "Säule 3", "充电桩", "\x1b[2J\x1b]0;x\x07", "a\u202eb", "", "x" * 300]
)
NUMBERS = st.floats(-1e6, 1e6) | st.none()


def anomaly(
    charge_point_id: str = "CP-1",
    *,
    number: int = 1,
    phase: str = "opened",
    updated_s: float = 0,
    connector: int = 1,
) -> Anomaly:
    at = datetime.fromtimestamp(NOW_S, UTC)
    return Anomaly(
        id=UUID(int=number),
        charge_point_id=charge_point_id,
        connector=connector,
        kind="repeated-current-fluctuation",
        severity=("info", "warning", "critical")[number % 3],  # type: ignore[arg-type]
        phase=phase,  # type: ignore[arg-type]
        started_at=at - timedelta(seconds=90 + number),
        detected_at=at,
        updated_at=at + timedelta(seconds=updated_s),
        score=1.0,
        threshold=1.0,
        deviation=95.0,
        explanation="8 reversals of 95 A within 60 s\x1b[2J",
    )


def row(name: str, current_a: float | None = 16.0, *, ago_s: float = 0.0, status: str = "Charging") -> Row:
    return Row(
        charge_point_id=name,
        connector=1,
        bus="live",
        present_a=current_a,
        power_w=None if current_a is None else current_a * 400,
        csms=Csms(connected=True, status=status, transaction_id=41, scenario="benign-charging"),
        samples=[] if current_a is None else [[NOW_S - ago_s, current_a]],
    )


def picture(*rows: Row, anomalies: list[Anomaly] | None = None) -> Picture:
    message = Message(now_s=NOW_S, span_s=60.0, connectors=list(rows), anomalies=anomalies or [])
    return take(Picture(), "snapshot", message)


def text_of(told: Picture, view: View | None = None, *, width: int = 120, height: int = 40) -> str:
    shown = lines(told, view or View(), Rates(), LINK, now_s=told.now_s, width=width, height=height)
    return "\n".join(line.plain for line in shown)


rows = st.builds(
    Row,
    charge_point_id=NAMES,
    connector=st.integers(0, 4),
    bus=st.sampled_from(["live", "silent", "lost", "none", "other"]),
    bus_port=st.integers(1, 65535) | st.none(),
    present_a=NUMBERS,
    power_w=NUMBERS,
    stale=st.booleans(),
    module_state=NAMES | st.none(),
    csms=st.none()
    | st.builds(Csms, connected=st.booleans(), status=NAMES | st.none(), scenario=NAMES | st.none()),
    samples=st.lists(st.tuples(st.floats(NOW_S - 100, NOW_S + 100), NUMBERS, NUMBERS).map(list), max_size=8),
)
messages = st.builds(
    Message,
    now_s=st.floats(NOW_S - 100, NOW_S + 100),
    span_s=st.sampled_from([None, 60.0, 5.0]),
    connectors=st.lists(rows, max_size=6),
    gone=st.lists(st.tuples(NAMES, st.integers(0, 4)), max_size=3),
    anomalies=st.lists(
        st.builds(
            anomaly,
            NAMES,
            number=st.integers(1, 6),
            phase=st.sampled_from(["opened", "updated", "closed"]),
            updated_s=st.integers(-5, 5),
            connector=st.integers(0, 2),
        ),
        max_size=4,
    ),
    services=st.dictionaries(
        st.sampled_from(["can", "csms", "memorybank", "broker", "\x07new"]),
        st.builds(Service, st.booleans(), NAMES),
        max_size=5,
    ),
)
told = st.tuples(st.sampled_from(["snapshot", "update", "heartbeat", "detail"]), messages)


@settings(max_examples=60)
@given(
    happened=st.lists(told | st.sampled_from(KEYS), max_size=12),
    width=st.integers(1, 200),
    height=st.integers(1, 60),
    problem=st.none() | NAMES,
)
def test_whatever_comes_and_is_typed_fits_the_screen(happened, width, height, problem) -> None:
    """Never more or wider lines than there are, nothing that moves the cursor, always one that is chosen."""
    shown, view = Picture(), View()
    for one in happened:
        if isinstance(one, str):
            view = press(view, one, listed(shown, view), 10)
        else:
            shown = take(shown, *one)
        keys = listed(shown, view)
        assert len(set(keys)) == len(keys)
        assert (selected(view, keys) is None) == (not keys)
    drawn = lines(
        shown, view, Rates(), Link(LINK.url, problem), now_s=shown.now_s + 1, width=width, height=height
    )
    assert 0 < len(drawn) <= height
    for line in drawn:
        assert line.plain.isprintable()
        assert cell_len(line.plain) <= width
    assert all(text.isprintable() for text in [*plain.table(shown), *plain.absences(shown)])


def test_a_snapshot_and_its_updates_make_the_picture() -> None:
    """New samples join the old, what is gone goes, a snapshot begins anew."""
    first = picture(row("CP-1", 10.0, ago_s=2), row("CP-2"))
    later = Message(now_s=NOW_S, connectors=[row("CP-1", 20.0)], gone=[("CP-2", 1)])
    shown = take(first, "update", later)
    assert list(shown.connectors) == [("CP-1", 1)]
    assert shown.connectors["CP-1", 1].samples == ((NOW_S - 2, 10.0), (NOW_S, 20.0))
    assert shown.messages == 2
    again = take(shown, "snapshot", Message(now_s=NOW_S + 1, span_s=60.0, connectors=[row("CP-3")]))
    assert list(again.connectors) == [("CP-3", 1)]


def test_samples_are_few_and_young() -> None:
    """What is older than the window goes, and a flood is bounded."""
    shown = picture(row("CP-1", 1.0, ago_s=59))
    shown = take(shown, "update", Message(now_s=NOW_S + 30, connectors=[row("CP-1", 2.0)]))
    assert [value for _, value in shown.connectors["CP-1", 1].samples] == [2.0]
    flood = row("CP-1")
    flood.samples.extend([NOW_S + n / 1e4, 3.0] for n in range(5000))
    shown = take(shown, "update", Message(now_s=NOW_S + 30, connectors=[flood]))
    assert len(shown.connectors["CP-1", 1].samples) == MAX_SAMPLES


def test_the_latest_word_on_an_anomaly_counts() -> None:
    shown = picture(anomalies=[anomaly(updated_s=5), anomaly(number=2)])
    assert len(open_anomalies(shown)) == 2
    shown = take(shown, "update", Message(now_s=NOW_S, anomalies=[anomaly(phase="closed", updated_s=6)]))
    assert [one.id for one in open_anomalies(shown)] == [UUID(int=2)]
    shown = take(shown, "update", Message(now_s=NOW_S, anomalies=[anomaly(updated_s=5)]))
    assert [one.id for one in open_anomalies(shown)] == [UUID(int=2)]


def test_keys_choose_search_and_sort() -> None:
    """As a person types them."""
    shown = picture(
        *(row(f"CP-{n}", float(n), status="Faulted" if n == 7 else "Charging") for n in range(1, 13))
    )
    view = View()

    def type_(*keys: str) -> tuple[str, ...]:
        nonlocal view
        for key in keys:
            view = press(view, key, listed(shown, view), 5)
        chosen = selected(view, listed(shown, view))
        return tuple(name for name, _ in listed(shown, view)), chosen[0] if chosen else ""  # type: ignore[return-value]

    assert type_()[0][:3] == ("CP-1", "CP-2", "CP-3")
    assert type_("j", "down", "k")[1] == "CP-2"
    assert type_("page down")[1] == "CP-7"
    assert type_("G", "down")[1] == "CP-12"
    assert type_("g", "up")[1] == "CP-1"
    assert type_("s")[0][0] == "CP-12"
    assert view.sort is Sort.CURRENT
    assert type_("/", *"faul")[0] == ("CP-7",)
    assert type_("q")[0] == ()  # typed, not obeyed
    assert type_("backspace", "enter")[1] == "CP-7"
    assert len(type_("escape")[0]) == 12
    assert type_("?", "j")[1] == "CP-1"
    assert type_("q")
    assert view.ended


def test_only_what_has_an_open_anomaly() -> None:
    """An anomaly of the whole station is each connector's."""
    shown = picture(
        row("CP-1"),
        row("CP-2"),
        row("CP-3"),
        anomalies=[anomaly("CP-2"), anomaly("CP-3", number=2, connector=0)],
    )
    view = press(View(), "a", listed(shown, View()), 5)
    assert [name for name, _ in listed(shown, view)] == ["CP-2", "CP-3"]


def test_the_screen_says_what_matters() -> None:
    """Identity, status, current, power, the anomaly in words, the course, and who is away."""
    shown = picture(row("CP-1", 98.4), row("CP-2", 16.0), anomalies=[anomaly()])
    shown = take(
        shown,
        "update",
        Message(
            now_s=NOW_S,
            services={
                "csms": Service(True, ""),
                "memorybank": Service(False, "The MemoryBank does not answer."),
            },
        ),
    )
    text = text_of(shown)
    for expected in (
        "98.4 A", "39.4 kW", "Charging", "warning, 2 min", "● CSMS", "✗ MemoryBank away", "60 s ago",
        "✗ The MemoryBank does not answer.", "2 charge points · 2 giving current", "1 open anomaly",
        "scenario benign-charging", "8 reversals of 95 A within 60 s\\x1b[2J",
    ):  # fmt: skip
        assert expected in text, expected
    assert away(shown) == {"memorybank": "The MemoryBank does not answer."}
    narrow = text_of(shown, width=40, height=10)
    assert "CP-1" in narrow
    assert "98.4 A" in narrow
    assert "▲" in narrow
    assert "(last known)" in text_of(
        take(shown, "update", Message(now_s=NOW_S, services={"csms": Service(False)}))
    )


def test_what_is_stale_is_not_called_present() -> None:
    old = Row(charge_point_id="CP-1", connector=1, bus="silent", present_a=12.0, stale=True)
    assert "12.0" not in text_of(picture(old))
    assert "no readings" in text_of(picture(old))


@given(st.binary(max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_keys_are_the_same_in_whatever_pieces_they_come(data: bytes, cuts: list[int]) -> None:
    """No byte is lost or held back for ever."""
    whole, rest = keys_in(data, is_all=True)
    assert rest == b""
    pieces: list[str] = []
    held = b""
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for begin, end in itertools.pairwise(edges):
        found, held = keys_in(held + data[begin:end])
        pieces += found
    found, held = keys_in(held, is_all=True)
    assert held == b""
    if data.isascii():
        assert [*pieces, *found] == whole


def test_keys_of_a_terminal() -> None:
    typed = b"j\x1b[A\x1bOB\x1b[5~\x1b[1;5C/\xc3\xa4\x7f\r\x1b[H\x03"
    expected = ["j", "up", "down", "page up", "/", "ä", "backspace", "enter", "home", "ctrl-c"]
    assert keys_in(typed) == (expected, b"")
    assert keys_in(b"\x1b") == ([], b"\x1b")
    assert keys_in(b"\x1b", is_all=True) == (["escape"], b"")
    assert keys_in(b"\xc3") == ([], b"\xc3")


@given(
    events=st.lists(
        st.tuples(
            st.sampled_from(["snapshot", "update"]), st.text(st.characters(codec="utf-8"), max_size=20)
        ),
        max_size=6,
    ),
    size=st.integers(1, 30),
)
def test_events_come_whole_from_any_pieces(events: list[tuple[str, str]], size: int) -> None:
    stream = b"".join(f"event: {kind}\ndata: {json.dumps(text)}\n\n".encode() for kind, text in events)
    sent = ServerSent()
    found = [event for at in range(0, len(stream), size) for event in sent.feed(stream[at : at + size])]
    assert [(kind, json.loads(data)) for kind, data in found] == events


@pytest.mark.parametrize(
    "data", [b"{}", b"[]", b"\xff", b'{"now_s": "x"}', b'{"now_s": 1, "connectors": [{}]}']
)
def test_nonsense_is_no_message(data: bytes) -> None:
    with pytest.raises(MalformedStream):
        decode(data)


def test_a_newer_console_is_understood() -> None:
    """Fields and parts of samples that we do not know are passed over."""
    known = {"charge_point_id": "CP-1", "connector": 1, "samples": [[NOW_S, 10.0, 32.0]], "new": 1}
    message = decode(json.dumps({"now_s": NOW_S, "connectors": [known], "newer": {}}).encode())
    shown = take(Picture(), "snapshot", message)
    assert shown.connectors["CP-1", 1].samples == ((NOW_S, 10.0),)


def test_a_course_has_a_value_where_something_was_known() -> None:
    """The highest of each column; held between readings, a gap after three that are missing."""
    samples = [(NOW_S - 59.5, 10.0), (NOW_S - 58.6, 100.0), (NOW_S - 58.5, 20.0), (NOW_S - 10, 50.0)]
    values = course(samples, NOW_S, 60.0, 60)
    assert values[:5] == [10.0, 100.0, 20.0, 20.0, 20.0]
    assert values[6:49] == [None] * 43
    assert values[49:53] == [50.0] * 4
    assert values[54:] == [None] * 6
    assert course(samples, NOW_S, 60.0, 0) == []


@given(st.lists(st.none() | st.floats(-100, 1000), max_size=50), st.integers(1, 10))
def test_a_graph_is_as_large_as_asked_and_grows_from_below(values: list[float | None], rows_: int) -> None:
    drawn = graph(values, scale_of(max([value or 0.0 for value in values], default=1.0)), rows_)
    assert [len(part) for part in drawn] == [len(values)] * rows_
    for column, value in enumerate(values):
        cells = [part[column] for part in drawn]
        assert (cells[-1] == " ") == (value is None)
        assert cells == sorted(cells, key=" ▁▂▃▄▅▆▇█".index)


@given(st.floats(allow_nan=True))
def test_a_scale_is_round_and_not_below(highest: float) -> None:
    top = scale_of(highest)
    assert top > 0
    assert math.isfinite(top)
    if 1e-9 < highest < 1e9:
        assert top >= highest * (1 - 1e-9)
        assert top <= 10 * highest


def test_a_pace_is_of_the_last_seconds() -> None:
    pace = Pace()
    assert pace.per_s is None
    for second in range(30):
        pace = counted(pace, second, 100 * min(second, 15))
    assert pace.per_s == 0.0
    pace = counted(counted(Pace(), 0, 100), 2, 300)
    assert pace.per_s == 100.0
    assert counted(pace, 3, 5).per_s is None  # it began anew


def test_people_count_two_before_ten() -> None:
    names = ["CP-10", "CP-2", "CP-1", "ü", "CP-²"]
    keys = sorted([(name, 1) for name in names], key=counting_order)
    assert [name for name, _ in keys if name.startswith("CP-")][:3] == ["CP-1", "CP-2", "CP-10"]


def test_the_plain_table_has_everything() -> None:
    shown = picture(
        row("CP-10", 98.4), row("CP-2", None, status="Faulted"), anomalies=[anomaly("CP-10", number=2)]
    )
    head, first, second, blank, summary, told_anomaly = plain.table(shown)
    assert head.split() == [
        "charge",
        "point",
        "status",
        "current",
        "power",
        "bus",
        "scenario",
        "open",
        "anomalies",
    ]
    assert first.split()[:3] == ["CP-2", "Faulted", "-"]
    assert "98.4 A  39.4 kW  live  benign-charging  critical: repeated current fluctuation" in second
    assert (blank, summary) == ("", "2 charge points, 1 open anomaly")
    assert told_anomaly.startswith("CP-10 critical for 2 min: 8 reversals")
    assert printable(told_anomaly) == told_anomaly

"""The seam to Grafana, asked over HTTP: what it returns, and what it raises when Grafana does not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from chassis import grafana_link
from chassis.grafana_address import Address
from chassis.grafana_link import (
    Answer,
    GrafanaAway,
    GrafanaError,
    GrafanaLink,
    GrafanaMalformed,
    GrafanaRefused,
    GrafanaRejected,
    Health,
)
from chassis.grafana_region import Region
from grafana_standin import DATA_SOURCE, EDITOR_TOKEN, VIEWER_TOKEN, GrafanaStandin
from real_parts import Postgres, free_port

NOW = datetime.now(UTC)
REGION = Region(1_700_000_000_000, 1_700_000_060_000, "CP-1 swings", ("chargebench", "anomaly:1", "CP/1 & 2"))


@pytest.fixture
def grafana() -> Iterator[GrafanaStandin]:
    with GrafanaStandin() as standin:
        yield standin


def asked(link: GrafanaLink, sql: str, **more: object) -> Answer:
    source = {"type": "grafana-postgresql-datasource", "uid": DATA_SOURCE}
    query = {"refId": "A", "datasource": source, "format": "table", "rawSql": sql, **more}
    return link.query([query], NOW - timedelta(minutes=5), NOW)["A"]


def test_health_is_told_to_anybody(grafana: GrafanaStandin) -> None:
    grafana.anonymous = None
    assert GrafanaLink(grafana.address).health() == Health(version="13.1.3", database="ok")
    assert grafana.authorizations == {""}


def test_a_path_before_the_api_is_kept() -> None:
    with GrafanaStandin(prefix="/behind/a/proxy") as standin:
        assert GrafanaLink(Address.parse(f"{standin.url}/")).health().database == "ok"
        assert standin.asked == ["GET /behind/a/proxy/api/health"]


def test_a_token_is_sent_as_a_bearer(grafana: GrafanaStandin) -> None:
    GrafanaLink(grafana.address, VIEWER_TOKEN).dashboard("chargebench-fleet")
    assert grafana.authorizations == {f"Bearer {VIEWER_TOKEN}"}


def test_a_dashboard_comes_with_its_content(grafana: GrafanaStandin) -> None:
    answer = GrafanaLink(grafana.address).dashboard("chargebench-fleet")
    assert answer["dashboard"] == grafana.dashboards["chargebench-fleet"]["dashboard"]
    assert answer["meta"]["provisioned"] is True


def test_what_is_not_there_is_rejected(grafana: GrafanaStandin) -> None:
    link = GrafanaLink(grafana.address)
    with pytest.raises(GrafanaRejected, match="404: Dashboard not found"):
        link.dashboard("chargebench-none")
    with pytest.raises(GrafanaRejected, match="404: Data source not found"):
        link.data_source_health("another")


def test_a_data_source_says_whether_it_works(grafana: GrafanaStandin, postgres: Postgres) -> None:
    link = GrafanaLink(grafana.address)
    with pytest.raises(GrafanaRejected, match="failed to connect"):
        link.data_source_health(DATA_SOURCE)
    grafana.database_url = postgres.grafana_url
    assert link.data_source_health(DATA_SOURCE) == "Database Connection OK"


def test_a_query_gives_frames_and_its_macros_are_the_servers(
    grafana: GrafanaStandin, postgres: Postgres
) -> None:
    grafana.database_url = postgres.grafana_url
    answer = asked(GrafanaLink(grafana.address), "SELECT $__timeFrom() AS a, 2.5 AS b, true AS c UNION ALL "
                   "SELECT 'x', NULL, false")  # fmt: skip
    assert answer.error is None
    assert [(one["name"], one["type"]) for one in answer.fields] == [
        ("a", "string"),
        ("b", "number"),
        ("c", "boolean"),
    ]
    assert answer.frames[0]["data"]["values"][1:] == [[2.5, None], [True, False]]
    assert answer.rows == 2


def test_a_query_without_rows_gives_a_frame_without_fields(
    grafana: GrafanaStandin, postgres: Postgres
) -> None:
    grafana.database_url = postgres.grafana_url
    answer = asked(GrafanaLink(grafana.address), "SELECT 1 AS a WHERE false")
    assert (answer.rows, answer.fields, answer.error) == (0, [], None)


def test_of_two_queries_one_may_fail(grafana: GrafanaStandin, postgres: Postgres) -> None:
    """Grafana answers 400 to both; the answer of the other one is there all the same."""
    grafana.database_url = postgres.grafana_url
    source = {"uid": DATA_SOURCE}
    queries = [
        {"refId": ref, "datasource": source, "format": "table", "rawSql": sql}
        for ref, sql in (("A", "SELECT 1 AS one"), ("B", "SELECT no_such_column"))
    ]
    answers = GrafanaLink(grafana.address).query(queries, NOW, NOW)
    assert answers["A"].rows == 1
    assert "no_such_column" in (answers["B"].error or "")


def test_an_annotation_is_found_by_its_tag_and_changed(grafana: GrafanaStandin) -> None:
    link = GrafanaLink(grafana.address, EDITOR_TOKEN)
    link.add_annotation(REGION)
    link.add_annotation(Region(1, 2, "another", ("chargebench", "anomaly:2")))
    (found,) = link.annotations("anomaly:1")
    assert (found["time"], found["timeEnd"], found["text"]) == (REGION.start_ms, REGION.end_ms, REGION.text)
    assert found["tags"] == list(REGION.tags)
    assert (found["dashboardId"], found["panelId"]) == (0, 0)
    link.change_annotation(found["id"], Region(REGION.start_ms, REGION.end_ms + 1, "over", ("anomaly:1",)))
    (changed,) = link.annotations("anomaly:1")
    assert (changed["id"], changed["timeEnd"], changed["text"]) == (found["id"], REGION.end_ms + 1, "over")


def test_a_tag_with_anything_in_it_is_found(grafana: GrafanaStandin) -> None:
    link = GrafanaLink(grafana.address, EDITOR_TOKEN)
    link.add_annotation(REGION)
    assert len(link.annotations("CP/1 & 2")) == 1


def test_who_may_only_look_may_not_annotate(grafana: GrafanaStandin) -> None:
    with pytest.raises(GrafanaRefused, match="403"):
        GrafanaLink(grafana.address, VIEWER_TOKEN).add_annotation(REGION)


def test_an_unknown_token_is_refused_and_not_repeated(grafana: GrafanaStandin) -> None:
    with pytest.raises(GrafanaRefused, match="401") as refused:
        GrafanaLink(grafana.address, "glsa_unknown").dashboard("chargebench-fleet")
    assert "glsa_unknown" not in str(refused.value)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "schlüssel"])
def test_a_token_that_cannot_stand_in_a_header_is_not_quoted(token: str) -> None:
    with pytest.raises(ValueError, match="single word") as wrong:
        GrafanaLink(Address("http", "127.0.0.1", 1, ""), token)
    assert token not in str(wrong.value)


def test_nobody_there_is_away() -> None:
    address = Address("http", "127.0.0.1", free_port(), "")
    with pytest.raises(GrafanaAway, match=f"^{address}: Connection refused$"):
        GrafanaLink(address).health()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_one_that_cannot_now_is_away(grafana: GrafanaStandin, status: int) -> None:
    grafana.failing = status
    with pytest.raises(GrafanaAway, match=f"status {status}: as the test wishes"):
        GrafanaLink(grafana.address).health()


def test_one_that_does_not_answer_in_time_is_away(grafana: GrafanaStandin) -> None:
    grafana.slow_s = 30
    with pytest.raises(GrafanaAway, match=r"no answer within 0\.2 s"):
        GrafanaLink(grafana.address, deadline_s=0.2).health()


def test_an_answer_that_never_ends_is_given_up(grafana: GrafanaStandin) -> None:
    """Each wait on the socket is short; the whole is bounded all the same."""
    grafana.endless = True
    with pytest.raises(GrafanaAway, match=r"no answer within 0\.3 s"):
        GrafanaLink(grafana.address, deadline_s=0.3).health()


def test_an_answer_without_bound_is_given_up(
    grafana: GrafanaStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grafana_link, "_MOST_BYTES", 1000)
    with pytest.raises(GrafanaAway, match="more than 1000 bytes"):
        GrafanaLink(grafana.address).dashboard("chargebench-fleet")


@pytest.mark.parametrize(
    ("status", "page"),
    [
        (0, b"<html>welcome</html>"),
        (404, b"<html>no message here</html>"),
        (0, b"[]"),
        (0, b'{"version": 13}'),
        (0, b'{"version": "13.1.3"'),
    ],
)
def test_something_else_at_its_address_is_said(grafana: GrafanaStandin, status: int, page: bytes) -> None:
    grafana.failing, grafana.page = status, page
    with pytest.raises(GrafanaError) as error:
        GrafanaLink(grafana.address).health()
    assert isinstance(error.value, GrafanaMalformed)


def test_another_address_is_not_followed(grafana: GrafanaStandin) -> None:
    """After a redirection a POST would arrive as a GET, elsewhere, without its body."""
    grafana.moved_to = "http://127.0.0.1:1/"
    with pytest.raises(GrafanaMalformed, match="sends elsewhere"):
        GrafanaLink(grafana.address).health()


def test_no_proxy_stands_before_this_machine(
    grafana: GrafanaStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert GrafanaLink(grafana.address).health().database == "ok"


def test_it_is_back_when_it_is_back(grafana: GrafanaStandin) -> None:
    link = GrafanaLink(grafana.address)
    link.health()
    grafana.stop()
    with pytest.raises(GrafanaAway):
        link.health()
    grafana.start()
    assert link.health().database == "ok"

"""Fields, windows, replies and paths: docs/vendors/scaleengine.md#1, #3, #4, #5, #6."""

from __future__ import annotations

import socket
from contextlib import closing
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from airtally.kit.clock import MovableClock
from fixtures.native import Native
from fixtures.opened import Opened
from fixtures.viewers import (
    PILOT,
    SECRET,
    Client,
    accepted,
    checked,
    failure,
    import_key,
    php,
    request,
    sample,
    shown,
    signature,
    signed,
)

PILOT_ROW = [f"{PILOT} 2026-11-22 08:11:00 20/10/30/60"]
CAFE_ROW = "café_1 2026-11-21 22:10:00 12/12/12/12"
LOW = "mystream_360p 2026-11-22 09:00:00 2/2/2/2"
HIGH = ["mystream_720p 2026-11-22 09:00:00 5/4/5/9", "mystream_720p 2026-11-22 09:01:00 6/6/6/6"]
ALL_OF_A_DAY = [CAFE_ROW, *PILOT_ROW, LOW, *HIGH]

EMPTY = {"message": "No viewers found", "status": "failure", "data": []}
TODAY_8 = "2026-11-22 08:00:00"


def missing(names: str) -> dict[str, str]:
    return failure("0006", f"One or more required fields are missing: {names}")


def invalid(name: str) -> dict[str, str]:
    return failure("0006", f"Invalid value for field: {name}")


def test_row_15_no_app_no_graph(client: Client) -> None:
    assert client.ask(app=None, graph=None) == missing("app, graph")
    assert client.ask(graph=None) == missing("graph")
    assert client.ask(app="", graph="") == missing("app, graph")


@pytest.mark.parametrize("app", [[], {}, "", None])
def test_row_16_no_app(client: Client, app: object) -> None:
    assert client.ask(app=app) == missing("app")


@pytest.mark.parametrize("graph", [5, 0, 1.5, "x", -1, True, [1], 10**30, "1.0", " 1"])
def test_row_17_a_graph_that_is_none(client: Client, graph: object) -> None:
    assert client.ask(graph=graph) == invalid("graph")


def test_row_18_graph_as_text(client: Client) -> None:
    assert client.rows(graph="1", url=PILOT, starttime=TODAY_8) == PILOT_ROW


def test_row_19_an_app_by_its_number(client: Client) -> None:
    reply = client.ask(app=76, starttime=TODAY_8)
    assert [row["app"] for row in reply["data"]] == ["acme-vod"]
    assert shown(reply) == PILOT_ROW


def test_row_20_two_apps_in_order(client: Client) -> None:
    assert client.rows(app=["acme-vod", "acme-origin"], graph=2) == ALL_OF_A_DAY


def test_row_21_a_wildcard(client: Client) -> None:
    assert client.rows(app="acme-origin", url="mystream_*") == [LOW, *HIGH]


def test_row_22_a_pipe(client: Client) -> None:
    assert client.rows(app="acme-origin", url="mystream_360p|news") == [LOW]


def test_row_23_hours(client: Client) -> None:
    rows = client.rows(app="acme-origin", graph=3, url=["mystream_720p"])
    assert rows == ["mystream_720p 2026-11-22 09:00:00 5/4/6/15"]


def test_row_24_minutes_that_expired(client: Client) -> None:
    rows = client.rows(app="acme-origin", url="news", starttime="2026-11-02 12:00:00")
    assert rows == ["news 2026-11-02 12:00:00 5/3/7/10"]


def test_row_25_days_only(client: Client) -> None:
    rows = client.rows(app="acme-origin", graph=3, url="old", starttime="2026-09-20")
    assert rows == ["old 2026-09-22 00:00:00 8/8/8/8"]


def test_row_26_starttime_as_a_number(client: Client) -> None:
    assert client.rows(app=76, starttime=1_795_334_400) == PILOT_ROW


@pytest.mark.parametrize(
    "starttime",
    [
        *(
            "soon",
            "2026-11-22 8:00",
            "2026-13-01",
            "2026-02-30",
            "2026-11-22 25:00",
            "2026-11-22 08:00:00 ",
            "0000-00-00",
        ),
        *(
            " 2026-11-22",
            "2026-11-22T08:00:00+24:00",
            "\u0662\u0660\u0662\u0666-11-22",
            "2026-11-22 08",
            "99999999999999",
            "253402300800",
        ),
        *(-1, 1.5, True, [TODAY_8], {"a": 1}, 10**30, "2026-11-22 08:00:00.5"),
    ],
)
def test_row_27_a_starttime_that_is_none(client: Client, starttime: object) -> None:
    assert client.ask(starttime=starttime) == invalid("starttime")


def test_row_28_a_starttime_to_come(client: Client) -> None:
    assert client.ask(starttime="2027-01-01 00:00:00") == EMPTY


@pytest.mark.parametrize("app", ["other-origin", 90, "90", "nosuch", -1, 10**30, ["other-origin", 90], [""]])
def test_row_29_apps_of_others_and_of_nobody(client: Client, app: object) -> None:
    assert client.ask(app=app, graph=2) == EMPTY


def test_row_34_a_list_that_became_an_object(client: Client) -> None:
    assert client.rows(app={"0": "acme-vod", "2": "acme-origin"}, graph=2) == ALL_OF_A_DAY


@pytest.mark.parametrize("path", ["/stable", "/dev/", "/dev", "/stable/"])
def test_row_35_paths(client: Client, path: str) -> None:
    assert shown(client.reply(signed(request()), path=path)) == PILOT_ROW


@pytest.mark.parametrize("path", ["/stable/", "/stable", "/dev/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_row_36_other_methods(client: Client, path: str, method: str) -> None:
    answer = client.http.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert method == "HEAD" or checked(answer.json())["status"] == "failure"


@pytest.mark.parametrize("path", ["/stable/viewer.log", "/stable/x/y", "/dev/x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_paths(client: Client, path: str, method: str) -> None:
    answer = client.http.request(method, path)
    assert answer.status_code == 404
    assert checked(answer.json())["status"] == "failure"


@pytest.mark.parametrize("host", ["", "a b", "[::1", "<script>"])
def test_a_host_that_is_none_is_no_call(client: Client, host: str) -> None:
    """Nor a fault of the server, which 0004 with HTTP 200 would say."""
    answer = client.http.post("/stable/", data={"json": signed(request())}, headers={"Host": host})
    assert answer.status_code == 400
    assert checked(answer.json())["status"] == "failure"


def test_row_37_expect_100_continue(client: Client) -> None:
    body = urlencode({"json": signed(request())}).encode()
    with closing(socket.create_connection(("127.0.0.1", client.server.port), 10)) as link:
        link.sendall(
            b"POST /stable/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        interim = link.recv(1024)
        assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.sendall(body)
        answer = b"".join(iter(lambda: link.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"Found viewers"' in answer


def test_row_38_a_key_without_permission(client: Client) -> None:
    denied = "DENIEDKEYDENIEDKEYDENIEDKEYDENIE"
    assert client.ask(api_key=denied, app=None) == failure("0005", "Unauthorized Access to API")
    assert client.ask(api_key=denied, command="viewer.nope") == failure("0000", "Unrecognized API Command")


@pytest.mark.parametrize(
    ("starttime", "found"),
    [
        *((form, True) for form in ("2026-11-22", "2026-11-22 08:11", "2026-11-22T08:11:00", "2026-11-22T08:11:00Z")),
        *((form, True) for form in ("2026-11-22 03:11:00-05:00", "2026-11-22 13:56+05:45", "1795335060")),
        *(("2026-11-22 08:11:01", False), ("2026-11-22 02:11:00", False), ("2026-11-22 02:12:00", True)),
        *(("1970-01-01", False), ("0001-01-01", False), ("9999-12-31 23:59:59", False), ("0", False), (0, False)),
        *(("0001-01-01 00:00+23:59", False), ("9999-12-31 23:59-23:59", False)),
    ],
)
def test_forms_of_starttime(client: Client, starttime: object, found: bool) -> None:
    """Graph 1 from 2026-11-22 03:00 at the latest shows 08:11 only where the minutes 02:12 to 08:11 begin."""
    rows = client.rows(starttime=starttime, graph=2 if starttime == "2026-11-22" else 1)
    assert rows == (PILOT_ROW if found else [])


@pytest.mark.parametrize("starttime", [None, ""])
def test_an_absent_starttime(client: Client, starttime: object) -> None:
    assert client.rows(starttime=starttime) == PILOT_ROW


def test_a_starttime_off_a_buckets_edge(client: Client) -> None:
    """A minute must begin at or after it; the hour and the day that hold it are shown."""
    origin = {"app": "acme-origin", "url": "mystream_720p"}
    assert client.rows(starttime="2026-11-22 09:00:30", **origin) == HIGH[1:]
    hour = ["mystream_720p 2026-11-22 09:00:00 5/4/6/15"]
    assert client.rows(starttime="2026-11-22 09:30:00", graph=3, **origin) == hour
    assert client.rows(starttime="2026-11-22 10:00:00", graph=3, **origin) == []
    day = ["mystream_720p 2026-11-22 00:00:00 5/4/6/15"]
    assert client.rows(starttime="2026-11-22 09:30:00", graph=4, **origin) == day


def test_the_windows_without_starttime(client: Client, at: MovableClock) -> None:
    """L / B buckets, the running one included."""
    minute = 1_795_335_060
    for graph, length, begins in ((1, 6 * 3600, minute), (2, 86_400, minute), (3, 7 * 86_400, minute // 3600 * 3600)):
        at.advance(begins + length - 1 - at.now_us() / 1_000_000)
        assert len(client.rows(graph=graph, timestamp=begins + length)) == 1, graph
        at.advance(1)
        assert client.rows(graph=graph, timestamp=begins + length) == [], graph


def test_days_of_a_month(client: Client, at: MovableClock) -> None:
    def rows(on: str) -> list[str]:
        moment = datetime.fromisoformat(on).replace(tzinfo=UTC).timestamp()
        at.advance(moment - at.now_us() / 1_000_000)
        return client.rows(graph=4, timestamp=int(moment))

    day = [f"{PILOT} 2026-11-22 00:00:00 20/10/30/60"]
    assert rows("2026-11-22 23:59:59") == rows("2026-12-21 23:59:59") == day
    assert rows("2026-12-22 00:00:00") == []


def test_less_detail_with_age(client: Client, at: MovableClock) -> None:
    """Minutes for 15 days and hours for 45, by the age of the start."""
    origin = {"app": "acme-origin", "url": "news", "starttime": "2026-11-02 12:00:00"}
    begin = datetime(2026, 11, 2, 12, tzinfo=UTC).timestamp()

    def times(days: int, seconds: int) -> list[str]:
        now = begin + days * 86_400 + seconds
        at.advance(now - at.now_us() / 1_000_000)
        return [row.split(" ", 1)[1] for row in client.rows(timestamp=int(now), **origin)]

    minutes = ["2026-11-02 12:05:00 3/3/3/3", "2026-11-02 12:06:00 7/7/7/7"]
    assert times(15, 0) == minutes
    assert times(15, 1) == times(45, 0) == ["2026-11-02 12:00:00 5/3/7/10"]
    assert times(45, 1) == ["2026-11-02 00:00:00 5/3/7/10"]


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ("e1", "10/10/10/10"),
        (["e1", "e2"], "20/10/30/40"),
        ({"0": "e2", "3": "e3"}, "25/20/30/50"),
        (["e2", "e2"], "30/30/30/30"),
        *((every, "20/10/30/60") for every in ("", [], {}, None)),
    ],
)
def test_servers(client: Client, servers: object, expected: str) -> None:
    assert client.rows(server=servers) == [f"{PILOT} 2026-11-22 08:11:00 {expected}"]


def test_servers_that_are_none(client: Client) -> None:
    assert client.ask(server="e9") == EMPTY
    assert client.ask(server="e*") == EMPTY
    for wrong in (7, ["e1", 7], True, [["e1"]]):
        assert client.ask(server=wrong) == invalid("server")


def test_hours_of_chosen_servers(client: Client) -> None:
    origin = {"app": "acme-origin", "graph": 3, "url": "mystream_720p"}
    assert client.rows(server="e1", **origin) == ["mystream_720p 2026-11-22 09:00:00 5/4/6/10"]
    assert client.rows(server="e2", **origin) == ["mystream_720p 2026-11-22 09:00:00 5/5/5/5"]


@pytest.mark.parametrize(
    ("url", "count"),
    [
        *(("*", 4), ("|*|", 4), ("", 4), ([], 4), ({}, 4), (None, 4), ("|", 4), (["news", "mystream_*p"], 3)),
        *(
            ("Mystream_*", 0),
            ("mystream", 0),
            ("mystream_?20p", 0),
            ("mystream_%", 0),
            ("mystream__20p", 0),
            ("caf*", 1),
        ),
        *((["café_1|nothing", "mystream_360p"], 2), ({"1": "caf*1", "7": "*360*"}, 2), ("**mystream***p**", 3)),
        *(("_root_", 0), ("café_1|café_1|caf*", 1), ("a\\b", 0), ("' OR 1=1 --", 0)),
    ],
)
def test_urls(client: Client, url: object, count: int) -> None:
    assert len(client.rows(app="acme-origin", graph=2, url=url)) == count


def test_a_star_matches_slashes_and_nothing(client: Client) -> None:
    for url in ("sestore1/*.mp4", f"*{PILOT}", f"{PILOT}*", "s*e*1/a*", "*"):
        assert client.rows(url=url) == PILOT_ROW, url


@pytest.mark.parametrize("name", ["app", "url"])
def test_values_of_a_wrong_type(client: Client, name: str) -> None:
    for wrong in (True, False, 1.5, [["x"]], [None], [{"a": "b"}], [True]):
        assert client.ask(**{name: wrong}) == invalid(name), wrong
    if name == "url":
        assert client.ask(url=7) == client.ask(url=["x", 7]) == invalid("url")


def test_digits_are_a_number_where_no_app_has_that_name(client: Client) -> None:
    assert client.rows(app="76") == PILOT_ROW
    assert client.rows(app=["76", 76, "acme-vod"]) == PILOT_ROW
    assert client.rows(app="077", graph=2)[0] == CAFE_ROW


def test_digits_are_a_name_first(client: Client, opened: Opened) -> None:
    """Whether the app of that name was declared or has samples only."""
    native = opened(Native(client.server, "digits"))
    key = "DIGITSKEYDIGITSKEYDIGITSKEYDIGIT"
    import_key(client.server, native, 4300, key, SECRET)
    apps = [{"app": "first", "app_id": 11}, {"app": "second", "app_id": 12}, {"app": "12"}]
    accepted(native, "viewer_apps", apps)
    for app in ("first", "second", "11", "12"):
        accepted(native, "viewer_samples", sample(app, f"of {app}", "2026-11-22T09:00", e1=1))

    def urls(app: object) -> list[str]:
        return [row["video_url"] for row in client.ask(api_key=key, cdn=4300, app=app)["data"]]

    assert urls("11") == ["of 11"]
    assert urls("12") == ["of 12"]
    assert urls(11) == ["of first"]
    assert urls([11, "12", 12]) == ["of 12", "of first", "of second"]


def test_unknown_members_are_ignored(client: Client) -> None:
    assert client.rows(note={"deep": [1, {"x": None}]}, output="xml", debug=1) == PILOT_ROW


def test_of_two_members_with_one_name_the_last_counts(client: Client) -> None:
    text = php(request(app="nosuch"))[:-1] + b',"app":"acme-vod"}'
    sent = text[:-1] + b',"signature":"%b"}' % signature(text).encode()
    assert shown(client.reply(sent)) == PILOT_ROW


def test_headers_tell_how_good_an_answer_is(client: Client) -> None:
    headers = client.post(signed(request())).headers
    assert headers["airtally-timezone"] == "UTC"
    assert headers["airtally-data-through"] <= headers["airtally-generated-at"] == "2026-11-22T09:30:00.000000Z"
    assert headers["content-type"] == "application/json; charset=utf-8"

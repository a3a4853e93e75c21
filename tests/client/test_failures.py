"""A server that is slow, full, cut off or no server of ours: no row lost or doubled, and errors that say what happened.

The rows have no ids, so that a batch that was kept twice would be counted twice.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
import time

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally import AsyncClient, Client
from airtally.client import (
    AnswerTimedOut,
    BatchSize,
    ConnectionFailed,
    GarbledAnswer,
    InvalidRequest,
    RetryRules,
    ServerBusy,
    ServerFailed,
)
from airtally.kit.faults import Faults
from airtally.web.limits import Limits
from fixtures.awkward import Cut, answering, http_answer, proxy, trickling
from fixtures.sent import QUICK, Caller, plays

BRIEF = RetryRules(patience=0.3, read_patience=0.3, attempts=3, first=0.01, most=0.05)
SMALL = BatchSize(rows=300)
ACKNOWLEDGED = http_answer(200, b'{"accepted": 10, "rejected": 0, "errors": []}')


@pytest.mark.parametrize(
    "cuts",
    [
        [Cut(sent=0)] * 3,
        [Cut(sent=40), Cut(sent=9000), Cut(answered=0), Cut(answered=60), Cut(answered=190)],
        [Cut(answered=0)] * 5,
    ],
    ids=["at once", "anywhere", "before the answer"],
)
def test_cut_connections(caller, native, client_server, cuts):
    with proxy(client_server.port, list(cuts)) as through:
        result = caller.at(through.url).send("playlogs", plays(2000), size=SMALL)
    assert through.cuts == []
    assert (result.accepted, result.batches, native.count()) == (2000, 7, 2000)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.builds(Cut, sent=st.none() | st.integers(0, 30_000), answered=st.none() | st.integers(0, 260))))
def test_connections_cut_anywhere(client_server, native, cuts):
    before = native.count()
    with proxy(client_server.port, list(cuts)) as through:
        Caller("threads", through.url, native.token).send("playlogs", plays(900), size=SMALL)
    assert native.count() == before + 900


def test_an_answer_that_comes_too_late(caller, native, client_server):
    with proxy(client_server.port, [Cut(late_seconds=1.0), Cut(late_seconds=1.0)]) as through:
        result = caller.at(through.url).send("playlogs", plays(500), client={"timeout": 0.5})
    assert (result.accepted, native.count()) == (500, 500)
    assert through.connections == 3


class HeldUp(Faults):
    """Holds up the first batch in the server after its claim was made."""

    def __init__(self):
        self.writes = 0
        self.released = threading.Event()

    def reach(self, point):
        if point == "metadata.write" and threading.current_thread().name.startswith("airtally-decode"):
            self.writes += 1
            if self.writes == 2:
                self.released.wait(120)


def test_a_batch_that_is_still_under_way(form, start_server, join):
    """The first try timed out, but the server is at work on it: the next ones are told to wait (409)."""
    held = HeldUp()
    server = start_server(faults=held)
    native = join(server)
    threading.Timer(2.5, held.released.set).start()
    rows = [*plays(20), {}]
    result = Caller(form, server.url, native.token).send("playlogs", rows, client={"timeout": 1.0})
    assert (result.accepted, result.rejected, native.count()) == (20, 1, 20)


def test_a_full_server(form, start_server, join):
    """Nothing is flushed before the server has pushed back, however slowly the client sends."""
    server = start_server(buffer_max=40_000, flush_seconds=3600.0, late_flush_seconds=3600.0)
    native = join(server)
    refusals, sent = refused(native), threading.Event()

    def flush():
        while not sent.wait(0.05):
            if refused(native) > refusals:
                server.services.storage.event_store.flush()

    flushing = threading.Thread(target=flush)
    flushing.start()
    try:
        result = Caller(form, server.url, native.token).send("playlogs", plays(2500), size=BatchSize(rows=250))
    finally:
        sent.set()
        flushing.join()
    assert refused(native) > refusals, "the server pushed back"
    assert (result.accepted, native.count()) == (2500, 2500)


def refused(native):
    text = native.http.get("/metrics").text
    found = re.search(r'airtally_batches_refused_total{reason="too_many_requests",stream="playlogs"} (\S+)', text)
    return float(found[1]) if found else 0.0


def test_retry_after_is_honoured(form):
    busy = http_answer(503, b'{"status": 503, "code": "unavailable", "detail": "later"}', PROBLEM, Retry_After="1")
    with answering([busy, ACKNOWLEDGED]) as (url, requests):
        begun = time.monotonic()
        assert Caller(form, url, "t").send("playlogs", plays(10)).accepted == 10
        assert time.monotonic() - begun >= 1
    assert len(requests) == 2
    assert keys(requests) == keys(requests[:1]) * 2
    assert requests[0].partition(b"\r\n\r\n")[2] == requests[1].partition(b"\r\n\r\n")[2]


def keys(requests):
    return [re.search(rb"(?i)idempotency-key: (\S+)", each)[1] for each in requests]


PROBLEM = "application/problem+json"
GARBAGE = {
    "closes": (b"", ConnectionFailed),
    "no HTTP": (b"\x16\x03\x01\x02\x00 what is this\r\n\r\n", GarbledAnswer),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", ConnectionFailed),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", ConnectionFailed),
    "half a body": (ACKNOWLEDGED[:-9], ConnectionFailed),
    "a page": (http_answer(200, b"<html>Welcome</html>", "text/html"), GarbledAnswer),
    "nothing": (http_answer(200, b""), GarbledAnswer),
    "204": (b"HTTP/1.1 204 No\r\nConnection: close\r\n\r\n", GarbledAnswer),
    "not UTF-8": (http_answer(200, b'{"accepted": "\xff"}'), GarbledAnswer),
    "other JSON": (http_answer(200, b'{"ok": true}'), GarbledAnswer),
    "deep JSON": (http_answer(200, b"[" * 100_000), GarbledAnswer),
    "too few rows": (http_answer(200, b'{"accepted": 9, "rejected": 0, "errors": []}'), GarbledAnswer),
    "negative rows": (http_answer(200, b'{"accepted": 11, "rejected": -1, "errors": []}'), GarbledAnswer),
    "a login": (http_answer(302, b"", Location="https://login.example/"), InvalidRequest),
    "400 of a proxy": (http_answer(400, b"<h1>Bad Request</h1>", "text/html"), GarbledAnswer),
    "502 of a proxy": (http_answer(502, b"<h1>Bad Gateway</h1>", "text/html"), ServerFailed),
    "503 of a proxy": (http_answer(503, b"<h1>Sorry</h1>", "text/html"), ServerBusy),
    "a problem that is none": (http_answer(500, b"[]", PROBLEM), ServerFailed),
    "gzip that is none": (http_answer(200, b"\x1f\x8b\x08garbage", Content_Encoding="gzip"), GarbledAnswer),
    "a body without end": (http_answer(200, b"x" * 5000), GarbledAnswer),
    "a far Retry-After": (http_answer(429, b"", Retry_After="99999"), ServerBusy),
    "an odd Retry-After": (http_answer(429, b"", Retry_After="nan"), ServerBusy),
}


#: Not tried again: the server must be waited for longer than the client is patient, or is another one.
ONCE = {"a login", "a far Retry-After"}
#: Tried as often as the policy has `attempts`; others until patience ends.
FEW = {GarbledAnswer, ServerFailed}


@pytest.mark.parametrize("case", GARBAGE)
def test_answers_that_no_server_of_ours_gives(form, case):
    answer, expected = GARBAGE[case]
    with answering([answer]) as (url, requests):
        with pytest.raises(expected) as caught:
            Caller(form, url, "t").send("playlogs", plays(10), client={"retry": BRIEF, "answer_max": 4000})
        assert type(caught.value) is expected
        assert caught.value.sent.rows == 0
        assert len(str(caught.value)) < 600
        least, most = (1, 1) if case in ONCE else (3, 3) if expected in FEW else (2, 1000)
        assert least <= len(requests) <= most
        assert len(set(keys(requests))) == 1


@pytest.mark.parametrize("case", sorted(GARBAGE.keys() - ONCE))
def test_garbage_in_between_is_survived(form, case):
    with answering([GARBAGE[case][0], ACKNOWLEDGED]) as (url, requests):
        assert Caller(form, url, "t").send("playlogs", plays(10), client={"answer_max": 4000}).accepted == 10
    assert len(requests) == 2


def test_an_answer_that_trickles(form):
    """Each byte in time, the whole never: the time-out is that of the answer too."""
    with trickling() as url, pytest.raises(AnswerTimedOut, match="longer than the timeout"):
        Caller(form, url, "t").request("GET", "/x", client={"timeout": 0.5, "retry": RetryRules(read_patience=0)})


def test_no_server_at_all(form):
    with answering([b""]) as (url, _):
        pass
    with pytest.raises(ConnectionFailed) as caught:
        Caller(form, url, "t").send("playlogs", plays(1), client={"retry": BRIEF})
    assert caught.value.sent.rows == 0
    with pytest.raises(ConnectionFailed):
        Caller(form, "http://nosuch.invalid", "t").request("GET", "/", client={"retry": BRIEF})


def test_the_error_carries_all_of_the_problem(form):
    problem = {
        "title": "Gone",
        "status": 422,
        "code": "rows_gone",
        "detail": "No rows",
        "hint": "Ask",
        "questions": [1],
    }
    answer = http_answer(422, json.dumps(problem).encode(), PROBLEM)
    with answering([answer]) as (url, requests), pytest.raises(InvalidRequest) as caught:
        Caller(form, url, "t").request("GET", "/x")
    error = caught.value
    assert (error.status, error.code, error.detail, error.hint) == (422, "rows_gone", "No rows", "Ask")
    assert (error.details, error.retry_after, len(requests)) == ({"questions": [1]}, None, 1)
    assert str(error) == "422 rows_gone: No rows (Ask)"


def test_what_may_not_be_repeated_is_sent_once(form):
    failing = http_answer(503, b"{}", PROBLEM)
    for method, options, tries in (
        ("POST", {}, 1),
        ("PATCH", {}, 1),
        ("POST", {"idempotency_key": "k"}, 2),
        ("GET", {}, 2),
        ("DELETE", {}, 2),
    ):
        with answering([failing, http_answer(200, b"{}")]) as (url, requests):
            caller = Caller(form, url, "t")
            if tries == 1:
                with pytest.raises(ServerBusy):
                    caller.request(method, "/x", **options)
            else:
                assert caller.request(method, "/x", **options).json() == {}
        assert len(requests) == tries, method


def test_a_token_goes_nowhere_else(form):
    caller = Caller(form, "http://127.0.0.1:1", "t")
    for path in ("//evil.example/x", "http://evil.example/x", "x"):
        with pytest.raises(ValueError, match="begins with one slash"):
            caller.request("GET", path)


def test_what_a_client_cannot_be_made_of(form):
    for url, token in (
        ("acme.example", "t"),
        ("ftp://acme.example", "t"),
        ("http://", "t"),
        ("http://a", ""),
        ("http://a", "a\nb"),
    ):
        with pytest.raises(ValueError, match=r"URL|token"):
            Caller(form, url, token).request("GET", "/")
    with pytest.raises(ValueError, match="timeout"):
        Caller(form, "http://a", "t").request("GET", "/", client={"timeout": 0})


def test_certificates_are_checked(form, serve, tls):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})

    served = serve(app, Limits(), with_tls=True)
    caller = Caller(form, f"https://127.0.0.1:{served.port}", "t")
    with pytest.raises(ConnectionFailed, match="certificate"):
        caller.request("GET", "/x", client={"retry": BRIEF})
    for verify in (False, tls[0], str(tls[0]), ssl.create_default_context(cafile=tls[0])):
        assert caller.request("GET", "/x", client={"verify": verify}).json() == {}


def test_it_says_who_it_is(form):
    with answering([http_answer(200, b"{}")]) as (url, requests):
        Caller(form, url, "secret").request(
            "GET", "/x", query={"a": 1, "b": None, "c": True}, client={"user_agent": "mine/1"}
        )
    head = requests[0].decode()
    assert head.startswith("GET /x?a=1&c=true HTTP/1.1\r\n")
    assert re.search(r"(?m)^User-Agent: mine/1 airtally-python/\d+\.\d+\.\d+ \(Python 3", head)
    assert "Authorization: Bearer secret\r\n" in head


def test_a_closed_client_sends_nothing(client_server, native):
    client = Client(client_server.url, native.token, retry=QUICK)
    client.close()
    with pytest.raises(ConnectionFailed, match="closed"):
        client.send("playlogs", plays(1))

    async def run():
        closed = AsyncClient(client_server.url, native.token, retry=BRIEF)
        await closed.close()
        await closed.send("playlogs", plays(1))

    with pytest.raises(ConnectionFailed, match="closed"):
        asyncio.run(run())


def test_httpx_is_not_seen(form):
    """Whatever fails is an AirtallyError: programs need not know what carries the requests."""
    with pytest.raises(ConnectionFailed) as caught:
        Caller(form, "http://127.0.0.1:1", "t").request("GET", "/", client={"retry": BRIEF})
    assert not isinstance(caught.value, httpx.HTTPError)

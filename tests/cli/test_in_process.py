"""The transport beneath local commands, with applications that stream, fail and are left."""

from __future__ import annotations

import asyncio
import threading

import httpx
import pytest

from airtally.cli.in_process import InProcessTransport
from airtally.kit.departure import stopped_by_departure


@pytest.fixture
def client():
    """Of an application whose path says what it does; `made` counts the pieces that it has sent."""
    made = []

    async def application(scope, receive, send):
        body = (await receive())["body"]
        if scope["path"] == "/broken":
            raise RuntimeError("nothing was sent")
        headers = [(b"content-type", b"text/plain"), (b"x-asked", scope["query_string"])]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        if scope["path"] == "/echo":
            await send({"type": "http.response.body", "body": body, "more_body": False})
            return
        for _ in range(1000):
            made.append(1)
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
        if scope["path"] == "/cut":
            raise RuntimeError("cut off")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    with httpx.Client(transport=InProcessTransport(application), base_url="http://home") as client:
        client.made = made
        yield client


def test_body_query_and_headers_go_through(client):
    answer = client.post("/echo", content=b"\x00abc", params={"a": "b c"})
    assert (answer.status_code, answer.content, answer.headers["x-asked"]) == (201, b"\x00abc", "a=b+c")


def test_a_body_is_made_as_it_is_read(client):
    with client.stream("GET", "/long") as answer:
        pieces = answer.iter_raw()
        next(pieces)
        assert len(client.made) < 20, "the whole body would be in memory"
        assert sum(map(len, pieces)) == 999_000
    with client.stream("GET", "/long"):
        pass
    assert len(client.made) < 1020, "nobody reads it"


def test_an_application_that_fails_is_an_error_of_the_call(client):
    with pytest.raises(httpx.ReadError) as failed:
        client.get("/broken")
    assert isinstance(failed.value.__cause__, RuntimeError)
    with pytest.raises(httpx.ReadError):
        client.get("/cut")
    assert client.post("/echo", content=b"on").content == b"on"


def test_closing_ends_what_is_under_way():
    """Also what a thread works at, which an interrupted command would wait for."""
    ended = []
    stopped = threading.Event()

    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with stopped_by_departure(stopped.set):
            try:
                await asyncio.sleep(600)
            finally:
                ended.append(stopped.wait(30))

    transport = InProcessTransport(application)
    client = httpx.Client(transport=transport, base_url="http://home")
    client.send(client.build_request("GET", "/"), stream=True)
    client.close()
    assert ended == [True]
    transport.close()

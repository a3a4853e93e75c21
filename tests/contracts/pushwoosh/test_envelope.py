"""Paths, bodies and tokens: docs/vendors/pushwoosh.md#1, #2."""

from __future__ import annotations

import gzip
import json
import socket
from typing import Any

import httpx
import pytest

from airtally.accounts.keys import KeyOptions
from fixtures.push import DAY, Push, fault

MALFORMED = fault("Malformed request string", 400)


def asked(push: Push) -> bytes:
    request = {"auth": push.token, "application": push.x, "event": "CartOpen"} | DAY
    return json.dumps({"request": request}).encode()


def raw(push: Push, request: str, body: bytes, *headers: str) -> tuple[str, dict[str, Any]]:
    """The status line and the envelope of a request written by hand."""
    lines = [request, *(headers or (f"Content-Length: {len(body)}",)), "Connection: close", "", ""]
    with socket.create_connection(("127.0.0.1", push.server.port), 10) as connection:
        connection.sendall("\r\n".join(lines).encode() + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, envelope = answer.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), json.loads(envelope)


def test_row_22_applications_that_are_not_there(push: Push, other: Push) -> None:
    for code in ("ZZZZZ-00000", other.x, "", None, 7, f"{push.x} ", push.x.lower(), "\0"):
        assert push.events_of(application=code) == fault("Application not found")


def test_row_23_a_token_that_may_not_use_the_application(push: Push) -> None:
    assert push.events_of(application=push.z) == fault("Token restrictions forbid this operation", 403)


def test_row_24_tokens_that_are_not_there(push: Push) -> None:
    device = push.server.services.access.keys.create(push.account, "pushwoosh-device").credentials["auth"]
    native = push.native.token
    for method in ("getEventStatistics", "getTagStats", "getResults"):
        for token in ("nope", None, "", 7, f" {push.token}", [push.token], device, native):
            assert push.call(method, auth=token) == fault("Account not found")


def test_a_token_is_gone_when_it_is_revoked(push: Push) -> None:
    made = push.server.services.access.keys.create(push.account, "pushwoosh")
    assert push.events_of(auth=made.credentials["auth"])["status_code"] == 200
    push.server.services.access.keys.revoke(made.id)
    assert push.events_of(auth=made.credentials["auth"]) == fault("Account not found")


def test_a_token_without_a_list_may_use_every_application(push: Push) -> None:
    made = push.server.services.access.keys.create(push.account, "pushwoosh", KeyOptions())
    answer = push.events_of(auth=made.credentials["auth"], application=push.z)
    assert answer == fault("Event not found")


@pytest.mark.parametrize(
    "body",
    [
        b'{"request": {',
        b"[]",
        b'{"auth":"tok"}',
        b"",
        b"null",
        b'{"request": []}',
        b'{"request": null}',
        b'{"request": {"auth": "\xff"}}',
        b'{"request": {"auth": "\\ud800"}}',
        b"[" * 200_000,
        b"auth=tok",
    ],
)
def test_row_25_bodies_that_are_no_request(push: Push, body: bytes) -> None:
    answer = push.post("getEventStatistics", content=body)
    assert (answer.status_code, answer.json()) == (400, MALFORMED)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


def test_row_38_a_request_line_in_absolute_form(push: Push) -> None:
    status, envelope = raw(
        push,
        "POST https://cp.pushwoosh.com/json/1.3/getTagStats HTTP/1.1",
        body := json.dumps({"request": {"auth": push.token, "tag": "Topics"}}).encode(),
        "Host: cp.pushwoosh.com",
        f"Content-Length: {len(body)}",
    )
    assert (status, envelope["status_code"]) == ("HTTP/1.1 200 OK", 200)
    name = push.results(envelope["response"]["request_id"])["fileName"]
    assert name.startswith(f"{push.server.url}/files/tags/")


def test_row_39_unknown_methods_other_verbs_and_any_host(push: Push) -> None:
    answer = push.post("getNothing", json={"request": {}})
    assert (answer.status_code, answer.json()) == (200, fault("Method not found", 404))
    answer = push.http.get("/json/1.3/getResults")
    assert (answer.status_code, answer.json()) == (405, MALFORMED)
    for host in ("cp.pushwoosh.com", "go.pushwoosh.com", "api.pushwoosh.com"):
        answer = push.post("getEventStatistics", content=asked(push), headers={"Host": host})
        assert (answer.status_code, list(answer.json()["response"])) == (200, ["request_id"])


def test_names_are_exact_and_other_paths_are_no_methods(push: Push) -> None:
    for path in ("getresults", "getResults/x", "", "getResults%20"):
        answer = push.post(path, json={"request": {}})
        assert (answer.status_code, answer.json()) == (200, fault("Method not found", 404))
    for verb in ("GET", "PUT", "DELETE", "PATCH"):
        answer = push.http.request(verb, "/json/1.3/getEventStatistics")
        assert (answer.status_code, answer.json()) == (405, MALFORMED)


def test_the_body_is_judged_before_the_method(push: Push) -> None:
    assert push.post("getNothing", content=b"x").status_code == 400


def test_slashes_too_many(push: Push) -> None:
    for path in ("/json/1.3/getEventStatistics/", "/json/1.3//getEventStatistics", "//json//1.3/getEventStatistics/"):
        status, envelope = raw(
            push, f"POST {path} HTTP/1.1", body := asked(push), "Host: x", f"Content-Length: {len(body)}"
        )
        assert (status, envelope["status_code"]) == ("HTTP/1.1 200 OK", 200)


def test_any_content_type_and_none(push: Push) -> None:
    for kind in (
        "application/json",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "x",
    ):
        answer = push.post("getEventStatistics", content=asked(push), headers={"Content-Type": kind})
        assert answer.json()["status_code"] == 200, kind
    status, envelope = raw(
        push,
        "POST /json/1.3/getEventStatistics HTTP/1.1",
        body := asked(push),
        "Host: x",
        f"Content-Length: {len(body)}",
    )
    assert (status, envelope["status_code"]) == ("HTTP/1.1 200 OK", 200)


def test_chunks_newlines_and_escapes(push: Push) -> None:
    body = asked(push).replace(b"CartOpen", b"Cart\\u004fpen") + b"\n"
    answer = push.post("getEventStatistics", content=iter([body[:9], body[9:40], body[40:]]))
    assert answer.json()["status_code"] == 200


def test_unknown_keys_are_passed_over(push: Push) -> None:
    request = {"auth": push.token, "application": push.x, "event": "CartOpen", "v": "3", "userId": None} | DAY
    answer = push.post("getEventStatistics", json={"request": request, "auth": "x", "more": []})
    assert answer.json()["status_code"] == 200


def test_a_body_over_the_bound(push: Push) -> None:
    padded = asked(push)[:-2] + b', "v": "' + b"x" * (1 << 20) + b'"}}'
    for content in (padded, iter([padded[:1000], padded[1000:]])):
        answer = push.post("getEventStatistics", content=content)
        assert (answer.status_code, answer.json()) == (413, MALFORMED)
    filled = asked(push)[:-2] + b', "v": "'
    filled += b"x" * ((1 << 20) - len(filled) - 3) + b'"}}'
    assert push.post("getEventStatistics", content=filled).json()["status_code"] == 200


def test_browsers_may_ask_from_anywhere(push: Push) -> None:
    origin = {"Origin": "https://shop.example"}
    answer = push.http.options("/json/1.3/postEvent", headers=origin)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-allow-methods"] == "GET, POST, PUT, OPTIONS"
    assert "Authorization" in answer.headers["access-control-allow-headers"].split(", ")
    for body in (asked(push), b"x"):
        answer = push.post("getEventStatistics", content=body, headers=origin)
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert answer.headers["vary"] == "Origin, Accept-Encoding"
    assert push.post("getResults", content=b"x").headers["access-control-allow-origin"] == "*"


def test_gzip_only_where_it_is_offered(push: Push) -> None:
    asked_id = push.events_of(date_from="2026-03-01")["response"]["request_id"]
    rows = push.results(asked_id)
    request = {"request": {"auth": push.token, "request_id": asked_id}}
    url = f"{push.server.url}/json/1.3/getResults"
    for offered, encoding in (("gzip, deflate", "gzip"), ("identity", None)):
        with httpx.stream("POST", url, json=request, headers={"Accept-Encoding": offered}) as answer:
            body = b"".join(answer.iter_raw())
        assert answer.headers.get("content-encoding") == encoding
        assert json.loads(gzip.decompress(body) if encoding else body)["response"] == rows

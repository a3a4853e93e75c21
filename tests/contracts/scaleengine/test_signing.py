"""Forms, keys, times and signatures: docs/vendors/scaleengine.md#1, #2, #6."""

from __future__ import annotations

import json

import pytest

from airtally.kit.clock import MovableClock
from fixtures.viewers import (
    API_KEY,
    NOW,
    PILOT,
    Client,
    failure,
    js,
    php,
    python,
    request,
    shown,
    signature,
    signed,
)

NOT_AUTHORIZED = failure("0001", "CDN Authorization failed. Invalid API Key or not authorized for that account.")
BAD_TIME = failure("0002", "Timestamp outside valid range. Make sure your timestamp is in UTC not local time")
BAD_SIGNATURE = failure("0003", "Failed HMAC-SHA256 Signature. Check your Private Key")

PILOT_ROW = [f"{PILOT} 2026-11-22 08:11:00 20/10/30/60"]

#: Signed requests, as clients in several languages send them.
A = (
    rb'{"command":"viewer.log","api_key":"DEMOKEY0DEMOKEY0DEMOKEY0DEMOKEY0","timestamp":1795339805,"cdn":4242,'
    rb'"app":"acme-vod","graph":1,"url":"sestore1\/acme\/shows\/pilot.mp4","starttime":"2026-11-22 08:00:00",'
    rb'"signature":"cY8IBJXI2\/eVuXWO3nX1j8cI1Of1Xt2uZK+Zs2SJYD4="}'
)
B = (
    rb'{"api_key": "DEMOKEY0DEMOKEY0DEMOKEY0DEMOKEY0", "app": ["acme-origin", 77], "cdn": "4242", '
    rb'"command": "viewer.log", "graph": 3, "signature": "cnJhhLex8kBrpgeWt1kOTU7eeWLDdXq7H+1/PuTvYpA=", '
    rb'"timestamp": 1795339801, "url": ["caf\u00e9_*|news", "x/y.mp4"]}'
)
C = (
    '{"command":"viewer.log","api_key":"DEMOKEY0DEMOKEY0DEMOKEY0DEMOKEY0","timestamp":1795339800,"cdn":4242,'
    '"app":"acme-origin","graph":2,"url":"café/a|b*","signature":"Ao0f9pjkpUnh/Nt58lAisu1zjZnsHFAe98QdxlTam8o="}'
).encode()

#: The same members as vector A's.
LIKE_A = {"url": PILOT, "starttime": "2026-11-22 08:00:00"}


def test_row_01_vector_a_multipart(client: Client) -> None:
    assert len(A) == 265
    assert shown(client.reply(A, multipart=True)) == PILOT_ROW


def test_row_02_vector_b_urlencoded(client: Client) -> None:
    assert shown(client.reply(B)) == ["café_1 2026-11-21 22:00:00 12/12/12/12"]


def test_row_03_vector_c_urlencoded(client: Client) -> None:
    assert client.reply(C) == {"message": "No viewers found", "status": "failure", "data": []}


def test_row_04_vector_a_with_a_plain_slash_in_the_signature(client: Client) -> None:
    plain = A.replace(rb"cY8IBJXI2\/eV", b"cY8IBJXI2/eV")
    assert plain != A
    assert shown(client.reply(plain)) == PILOT_ROW


def test_row_05_vector_a_changed(client: Client) -> None:
    assert client.reply(A.replace(b"pilot", b"final")) == BAD_SIGNATURE


def test_row_06_vector_a_at_the_end_of_its_time(client: Client, at: MovableClock) -> None:
    at.advance(1_795_340_105 - NOW)
    assert shown(client.reply(A)) == PILOT_ROW
    at.advance(1)
    assert client.reply(A) == BAD_TIME


def test_row_07_vector_a_twice(client: Client) -> None:
    assert shown(client.reply(A)) == shown(client.reply(A)) == PILOT_ROW


def test_row_08_an_unknown_key(client: Client) -> None:
    assert client.ask(api_key="UNKNOWN0UNKNOWN0UNKNOWN0UNKNOWN0") == NOT_AUTHORIZED


def test_row_09_no_cdn(client: Client) -> None:
    assert client.ask(cdn=None) == NOT_AUTHORIZED


def test_row_10_another_accounts_cdn(client: Client) -> None:
    assert client.ask(cdn=5000) == NOT_AUTHORIZED


def test_row_11_cdn_id(client: Client) -> None:
    assert client.rows(cdn=None, cdn_id=4242, **LIKE_A) == PILOT_ROW
    assert client.rows(cdn_id="4242", **LIKE_A) == PILOT_ROW
    assert client.ask(cdn_id=5000, **LIKE_A) == NOT_AUTHORIZED


def test_row_12_no_signature(client: Client) -> None:
    assert client.reply(php(request())) == BAD_SIGNATURE


@pytest.mark.parametrize("timestamp", [None, 1_795_339_800_000, -NOW, True, "soon", [NOW]])
def test_row_13_a_timestamp_that_is_none(client: Client, timestamp: object) -> None:
    assert client.ask(timestamp=timestamp) == BAD_TIME


@pytest.mark.parametrize("timestamp", [str(NOW), NOW + 0.9, NOW - 300, NOW + 300])
def test_row_13_a_timestamp_as_text_or_float_or_at_the_edge(client: Client, timestamp: object) -> None:
    assert client.rows(timestamp=timestamp) == PILOT_ROW


def test_row_14_an_unknown_command(client: Client) -> None:
    unknown = failure("0000", "Unrecognized API Command")
    assert client.ask(command="viewer.nope") == unknown
    assert client.ask(command="Viewer.Log") == unknown
    assert client.ask(command=None) == unknown
    assert client.reply(signed(request(command="viewer.nope"), secret="wrong")) == BAD_SIGNATURE


def test_row_30_raw_json(client: Client) -> None:
    answer = client.http.post("/stable/", content=A, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert answer.json()["code"] == "0001"


def test_row_31_a_field_that_is_not_json(client: Client) -> None:
    assert client.reply("{oops") == NOT_AUTHORIZED


def test_row_32_two_signatures(client: Client) -> None:
    once = signed(request())
    assert client.reply(once[:-1] + b',"signature":"x"}') == BAD_SIGNATURE
    assert client.reply(b'{"sign\\u0061ture":"x",' + once[1:]) == BAD_SIGNATURE


def test_row_33_a_url_that_looks_like_a_signature(client: Client) -> None:
    assert client.rows(url='","signature":"x') == []
    assert client.rows(url='a","signature":"x\\') == []


def test_row_39_indented_and_sent_with_other_line_ends(client: Client) -> None:
    def indented(fields: object) -> bytes:
        return json.dumps(fields, indent=2, ensure_ascii=False).encode()

    text = signed(request(), indented).replace(b"\n", b"\r\n")
    assert shown(client.reply(text, multipart=True)) == PILOT_ROW


def test_row_40_signed_as_php_and_sent_as_python(client: Client) -> None:
    fields = request(url=PILOT, note="café")
    text = python({**fields, "signature": signature(php(fields))})
    assert shown(client.reply(text)) == PILOT_ROW


@pytest.mark.parametrize("sign", [php, js, python, lambda fields: json.dumps(fields, separators=(",", ":")).encode()])
def test_signed_by_one_encoder_and_sent_by_another(client: Client, sign: object) -> None:
    fields = request(url=PILOT, note="café \u2028 €")
    for encode in (php, js, python):
        text = encode({**fields, "signature": signature(sign(fields))})  # type: ignore[operator]
        assert shown(client.reply(text)) == PILOT_ROW


def test_a_signature_whose_plus_came_as_a_space_or_whose_padding_is_gone(client: Client) -> None:
    assert shown(client.reply(A.replace(b"ZK+Zs", b"ZK Zs"))) == PILOT_ROW
    assert shown(client.reply(A.replace(b'YD4="', b'YD4"'))) == PILOT_ROW


@pytest.mark.parametrize("bad", ["", "x", "AAAA", "é" * 44, "=" * 44, 7, None, ["x"]])
def test_a_signature_that_is_none(client: Client, bad: object) -> None:
    assert client.reply(php(request() | {"signature": bad})) == BAD_SIGNATURE


def test_a_signature_anywhere_among_the_members(client: Client) -> None:
    fields = request()
    sign = signature(php(fields))
    names = list(fields)
    for place in range(len(names) + 1):
        ordered = {name: fields[name] for name in names[:place]} | {"signature": sign}
        ordered |= {name: fields[name] for name in names[place:]}
        assert shown(client.reply(php(ordered))) == PILOT_ROW


def test_the_secret_is_not_read_as_hex(client: Client) -> None:
    assert (
        client.reply(
            A.replace(
                rb"cY8IBJXI2\/eVuXWO3nX1j8cI1Of1Xt2uZK+Zs2SJYD4=", b"ac2vtZutd/hJ30Nbo2e0VCQOmg5a6GkxmtkJNF/nwfc="
            )
        )
        == BAD_SIGNATURE
    )


def test_the_key_is_asked_before_the_time_and_the_time_before_the_signature(client: Client) -> None:
    assert client.reply(php(request(api_key="nobody", timestamp=None))) == NOT_AUTHORIZED
    assert client.reply(php(request(timestamp=None))) == BAD_TIME
    assert client.reply(php(request(command="viewer.nope", app=None))) == BAD_SIGNATURE
    assert API_KEY not in client.post(php(request())).text

"""Forms as they may come, the reply of PHP's serialize(), and what no honest client sends."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

import phpserialize
import pytest

from fixtures.viewers import API_KEY, PILOT, Client, checked, failure, js, php, request, shown, signature, signed

PILOT_ROW = [f"{PILOT} 2026-11-22 08:11:00 20/10/30/60"]
URLENCODED = "application/x-www-form-urlencoded"


def posted(client: Client, content: bytes, kind: str = URLENCODED) -> Any:
    answer = client.http.post("/stable/", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 200, answer.text
    return checked(answer.json())


def pair(name: str, text: bytes) -> bytes:
    return f"{name}={quote_plus(text)}".encode()


def part(name: str, text: bytes, more: str = "") -> bytes:
    return f"--xx\r\nContent-Disposition: form-data; {name}\r\n{more}\r\n".encode() + text + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--xx--\r\n"


def test_the_last_of_several_fields_counts_whatever_its_case(client: Client) -> None:
    good = signed(request())
    assert shown(posted(client, pair("json", b"{}") + b"&" + pair("Json", good))) == PILOT_ROW
    assert posted(client, pair("JSON", good) + b"&" + pair("json", b"{}"))["code"] == "0001"
    body = multipart(part('name="json"', b"{}"), part('name="JSON"', good))
    assert shown(posted(client, body, "multipart/form-data; boundary=xx")) == PILOT_ROW


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ('name="json"', ""),
        ("name=json", ""),
        ('name="json"; filename="r.json"', "Content-Type: application/json\r\n"),
        ('filename="a;b.json"; name="json"', "Content-Type: text/plain; charset=iso-8859-1\r\n"),
    ],
)
@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=xx", 'Multipart/Form-Data; charset=utf-8; boundary="xx"']
)
def test_parts_of_every_look(client: Client, name: str, more: str, kind: str) -> None:
    body = multipart(part('name="other"', b"\r\n--x"), part(name, signed(request()), more))
    assert shown(posted(client, body, kind)) == PILOT_ROW


def test_the_bytes_of_a_part_are_not_touched(client: Client) -> None:
    """Line ends, spaces around and a look-alike of the boundary are signed too."""
    plain = b" \r\n\t" + js(request(note="--xx é"))[:-1] + b"\r\r\n--x }\n ".replace(b"--x", b"")
    text = plain.replace(b"}\n ", b',"signature":"%b"}\n ' % signature(plain).encode())
    cut = plain.replace(b"\r\r\n }", b" }")
    assert cut != plain
    body = multipart(part('name="other"', b"--xx-\r\n-"), part('name="json"', text))
    assert (
        posted(client, body, "multipart/form-data; boundary=xx")["code"] == "0003"
    )  # white space before the member goes
    text = js(request())[:-1] + b' \r\n ,"signature" : "%b" \r\n } \n'
    whole = js(request())[:-1] + b" \r\n } \n"
    body = multipart(part('name="json"', text % signature(whole).encode()))
    assert shown(posted(client, body, "multipart/form-data; boundary=xx")) == PILOT_ROW


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", URLENCODED),
        (b"", "multipart/form-data"),
        (b"--xx", "multipart/form-data; boundary=xx"),
        (b'--xx\r\nContent-Disposition: form-data; name="json"\r\n\r\n{}', "multipart/form-data; boundary=xx"),
        (b"--xx\r\nX: y\r\n\r\n{}\r\n--xx--", "multipart/form-data; boundary=xx"),
        (b"--xx--", 'multipart/form-data; boundary=""'),
        (b"\xff" * 100, "multipart/form-data; boundary=\xff".encode("latin-1").decode("latin-1")),
        (b"&&&=&json", URLENCODED),
        (b"json=%zz%", URLENCODED),
        (b"json=%00", URLENCODED),
        (b"{}", "text/plain"),
        (b"json={}", ""),
        (b"other={}", URLENCODED),
        (b"php=O:8:%22stdClass%22:0:{}", "text/plain"),
    ],
)
def test_bodies_that_are_no_form(client: Client, content: bytes, kind: str) -> None:
    answer = client.http.post("/stable/", content=content, headers={"Content-Type": kind.encode("latin-1")})
    assert answer.status_code == 200
    assert answer.json()["code"] == "0001"


def nested(levels: int) -> bytes:
    return php(request())[:-1] + b',"deep":' + b"[" * levels + b"]" * levels + b"}"


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"null", b"[]", b'"x"', b"7", b"true", b"{}", b"{}x", b"{,}", b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00"),
        *(b"[" * 500_000, b'{"a":' * 100_000, nested(16), nested(5000), b'{"a":NaN}', b'{"a":1e999}', b"{'a':1}"),
        *(
            b'{"a":%s}' % (b"9" * 100_000),
            b'{"api_key":"\xff"}',
            b'{"api_key":"\\ud800"}',
            b'{"api_key":"\xed\xa0\x80"}',
        ),
        *(
            b'{"api_key":"\\u0000","cdn":4242}',
            b'{"api_key":"","cdn":4242}',
            b'{"api_key":["x"],"cdn":4242}',
            b'{"a":"',
        ),
        *(b'{"api_key":"%s","cdn":4242}' % (b"x" * 900_000), b'{"api_key":"' + API_KEY.encode() + b'","cdn":1e3}'),
        *(
            b'{"api_key":"' + API_KEY.encode() + b'","cdn":' + cdn + b"}"
            for cdn in (b"true", b'"4242 "', b"[4242]", b"4242.0")
        ),
    ],
    ids=lambda text: repr(text[:24]),
)
def test_texts_that_name_nobody(client: Client, text: bytes) -> None:
    body = multipart(part('name="json"', text))
    assert posted(client, body, "multipart/form-data; boundary=xx")["code"] == "0001"


def test_sixteen_levels_are_read(client: Client) -> None:
    assert posted(client, pair("json", nested(15)))["code"] == "0003"


def test_unsigned_json_with_other_names(client: Client) -> None:
    body = b'{"publicKey": "x", "cdnId": 4242, "cmd": "viewer.log"}'
    assert posted(client, body, "application/json")["code"] == "0001"


def test_bodies_up_to_a_mebibyte(client: Client) -> None:
    text = signed(request())
    filler = b"&filler="
    room = (1 << 20) - len(pair("json", text)) - len(filler)
    assert shown(posted(client, pair("json", text) + filler + b"x" * room)) == PILOT_ROW
    answer = client.http.post(
        "/stable/", content=pair("json", text) + filler + b"x" * (room + 1), headers={"Content-Type": URLENCODED}
    )
    assert answer.status_code == 413
    assert checked(answer.json())["status"] == "failure"

    def chunks() -> Any:
        yield from (b"x" * 65_536 for _ in range(17))

    assert client.http.post("/stable/", content=chunks(), headers={"Content-Type": URLENCODED}).status_code == 413


def test_a_signed_mebibyte(client: Client) -> None:
    """The tokenizer's worst: a list of many values, a text of many escapes."""
    for note in ([0] * 400_000, '"\\' * 200_000):
        assert shown(client.reply(signed(request(note=note)), multipart=True)) == PILOT_ROW


def test_names_that_cannot_be(client: Client) -> None:
    for odd in ("\0", "a\0b", "\x01\x1f\x7f", "x" * 100_000, "\U0001f600", "'; DROP TABLE x; --", "%", "_"):
        assert client.rows(app=odd) == [], odd
        assert client.rows(url=odd) == [], odd
        assert client.rows(url=f"*{odd}*{odd}*") == [], odd
        assert client.rows(server=odd) == [], odd


def test_many_names(client: Client) -> None:
    many = [f"n{number}" for number in range(50_000)]
    assert client.rows(app=[*many, "acme-vod"]) == PILOT_ROW
    assert client.rows(url="|".join([*many, PILOT])) == PILOT_ROW
    assert client.rows(server=[*many[:1000], "e1", "e2", "e3"]) == PILOT_ROW
    patterns = [f"n{number}*" for number in range(199)]
    assert client.rows(url=[*patterns, "sestore1/*"]) == PILOT_ROW
    assert client.ask(url=[*patterns, "a*", "b*"]) == failure("0006", "Invalid value for field: url")


def test_a_pattern_of_many_stars_ends(client: Client) -> None:
    assert client.rows(url="*" + "s*" * 300 + "x") == []
    assert client.rows(url="s*e*s*t*o*r*e*1*p*i*l*o*t*.mp4") == PILOT_ROW
    assert client.rows(url="s*" + "x" * 500_000) == []


def serialized(client: Client, text: bytes, field: str = "php") -> tuple[Any, bytes]:
    answer = client.post(text, field=field)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return phpserialize.loads(answer.content, decode_strings=True), answer.content


def test_the_php_reply_is_the_same_array(client: Client) -> None:
    fields = request(app=["acme-vod", "acme-origin"], graph=2)
    found, content = serialized(client, signed(fields))
    plain = client.reply(signed(fields))
    seconds = found.pop("handle_time")
    found["data"] = list(found["data"].values())
    assert found == plain
    assert len(found["data"]) == 5
    again = {**found, "data": dict(enumerate(found["data"])), "handle_time": seconds}
    assert phpserialize.dumps(again) == content


@pytest.mark.parametrize("field", ["php", "PHP", "Php"])
def test_the_php_reply_that_nobody_was_found(client: Client, field: str) -> None:
    found, content = serialized(client, signed(request(app="nosuch")), field)
    assert found.pop("handle_time").endswith(" seconds")
    assert found == {"message": "No viewers found", "status": "failure", "data": {}}
    assert b's:4:"data";a:0:{}' in content


def test_php_failures(client: Client) -> None:
    found, content = serialized(client, signed(request(command="x")))
    expected = b'a:4:{s:7:"message";s:24:"Unrecognized API Command";s:6:"status";s:7:"failure";s:4:"code";s:4:"0000";'
    assert content.startswith(expected + b's:11:"handle_time";s:14:"')
    assert list(found) == ["message", "status", "code", "handle_time"]
    for hostile in (b'O:8:"stdClass":0:{}', phpserialize.dumps(request()), b'a:1:{i:0;O:3:"PDO":0:{}}', b""):
        assert serialized(client, hostile)[0]["code"] == "0001"


def test_json_wins_over_php(client: Client) -> None:
    text = signed(request())
    assert shown(posted(client, pair("php", b"x") + b"&" + pair("json", text))) == PILOT_ROW
    assert posted(client, pair("json", b"x") + b"&" + pair("php", text))["code"] == "0001"


def test_every_encoder_can_name_the_file_with_an_accent(client: Client) -> None:
    for encode in (php, js):
        reply = client.ask(encode, app="acme-origin", graph=2, url="café_1")
        assert [row["video_url"] for row in reply["data"]] == ["café_1"]

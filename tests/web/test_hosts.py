"""The header `Host`: one, and of a host; and the other headers that may come once."""

from __future__ import annotations

import pytest

from airtally.kit.errors import BadRequest
from airtally.web.hosts import check_host, check_single

GOOD = ("x", "reports.example.com", "a_b-c.example:8080", "127.0.0.1:80", "[::1]:9000", "[2001:db8::7]", "example.com:")
BAD = (
    *(
        "",
        " ",
        "a b",
        "a/b",
        "a@b",
        "a?b",
        "a#b",
        "http://a",
        "a:b",
        "a:99999",
        "a:1:2",
        "[::1",
        "::1",
        "[zz]",
        "[1:2]",
    ),
    *("é.example", "a\\b", "a,b", "<script>", "a'b", "%00", "a" * 256),
)


@pytest.mark.parametrize("host", GOOD)
def test_a_host_is_taken(host: str) -> None:
    check_host([(b"host", host.encode())], "1.1")


@pytest.mark.parametrize("host", BAD)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(BadRequest):
        check_host([(b"host", host.encode("latin-1"))], "1.1")


def test_there_is_one_host_and_in_http_1_0_none_is_needed() -> None:
    check_host([], "1.0")
    with pytest.raises(BadRequest):
        check_host([], "1.1")
    with pytest.raises(BadRequest):
        check_host([(b"host", b"a"), (b"host", b"a")], "1.1")


@pytest.mark.parametrize("name", [b"authorization", b"airtally-account", b"idempotency-key", b"content-type"])
def test_what_decides_who_calls_comes_once(name: bytes) -> None:
    """A proxy in front may look at the first and the server at the last, or the other way round."""
    check_single([(name, b"a"), (b"accept", b"a"), (b"accept", b"b")])
    with pytest.raises(BadRequest, match="only one"):
        check_single([(name, b"a"), (b"accept", b"a"), (name, b"a")])

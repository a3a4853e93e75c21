"""What may be wrong with a request of any API: its method, its headers, its bytes."""

from __future__ import annotations

from fuzz.case import Case
from fuzz.chance import Chance
from fuzz.wire import DAMAGES

_METHODS = (
    b"GET",
    b"POST",
    b"HEAD",
    b"OPTIONS",
    b"PUT",
    b"DELETE",
    b"PATCH",
    b"TRACE",
    b"CONNECT",
    b"QUERY",
    b"PROPFIND",
)
_HEADERS = (
    (b"Accept", b"text/html"), (b"Accept", b"*/*;q=abc"), (b"Accept", b"application/json;q=0.1,text/html;q=1.000000"), (b"Accept", b"," * 4000),
    (b"Accept-Encoding", b"gzip"), (b"Accept-Encoding", b"gzip;q=x, *;q=0"), (b"Content-Encoding", b"gzip"), (b"Content-Encoding", b"br"),
    (b"Content-Type", b""), (b"Content-Type", b"\xff/\xfe"), (b"Content-Type", b"application/json; charset=utf-16"), (b"Content-Type", b"x" * 3000),
    (b"Origin", b"https://example.com"), (b"Origin", b"null\xff"), (b"X-Forwarded-For", b"1.2.3.4, \xff"), (b"X-Forwarded-Proto", b"https"),
    (b"Forwarded", b'for="[::1]:x"'), (b"Cookie", b"airtally_session=\xff"), (b"Cookie", b"a=b; " * 500), (b"Idempotency-Key", b"\xff\xfe"),
    (b"Range", b"bytes=0-"), (b"If-None-Match", b"*"), (b"Content-Range", b"bytes 0-1/2"), (b"X-HTTP-Method-Override", b"DELETE"),
    (b"Authorization", b"Basic"), (b"Authorization", b"Bearer \xff"), (b"Authorization", b"Digest x"), (b"Date", b"yesterday"), (b"TE", b"trailers"),
    (b"Access-Control-Request-Method", b"POST"), (b"Access-Control-Request-Headers", b"x, \xff"), (b"Content-Length-X", b"1"), (b"Traceparent", b"00-x"),
)  # fmt: skip
_PATHS = (
    b"/", b"//", b"/%", b"/%ff", b"/\xff", b"/.", b"/..", b"/../../etc/passwd", b"/%2e%2e/%2e%2e/etc/passwd", b"*", b"/api", b"/api/v1/", b"/v1/", b"/v1/reports/%00",
    b"/apis/v2/accounts/%ff", b"/v1/ad_groups/%ff/insights", b"/files/", b"/files/%00?X-Amz-Signature=x", b"/files/tags/..%2f", b"/json/1.3/%ff", b"/stable/%0a",
    b"/api/v1/streams/%ff/events", b"/a" * 900, b"/?" + b"a=b&" * 1500, b"/acme/1-0000000000000.gz", b"/admin/", b"/v1/players/%D9%A1", b"/v1/reports/" + b"9" * 4000,
)  # fmt: skip


def spoil(chance: Chance, case: Case) -> Case:
    """One request in five is changed in its method, path or headers, one in ten in its bytes."""
    kind = chance.randrange(25)
    if kind == 0:
        case.method = chance.choice(_METHODS)
    elif kind == 1:
        case.target = chance.choice(_PATHS)
    elif kind < 5:
        case.headers = [*case.headers, chance.choice(_HEADERS)]
    elif kind == 5 and case.headers:
        at = chance.randrange(len(case.headers))
        case.headers = [*case.headers[:at], *case.headers[at + 1 :], *([case.headers[at]] * chance.of(0, 2))]
    if chance.one_in(10):
        case.damage = chance.choice(DAMAGES), chance.randrange(10**6)
    return case

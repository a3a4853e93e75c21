"""A case as bytes on a connection, and what can be wrong with these bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fuzz.case import Case, Headers
from fuzz.chance import Chance

_END = b"\r\n"


@dataclass(frozen=True)
class Sent:
    """`pieces` go out one after the other. `complete`: a whole request of HTTP, so that an answer must come."""

    pieces: tuple[bytes, ...]
    complete: bool = True


@dataclass
class _Message:
    line: bytes
    headers: Headers
    body: bytes

    def bytes(self, end: bytes = _END) -> bytes:
        return end.join([self.line, *(name + b": " + value for name, value in self.headers), b"", b""]) + self.body


def rendered(case: Case, host: bytes) -> Sent:
    message = _Message(b"%s %s HTTP/1.1" % (case.method, case.target or b"/"), _headers(case, host), case.body)
    if case.damage is None:
        return Sent((message.bytes(),), complete=_is_http(case))
    kind, seed = case.damage
    return _DAMAGES[kind](Chance("wire", kind, seed), message)


def _headers(case: Case, host: bytes) -> Headers:
    size = b"%d" % len(case.body)
    return [
        (b"Host", host),
        *case.headers,
        *([(b"Content-Length", size)] if case.body or case.method == b"POST" else []),
    ]


def _is_http(case: Case) -> bool:
    """Whether a server must take it for a request at all: what follows a CONNECT or a bad line is not one."""
    texts = [case.method, case.target, *(value for _, value in case.headers)]
    bad = any(byte < 33 or byte > 126 for byte in case.target) or any(
        b"\r" in text or b"\n" in text or b"\0" in text for text in texts
    )
    return not bad and case.method not in {b"CONNECT", b"TRACE"}


def _sized(message: _Message, value: bytes) -> _Message:
    message.headers = [pair for pair in message.headers if pair[0] != b"Content-Length"] + [(b"Content-Length", value)]
    return message


def _chunks(chance: Chance, body: bytes) -> list[bytes]:
    size = chance.of(1, 7, 1000) if len(body) < 2000 else 1000
    return [body[at : at + size] for at in range(0, len(body), size)]


def _chunked(chance: Chance, message: _Message) -> Sent:
    """Another form of the same request."""
    message.headers = [pair for pair in message.headers if pair[0] != b"Content-Length"] + [
        (b"Transfer-Encoding", b"chunked")
    ]
    body = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in _chunks(chance, message.body))
    message.body = body + b"0\r\n" + chance.of(b"", b"X-Trailer: 1\r\n") + b"\r\n"
    return Sent((message.bytes(),))


def _bad_chunks(chance: Chance, message: _Message) -> Sent:
    message.headers.append(
        (
            b"Transfer-Encoding",
            chance.of(b"chunked", b"chunked, chunked", b"gzip", b"xchunked", b" chunked", b"Chunked\x0b"),
        )
    )
    body = message.body[:500]
    message.body = (
        chance.of(
            b"zz\r\n",
            b"-1\r\n",
            b"ffffffffffffffff\r\n",
            b"1;" + b"x" * 9000 + b"\r\na\r\n",
            b"5\r\nab\r\n0\r\n\r\n",
            b"0\r\n",
            b"%x\n" % len(body),
        )
        + body
    )
    return Sent((message.bytes(),), complete=False)


def _lengths(chance: Chance, message: _Message) -> Sent:
    """Content-Length that is not the body's length, or not a length."""
    size = len(message.body)
    value = chance.of(
        b"%d" % (size + 5), b"%d" % max(0, size - 5), b"-1", b"", b"abc", b"1e3", b"0x10", b"99999999999999999999", b"+%d" % size, b"%d, %d" % (size, size),
        b"%d.0" % size, b" ", "\u0661".encode(), b"9" * 5000,
    )  # fmt: skip
    message = _sized(message, value)
    if chance.one_in(3):
        message.headers.append((b"Content-Length", chance.of(b"%d" % size, b"1")))
    return Sent((message.bytes(),), complete=False)


def _cut(chance: Chance, message: _Message) -> Sent:
    """The client goes away before the end."""
    whole = message.bytes()
    return Sent((whole[: chance.randrange(len(whole))],), complete=False)


def _slow(chance: Chance, message: _Message) -> Sent:
    whole = message.bytes()
    first, second = sorted(chance.randrange(len(whole)) for _ in range(2))
    return Sent((whole[:first], whole[first:second], whole[second:]))


def _flip(chance: Chance, message: _Message) -> Sent:
    whole = bytearray(message.bytes())
    for _ in range(chance.of(1, 1, 3, 20)):
        whole[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
    return Sent((bytes(whole),), complete=False)


def _line_ends(chance: Chance, message: _Message) -> Sent:
    return Sent((message.bytes(chance.of(b"\n", b"\r", b"\r\r\n", b"\0\r\n")),), complete=False)


def _host(chance: Chance, message: _Message) -> Sent:
    """Some of these are no hosts, others no single host."""
    names = [
        b"",
        b" ",
        b"a b",
        b"[::1",
        b"[::1]:99999",
        b"\xff",
        b"x" * 3000,
        b"a:b:c",
        b"user@host",
        b"a/b",
        b"%00",
        b"..",
        b"127.0.0.1:0x50",
        b"[]",
        b"<script>",
    ]
    message.headers[0] = (b"Host", chance.choice(names))
    if chance.one_in(4):
        message.headers = chance.of(message.headers[1:], [*message.headers, (b"Host", b"example.com")])
    return Sent((message.bytes(),), complete=False)


def _request_line(chance: Chance, message: _Message) -> Sent:
    method, _, rest = message.line.partition(b" ")
    target = rest.rpartition(b" ")[0]
    message.line = chance.of(
        b"%s http://example.com%s HTTP/1.1" % (method, target), b"%s %s HTTP/1.0" % (method, target), b"%s %s HTTP/0.9" % (method, target),
        b"%s %s HTTP/2.0" % (method, target), b"%s %s" % (method, target), b"%s  %s  HTTP/1.1" % (method, target), b" " + message.line, message.line.lower(),
        b"\xff%s" % message.line, b"PRI * HTTP/2.0", b"%s %s HTTP/1.1 x" % (method, target), b"%s http://[::1%s HTTP/1.1" % (method, target), b"\x16\x03\x01\x02",
        b"%s %s#frag HTTP/1.1" % (method, target), b"%s //[/ HTTP/1.1" % method, b"%s ?a=b HTTP/1.1" % method, b"%s http:// HTTP/1.1" % method,
    )  # fmt: skip
    return Sent((message.bytes(),), complete=False)


def _half_headers(chance: Chance, message: _Message) -> Sent:
    odd = [
        b"NoColon",
        b": novalue",
        b"Bad Name: x",
        b" folded",
        b"X\0: y",
        b"X: \0",
        b"X: a\rb",
        b"\xff: x",
        b"X :y",
        b"Content-Length : 3",
        b"\tX: y",
    ]
    head, _, _ = message.bytes().partition(b"\r\n\r\n")
    lines = head.split(_END)
    lines.insert(chance.randrange(1, len(lines) + 1), chance.choice(odd))
    return Sent((_END.join(lines) + b"\r\n\r\n" + message.body,), complete=False)


def _many_headers(chance: Chance, message: _Message) -> Sent:
    message.headers += [(b"X-%d" % number, b"v" * chance.of(1, 100)) for number in range(chance.of(50, 300, 900))]
    return Sent((message.bytes(),), complete=False)


def _upgrade(chance: Chance, message: _Message) -> Sent:
    message.headers += chance.of(
        [(b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", b"h2c"), (b"HTTP2-Settings", b"AAMAAABkAAQ")],
        [
            (b"Connection", b"Upgrade"),
            (b"Upgrade", b"websocket"),
            (b"Sec-WebSocket-Key", b"x3JJHMbDL1EzLkh9GBhXDw=="),
            (b"Sec-WebSocket-Version", b"13"),
        ],
        [(b"Connection", b"close")],
        [(b"Connection", b"keep-alive, close, \xff")],
        [(b"Expect", b"100-continue")],
        [(b"Expect", b"200-ok")],
    )
    return Sent((message.bytes(),), complete=False)


def _twice(_: Chance, message: _Message) -> Sent:
    """Two requests at once, the second before the first was answered."""
    return Sent((message.bytes() * 2,), complete=False)


_DAMAGES: dict[str, Callable[[Chance, _Message], Sent]] = {
    "chunked": _chunked, "bad chunks": _bad_chunks, "lengths": _lengths, "cut": _cut, "slow": _slow, "flip": _flip, "line ends": _line_ends, "host": _host,
    "request line": _request_line, "half headers": _half_headers, "many headers": _many_headers, "upgrade": _upgrade, "twice": _twice,
}  # fmt: skip
DAMAGES = tuple(_DAMAGES)

"""Calls as a vendor's client makes them, one after the other, and their answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import msgspec

#: Bytes of an answer that are kept.
MOST_BYTES = 64 << 10
#: Answers that are kept; a client that waits for something asks again and again.
MOST_EXCHANGES = 8
#: Seconds for all calls together.
MOST_SECONDS = 10.0
#: Stands for secrets in what is shown.
HIDDEN = "•••"


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """`path` with its query. `wait`: seconds to wait before it is sent, as clients do that ask again."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    wait: float = 0.0

    @classmethod
    def json(cls, method: str, path: str, body: object, headers: Mapping[str, str] | None = None) -> ClientRequest:
        of_json = {"Content-Type": "application/json"} | dict(headers or {})
        return cls(method, path, of_json, msgspec.json.encode(body))

    @classmethod
    def form(cls, path: str, fields: Mapping[str, str]) -> ClientRequest:
        return cls("POST", path, {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(fields).encode())


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """`body` has at most MOST_BYTES; `whole` says whether that is all."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool = True

    def fields(self) -> dict[str, object]:
        """The body as a JSON object; empty for anything else."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, object])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}

    def field(self, name: str) -> str:
        """A text of the JSON object, empty where there is none."""
        found = self.fields().get(name)
        return found if isinstance(found, str) else ""


#: Yields each request, and is sent its answer.
ClientCalls = Generator[ClientRequest, ServerAnswer, None]
SendRequest = Callable[[ClientRequest], ServerAnswer]


class Exchange(msgspec.Struct, frozen=True):
    """A request and its answer, without secrets. `truncated`: the body is longer than what is shown."""

    method: str
    path: str
    request_body: str
    status: int
    headers: dict[str, str]
    body: str
    truncated: bool


def exchanged(calls: ClientCalls, send: SendRequest, secrets: Iterable[str]) -> list[Exchange]:
    """Make the calls until the client is done, or has waited for long; the last ones are kept. Blocks."""
    hiding, found, until = set(secrets), list[Exchange](), time.monotonic() + MOST_SECONDS
    try:
        request = next(calls)
        while True:
            time.sleep(request.wait)
            answer = send(replace(request, wait=0.0))
            hiding.update(token for name in ("access_token", "refresh_token") if (token := answer.field(name)))
            found = [*found, _exchange(request, answer, hiding)][-MOST_EXCHANGES:]
            if time.monotonic() > until:
                break
            request = calls.send(answer)
    except StopIteration:
        pass
    return found


def _exchange(request: ClientRequest, answer: ServerAnswer, hiding: set[str]) -> Exchange:
    def plain(text: str) -> str:
        for secret in sorted(hiding, key=len, reverse=True):
            text = text.replace(secret, HIDDEN).replace(urlencode({"": secret})[1:], HIDDEN)
        return text

    return Exchange(
        method=request.method,
        path=plain(request.path),
        request_body=plain(request.body.decode(errors="replace")),
        status=answer.status,
        headers={name: plain(text) for name, text in answer.headers},
        body=plain(answer.body.decode(errors="replace")),
        truncated=not answer.whole,
    )

"""What both clients share of httpx: how they are set up, and requests, answers and failures in its terms."""

from __future__ import annotations

import platform
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import httpx

from airtally import __version__
from airtally.client.bodies import BodySink, InMemory
from airtally.client.errors import AirtallyError, AnswerTimedOut, ConnectionFailed, GarbledAnswer
from airtally.client.messages import ApiAnswer, ApiRequest
from airtally.client.retry import RetryRules

USER_AGENT = f"airtally-python/{__version__} (Python {platform.python_version()}; {platform.system()})"
#: A connection takes no longer than this, whatever the time-out of answers is.
_CONNECT_SECONDS = 10.0
_CONNECTIONS = 16
#: What httpx raises for a request.
HTTPX_FAILURES = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError)


class ClientOptions(TypedDict, total=False):
    """How a client connects.

    `timeout` is in seconds: of connecting and of each wait for the server, and of the whole body of an answer.
    `retry` says how long it tries again. `verify` is False, a file with the certificates of authorities, or a context.
    `account` is the slug of the account that calls are about, for a token that may see several. `user_agent` comes
    before the client's own name. `answer_max` is in bytes. `transport` is httpx's, used in place of connections.
    """

    timeout: float
    retry: RetryRules
    verify: bool | str | Path | ssl.SSLContext
    account: str | None
    user_agent: str
    answer_max: int
    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None


@dataclass(frozen=True, slots=True)
class Connecting:
    """Where and how a client connects, as `ClientOptions` says. Raises ValueError for what cannot be used."""

    url: str
    token: str
    timeout: float = 60.0
    retry: RetryRules = RetryRules()
    verify: bool | str | Path | ssl.SSLContext = True
    account: str | None = None
    user_agent: str = ""
    answer_max: int = 1 << 30
    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None = None

    def __post_init__(self) -> None:
        parsed = _parsed(self.url)
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise ValueError(f"the URL must be absolute, with http or https, not {self.url!r}")
        if not self.token.isascii() or not self.token.isprintable() or not self.token.strip():
            raise ValueError("the token must be one line of ASCII characters")
        if not self.timeout > 0:
            raise ValueError("the timeout must be above 0 seconds")

    def arguments(self) -> dict[str, Any]:
        """The arguments of an httpx client, sync or async."""
        agent = f"{self.user_agent} {USER_AGENT}".strip()
        about = {} if self.account is None else {"Airtally-Account": self.account}
        return {
            "base_url": self.url.rstrip("/"),
            "headers": {"Authorization": f"Bearer {self.token}", "User-Agent": agent} | about,
            "timeout": httpx.Timeout(self.timeout, connect=min(self.timeout, _CONNECT_SECONDS)),
            "verify": self._tls(),
            "limits": httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
            "transport": self.transport,
        }

    def sink(self) -> BodySink:
        """For bodies that are wanted in memory."""
        return InMemory(self.answer_max, self.timeout)

    def _tls(self) -> ssl.SSLContext | bool:
        if isinstance(self.verify, str | Path):
            return ssl.create_default_context(cafile=str(self.verify))
        return self.verify


def _parsed(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"the URL {url!r} cannot be read: {error}") from None


def arguments_of(request: ApiRequest) -> dict[str, Any]:
    """The arguments of httpx's `stream` and `build_request`."""
    headers = {name: value.encode() for name, value in request.headers.items()}
    body = {"content": request.body} if request.body or request.method in {"POST", "PUT", "PATCH"} else {}
    return {"method": request.method, "url": request.path, "params": request.query or None, "headers": headers, **body}


def answer_of(response: httpx.Response, body: bytes) -> ApiAnswer:
    return ApiAnswer(response.status_code, _plain(response.headers), body)


def _plain(headers: httpx.Headers) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def failure_of(error: Exception) -> AirtallyError:
    """The client's own error for one of httpx."""
    said = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return AnswerTimedOut(f"No answer in time: {said}")
    if isinstance(error, httpx.RemoteProtocolError | httpx.DecodingError):
        return _protocol_failure(error, said)
    return ConnectionFailed(said)


def _protocol_failure(error: Exception, said: str) -> AirtallyError:
    """A connection that was closed too early can be tried for long, bytes that are no HTTP not."""
    if isinstance(error, httpx.RemoteProtocolError) and ("disconnected" in said or "closed connection" in said):
        return ConnectionFailed(said)
    return GarbledAnswer(f"The answer is not HTTP: {said}")

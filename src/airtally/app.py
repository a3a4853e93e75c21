"""The ASGI application, which serves every API and the pages on one host."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from argon2 import PasswordHasher
from litestar import Litestar, Request, Response
from litestar.concurrency import set_asyncio_executor
from litestar.exceptions import HTTPException

from airtally.accounts.guessing import Guesses
from airtally.api import operations
from airtally.api.ingest import IngestHandler, Receive, Scope, Send
from airtally.api.native import native_operations
from airtally.api.serving import routes_of
from airtally.areas import INGEST, SITE, area_of
from airtally.background import background_of
from airtally.console.routes import routes as console_routes
from airtally.kit import fair, fair_executor, metrics
from airtally.kit.addresses import neighbourhood
from airtally.kit.attempts import ATTEMPT, Attempt
from airtally.kit.clock import Clock
from airtally.kit.departure import DEPARTURE
from airtally.kit.errors import Failure, MethodNotAllowed
from airtally.kit.faults import Faults
from airtally.kit.logs import log_failure
from airtally.runtime import open_services
from airtally.services import Role, Services
from airtally.settings import Settings
from airtally.vendors.apis import APIS
from airtally.web.answers import Answering
from airtally.web.areas import Area
from airtally.web.bodies import Body, BodyMemory, NoBody
from airtally.web.callers import caller_of
from airtally.web.cors import CrossOrigin
from airtally.web.departures import WatchedConnection
from airtally.web.failures import failure_of
from airtally.web.hosts import check_host, check_single
from airtally.web.packing import Packing
from airtally.web.within import note_server

_log = structlog.get_logger("airtally.requests")

#: Below it the file's name is the permission to read the file, so the log leaves it out.
TAG_FILES = "/files/tags/"

#: As what the requests of areas are counted whose name is no API's.
_KINDS = {INGEST.name: "native", SITE.name: "console"}

_OF_BODIES = frozenset((b"content-length", b"transfer-encoding"))

set_asyncio_executor(fair_executor.THREADS)  # type: ignore[arg-type]  # Litestar needs nothing but an executor


class Airtally:
    """The outermost ASGI layer: checks `Host` and the caller's key, limits the body, and logs one line per request.

    Batches of rows go straight to their handler, all other requests to Litestar.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        batches = services.intake.batches
        if batches is None:
            raise ValueError("the application needs services opened with a role that takes rows (Role.ROWS)")
        self._ingest = IngestHandler(batches, services.access.keys, services.access.accounts)
        self._site = _site(services, self._lifespan)
        self._bodies = BodyMemory(services.settings.bodies_max)
        self._guesses = Guesses()
        self._cross_origin = CrossOrigin(services.settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._site(scope, receive, send)  # type: ignore[arg-type]
            return
        if "//" in scope["path"]:
            scope = {
                **scope,
                "path": re.sub("/{2,}", "/", scope["path"]),
            }  # from clients that join a base URL and a path
        started, area = time.perf_counter(), area_of(scope["path"])
        scope.setdefault("state", {})["started"] = started
        note_server(scope, self)
        answering = self._answering(scope, area, send)
        body = self._body(scope, area, receive, answering)
        connection = WatchedConnection(body)
        DEPARTURE.set(connection.departure)
        try:
            await self._handle(scope, area, body, answering)
        finally:
            connection.close()
            body.close()
            _record(scope, area, answering, time.perf_counter() - started)
            self._meter(scope, area, answering)

    async def _handle(self, scope: Scope, area: Area, body: Body, send: Send) -> None:
        headers = dict(scope["headers"])
        if _is_preflight(scope, area, headers):
            await _answer_preflight(self._cross_origin.preflight(headers[b"origin"]), send)
            return
        try:
            check_host(scope["headers"], scope["http_version"])
            check_single(scope["headers"])
            known = await self._caller(scope, area, headers)
        except Failure as failure:
            await self._refuse(scope, area, failure, send)
            return
        receive: Receive = body
        if not known:
            bare = [each for each in scope["headers"] if each[0] not in _OF_BODIES]
            scope, receive = {**scope, "headers": bare}, NoBody()
        if area is INGEST:
            await self._ingest(scope, receive, send)
        else:
            await self._site(scope, receive, send)  # type: ignore[arg-type]

    async def _caller(self, scope: Scope, area: Area, headers: dict[bytes, bytes]) -> bool:
        """Whether the body may be read. The handler checks the credential again and writes the API's own error."""
        fair.CALLER.set(neighbourhood(_host(scope)))
        if area.presented is None:
            return True
        presented = area.presented(headers)
        principal = None if presented is None else await caller_of(self.services.access.keys, presented)
        if principal is None:
            return False
        fair.CALLER.set(principal.account.slug)
        return True

    async def _refuse(self, scope: Scope, area: Area, failure: Failure, send: Send) -> None:
        request: Request[Any, Any, Any] = Request({**scope, "litestar_app": self._site})  # type: ignore[arg-type]
        answer = _respond(area, failure, request).to_asgi_response(None, request)
        await answer(scope, NoBody(), send)  # type: ignore[arg-type]

    def _body(self, scope: Scope, area: Area, receive: Receive, answering: Answering) -> Body:
        limit = self.services.settings.body_max if area is INGEST else area.body_bytes
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), None)
        address, answered = neighbourhood(_host(scope)), lambda: answering.status != 0
        return Body(receive, self._bodies, address, limit=limit, announced=announced, answered=answered)

    def _answering(self, scope: Scope, area: Area, send: Send) -> Answering:
        attempt, host = Attempt(), _host(scope)
        ATTEMPT.set(attempt)
        pack = _unpacked if area is SITE else partial(Packing.of, scope)
        page, https = area.name == "site", scope["scheme"] == "https"
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        added = self._cross_origin.headers(origin) if area.cross_origin else []
        return Answering(
            send, attempt, lambda: self._guesses.failed(host), page=page, https=https, added=added, pack=pack
        )

    def _meter(self, scope: Scope, area: Area, answered: Answering) -> None:
        """Count the request for its account, if there is one that may call."""
        slug = scope.get("state", {}).get("account")
        if slug is not None:
            kind = _KINDS.get(area.name, area.name)
            self.services.usage.metering.note_request(slug, kind, answered.rows, answered.size)

    @asynccontextmanager
    async def _lifespan(self, _: Litestar) -> AsyncIterator[None]:
        try:
            self.services.start(background_of(self.services, self.services.role))
            yield
        finally:
            await fair_executor.in_thread(self._close)

    def _close(self) -> None:
        self._ingest.close()
        self.services.close()


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    faults: Faults | None = None,
    hasher: PasswordHasher | None = None,
) -> Airtally:
    """Open all services and return the server's application. Only tests pass `clock`, `faults` and `hasher`."""
    opened = settings or Settings.from_env()
    return Airtally(open_services(opened, clock=clock, faults=faults, hasher=hasher, role=Role.SERVE))


def _site(services: Services, lifespan: Any) -> Litestar:
    native = native_operations(services)
    return Litestar(
        route_handlers=[
            *operations.routes(services),
            *routes_of(native, services),
            *console_routes(services, native),
            *(handler for api in APIS for handler in api.routes(services)),
        ],
        exception_handlers={Failure: _failed, HTTPException: _http_failed, Exception: _http_failed},
        lifespan=[lifespan],
        openapi_config=None,
        request_max_body_size=None,  # `web/bodies.py` limits the body of each path
        logging_config=None,
    )


def _failed(request: Request[Any, Any, Any], failure: Failure) -> Response[Any]:
    return _respond(area_of(request.scope["path"]), failure, request)  # request.url would contain the client's Host


def _respond(area: Area, failure: Failure, request: Request[Any, Any, Any]) -> Response[Any]:
    answer = area.respond(failure, request)
    if isinstance(failure, MethodNotAllowed) and "Allow" not in answer.headers:
        answer.set_header("Allow", failure.allow)
    if failure.status >= 500 or (answer.status_code or 0) >= 500:
        log_failure(failure, request.scope["path"])
    return answer


def _http_failed(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return _failed(request, failure_of(error, request.method))


def _unpacked(send: Send) -> Send:
    """For pages: they hold secrets beside what a stranger sent, and their packed length would tell of these (BREACH)."""
    return send


def _is_preflight(scope: Scope, area: Area, headers: Mapping[bytes, bytes]) -> bool:
    asks = b"origin" in headers and b"access-control-request-method" in headers
    return area.cross_origin and scope["method"] == "OPTIONS" and asks


async def _answer_preflight(allowed: Sequence[tuple[bytes, bytes]], send: Send) -> None:
    """Without permission the answer has no CORS headers, and the browser refuses the page's call."""
    await send({"type": "http.response.start", "status": 204, "headers": list(allowed)})
    await send({"type": "http.response.body", "body": b""})


def _host(scope: Scope) -> str:
    """The client's address."""
    client = scope.get("client")
    return client[0] if client else ""


def _loggable_path(path: str) -> str:
    """The path as the log may show it: no secret file name, at most 256 characters."""
    return f"{TAG_FILES}…" if path.startswith(TAG_FILES) else path[:256]


def _record(scope: Scope, area: Area, answered: Answering, seconds: float) -> None:
    path: str = scope["path"]
    metrics.REQUESTS.labels(scope["method"], area.name, str(answered.status)).inc()
    metrics.REQUEST_SECONDS.labels(area.name).observe(seconds)
    _log.info(
        "request",
        method=scope["method"],
        path=_loggable_path(path),
        status=answered.status,
        bytes=answered.size,
        ms=round(seconds * 1000, 2),
        account=scope.get("state", {}).get("account"),
    )

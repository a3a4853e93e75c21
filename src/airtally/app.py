"""The ASGI application, put together from the parts; one host serves every API."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import structlog
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException

from airtally.api import operations, query
from airtally.api import slate as slate_register
from airtally.api.ingest import IngestHandler, Receive, Scope, Send, is_ingest
from airtally.api.problems import respond as respond_problem
from airtally.background import background_of
from airtally.console import errors as console_errors
from airtally.console import login
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import BadRequest, Failure, Internal, MethodNotAllowed, NotFound, TooLarge
from airtally.kit.faults import Faults
from airtally.reports import downloads
from airtally.runtime import Role, Services, open_services
from airtally.settings import Settings
from airtally.statistics import downloads as statistics_downloads
from airtally.vendors.fouryousee import errors as fouryousee_errors
from airtally.vendors.fouryousee import serve as fouryousee
from airtally.vendors.pushwoosh import errors as pushwoosh_errors
from airtally.vendors.pushwoosh import serve as pushwoosh
from airtally.vendors.scaleengine import errors as scaleengine_errors
from airtally.vendors.scaleengine import serve as scaleengine
from airtally.vendors.slate import errors as slate_errors
from airtally.vendors.slate import serve as slate
from airtally.vendors.tapjoy import errors as tapjoy_errors
from airtally.vendors.tapjoy import serve as tapjoy

_log = structlog.get_logger("airtally.requests")

#: Below it the name of a file is its permission.
TAG_FILES = "/files/tags/"

Responder = Callable[[Failure, Request[Any, Any, Any]], Response[Any]]

#: Who owns a path also owns its error bodies; the first match counts.
OWNERS: tuple[tuple[str, str, Responder], ...] = (
    ("/api/v1/", "native", respond_problem),
    ("/v1/oauth2/", "tapjoy", tapjoy_errors.respond),
    ("/v1/ad_groups", "tapjoy", tapjoy_errors.respond),
    (tapjoy_errors.LEGACY_PATH, "tapjoy", tapjoy_errors.respond),
    ("/v1/", "fouryousee", fouryousee_errors.respond),
    ("/admin/reports_api.php", "fouryousee", fouryousee_errors.respond),
    ("/apis/v2/", "slate", slate_errors.respond),
    ("/auth/o2/token", "slate", slate_errors.respond),
    ("/stable/", "scaleengine", scaleengine_errors.respond),
    ("/dev/", "scaleengine", scaleengine_errors.respond),
    ("/json/1.3/", "pushwoosh", pushwoosh_errors.respond),
)


class Airtally:
    """The outermost layer: sends rows straight to their handler, the rest to Litestar; one log line a request."""

    def __init__(self, services: Services) -> None:
        self.services = services
        batches = services.intake.batches
        if batches is None:
            raise ValueError("an application needs services that take rows")
        self._ingest = IngestHandler(batches, services.keys, body_max=services.settings.body_max)
        self._site = _site(services, self._lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._site(scope, receive, send)  # type: ignore[arg-type]
            return
        if "//" in scope["path"]:
            scope = {**scope, "path": re.sub("/{2,}", "/", scope["path"])}  # clients that join a base and a path
        started, seen = time.perf_counter(), _Seen(send)
        scope.setdefault("state", {})["started"] = started
        try:
            if is_ingest(scope["path"]):
                await self._ingest(scope, receive, seen)
            else:
                await self._site(scope, receive, seen)  # type: ignore[arg-type]
        finally:
            _record(scope, seen, time.perf_counter() - started)

    @asynccontextmanager
    async def _lifespan(self, _: Litestar) -> AsyncIterator[None]:
        try:
            self.services.start(background_of(self.services, Role.SERVE))
            yield
        finally:
            await anyio.to_thread.run_sync(self._close)

    def _close(self) -> None:
        self._ingest.close()
        self.services.close()


class _Seen:
    """Passes an answer on and remembers its status and size."""

    __slots__ = ("_send", "size", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.size = 0

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.size += len(message.get("body", b""))
        await self._send(message)


def create_app(
    settings: Settings | None = None, *, clock: Clock | None = None, faults: Faults | None = None
) -> Airtally:
    """The whole server. `clock` and `faults` are for tests; nothing reaches them from outside."""
    return Airtally(open_services(settings or Settings.from_env(), clock=clock, faults=faults, role=Role.SERVE))


def _site(services: Services, lifespan: Any) -> Litestar:
    return Litestar(
        route_handlers=[
            *operations.routes(services),
            *query.routes(services),
            *slate_register.routes(services),
            *login.routes(services),
            *fouryousee.routes(services),
            *slate.routes(services),
            *tapjoy.routes(services),
            *scaleengine.routes(services),
            *pushwoosh.routes(services),
            *downloads.routes(services),
            *statistics_downloads.routes(services),
        ],
        exception_handlers={Failure: _failed, HTTPException: _http_failed, Exception: _broke},
        lifespan=[lifespan],
        openapi_config=None,
        request_max_body_size=services.settings.body_max,
        logging_config=None,
    )


def _failed(request: Request[Any, Any, Any], failure: Failure) -> Response[Any]:
    _, responder = _owner(request.scope["path"])  # the URL would have the client's Host in it
    answer = responder(failure, request)
    if isinstance(failure, MethodNotAllowed) and "Allow" not in answer.headers:
        answer.set_header("Allow", failure.allow)
    return answer


def _http_failed(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Litestar's own refusals (no such route, wrong method, a body too large) as our failures."""
    if isinstance(error, NotFoundException):
        failure: Failure = NotFound("Resource not found.")
    elif isinstance(error, MethodNotAllowedException):
        failure = MethodNotAllowed(f"Method {request.method} is not allowed here", allow=_allowed(error))
    elif error.status_code == 413:
        failure = TooLarge("The body is too large")
    elif error.status_code < 500:
        failure = BadRequest(error.detail)
    else:
        return _broke(request, error)
    return _failed(request, failure)


def _allowed(error: HTTPException) -> str:
    return (error.headers or {}).get("allow", "")


def _broke(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    _log.error("request failed", path=request.url.path, exc_info=error)
    return _failed(request, Internal("Something went wrong on the server; its log says what"))


def _owner(path: str) -> tuple[str, Responder]:
    for prefix, area, responder in OWNERS:
        if path.startswith(prefix) or path == prefix.rstrip("/"):
            return area, responder
    return "site", console_errors.respond


def _shown(path: str) -> str:
    """For the log."""
    return f"{TAG_FILES}…" if path.startswith(TAG_FILES) else path[:256]


def _record(scope: Scope, seen: _Seen, seconds: float) -> None:
    path: str = scope["path"]
    area = "ingest" if is_ingest(path) else _owner(path)[0]
    metrics.REQUESTS.labels(scope["method"], area, str(seen.status)).inc()
    metrics.REQUEST_SECONDS.labels(area).observe(seconds)
    _log.info(
        "request",
        method=scope["method"],
        path=_shown(path),
        status=seen.status,
        bytes=seen.size,
        ms=round(seconds * 1000, 2),
        account=scope.get("state", {}).get("account"),
    )

"""The Pushwoosh JSON API 1.3 at `/json/1.3/`, for clients that change only their base URL."""

from __future__ import annotations

import time
from typing import Any

import anyio
from litestar import Response, Router, post, route
from litestar.di import Provide
from litestar.enums import HttpMethod
from litestar.params import FromPath, RawBody

from airtally.kit.errors import NotFound
from airtally.kit.fair import CALLER
from airtally.kit.fair_executor import in_thread
from airtally.services import Services
from airtally.vendors.pushwoosh import downloads, errors
from airtally.vendors.pushwoosh.auth import on_behalf
from airtally.vendors.pushwoosh.call import Call, MethodResult, parameters_of
from airtally.vendors.pushwoosh.choices import CHOICES
from airtally.vendors.pushwoosh.connect import CONNECTION
from airtally.vendors.pushwoosh.describe import WIRE
from airtally.vendors.pushwoosh.errors import MEDIA_TYPE, PREFLIGHT, StillProcessing, cors, envelope
from airtally.vendors.pushwoosh.methods import METHODS, WRAPPED
from airtally.vendors.vendor_api import Here, Prefix, VendorApi
from airtally.web.requests import AnyRequest

#: Waits between looks for a result; the last is used again and again.
_LOOKS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25)


def routes(services: Services) -> list[Any]:
    """The handlers, for the application to mount."""
    return [
        Router(
            "/json/1.3",
            route_handlers=[preflight, call_method],
            dependencies={"services": Provide(lambda: services, sync_to_thread=False)},
        ),
        *downloads.routes(services),
    ]


@route("/{name:str}", http_method=HttpMethod.OPTIONS, status_code=204, sync_to_thread=False)
def preflight(request: AnyRequest) -> Response[None]:
    """Browsers ask before they send JSON."""
    return Response(None, headers=cors(request.headers) | PREFLIGHT)


@post("/{name:str}", status_code=200, request_max_body_size=CHOICES.body_bytes)
async def call_method(request: AnyRequest, services: Here, name: FromPath[str], body: RawBody) -> Response[bytes]:
    """Reads the body first, then looks for the method."""
    state = request.scope.setdefault("state", {})
    call = Call(services, parameters_of(body, bare=name not in WRAPPED), request.headers, state)
    reply = await _reply(name, call)
    return Response(
        envelope(200, "OK", reply.response), headers=cors(request.headers) | dict(reply.headers), media_type=MEDIA_TYPE
    )


async def _reply(name: str, call: Call) -> MethodResult:
    """The method's answer. It looks again for a result that is not there yet, without a thread. Raises Fault."""
    method = METHODS.get(name)
    if method is None:
        raise NotFound(CHOICES.method_not_found)
    CALLER.set(await on_behalf(call) or CALLER.get())
    deadline, looks = time.monotonic() + CHOICES.wait_seconds, iter(_LOOKS)
    wait = 0.0
    while True:
        try:
            return await in_thread(method, call)
        except StillProcessing:
            wait = next(looks, wait)
            if time.monotonic() + wait > deadline:
                raise
        await anyio.sleep(wait)


API = VendorApi(
    "pushwoosh",
    (Prefix("/json/1.3/"),),
    routes,
    errors.respond,
    WIRE,
    CONNECTION,
)

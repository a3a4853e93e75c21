"""The ScaleEngine API at `/stable/` and `/dev/`, for clients that change only their base URL."""

from __future__ import annotations

from typing import Any

from litestar import Response, Router, post
from litestar.di import NamedDependency, Provide
from litestar.params import RawBody, SkipValidation

from airtally.accounts.principal import Principal
from airtally.kit.fair import CALLER
from airtally.kit.fair_executor import in_thread
from airtally.services import Services
from airtally.vendors.scaleengine import encode, errors
from airtally.vendors.scaleengine.auth import Members, authenticated, read_members
from airtally.vendors.scaleengine.choices import CHOICES
from airtally.vendors.scaleengine.connect import CONNECTION
from airtally.vendors.scaleengine.describe import WIRE
from airtally.vendors.scaleengine.errors import PATHS
from airtally.vendors.scaleengine.form import read_form
from airtally.vendors.scaleengine.params import COMMAND, read_fields
from airtally.vendors.scaleengine.query import viewers
from airtally.vendors.scaleengine.replays import Replays
from airtally.vendors.vendor_api import Prefix, VendorApi, refused_options
from airtally.web.requests import AnyRequest


class Api:
    """One URL serves every command; a command's name is inside the signed text."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._replays = Replays(services.store, services.clock)

    async def answer(self, request: AnyRequest, body: bytes) -> Response[bytes]:
        """Raises ViewerLogRefused, or what `errors.respond` makes 0004 of."""
        principal, members = await in_thread(self._caller, request, body)
        CALLER.set(principal.account.slug)
        return await in_thread(self._answer, request, principal, members)

    def _caller(self, request: AnyRequest, body: bytes) -> tuple[Principal, Members]:
        state = request.scope.setdefault("state", {})
        posted = read_form(request.headers.get("content-type", ""), body)
        state["serialized"] = posted.serialized
        members = read_members(posted.text)
        principal = authenticated(self._services, self._replays, posted.text or b"", members)
        state["account"] = principal.account.slug
        return principal, members

    def _answer(self, request: AnyRequest, principal: Principal, members: Members) -> Response[bytes]:
        if members.get(COMMAND) != CHOICES.command:
            raise errors.unknown_command()
        if CHOICES.command in principal.details.get("denied", ()):
            raise errors.denied()
        found = viewers(self._services, principal.account, read_fields(members))
        call = encode.call_of(request)
        if found.table is None or found.table.num_rows == 0:
            status = "success" if self._services.settings.scaleengine_empty_is_success else "failure"
            reply = encode.nobody(call, CHOICES.nobody, status)
        else:
            reply = encode.found(call, CHOICES.found, found.table)
        return Response(reply.content, headers=found.headers, media_type=reply.media_type)


def routes(services: Services) -> list[Any]:
    """The handlers, for the application to mount."""
    api = Api(services)
    here = {"api": Provide(lambda: api, sync_to_thread=False)}
    handlers = [refused_options("/"), call]
    return [Router(path, route_handlers=handlers, dependencies=here) for path in PATHS]


@post(status_code=200, request_max_body_size=CHOICES.body_bytes)
async def call(request: AnyRequest, api: NamedDependency[SkipValidation[Api]], body: RawBody) -> Response[bytes]:
    return await api.answer(request, body)


API = VendorApi(
    "scaleengine",
    (Prefix("/stable/"), Prefix("/dev/")),
    routes,
    errors.respond,
    WIRE,
    CONNECTION,
)

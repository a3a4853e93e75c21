"""What the application knows of a vendor's API: its name, its paths and its handlers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Response, route
from litestar.di import NamedDependency
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.params import SkipValidation

from airtally.connect.connection import ApiConnection
from airtally.kit.errors import MethodNotAllowed
from airtally.kit.openapi import JsonObject
from airtally.services import Services
from airtally.vendors.openapi import VendorWire, vendor_document
from airtally.web.areas import ANYBODY_BYTES, Area, Responder
from airtally.web.callers import Reader

#: The services, as a handler asks for them by the name `services`.
Here = NamedDependency[SkipValidation[Services]]


@dataclass(frozen=True, slots=True)
class Prefix:
    """Paths below it are the vendor's. `presented` and `body_bytes` as in an `Area`."""

    path: str
    presented: Reader | None = None
    body_bytes: int = ANYBODY_BYTES


@dataclass(frozen=True, slots=True)
class VendorApi:
    """`routes` makes the handlers; `respond` writes every failure on the vendor's paths in the vendor's form.

    `wire` is what the OpenAPI document says of the routes, `connection` what clients need to be told.
    """

    name: str
    prefixes: Sequence[Prefix]
    routes: Callable[[Services], list[Any]]
    respond: Responder
    wire: VendorWire
    connection: ApiConnection | None = None

    @property
    def areas(self) -> list[Area]:
        return [Area(each.path, self.name, self.respond, each.presented, each.body_bytes) for each in self.prefixes]

    def document(self, server_url: str) -> JsonObject:
        """The OpenAPI document of the vendor's wire. `server_url` has no trailing slash."""
        return vendor_document(self.name, self.wire, self.respond, server_url)


def refused_options(paths: str | list[str]) -> HTTPRouteHandler:
    """Refuses OPTIONS. It stands first: a route of other methods alone is given the framework's, which allows it."""

    @route(paths, http_method=HttpMethod.OPTIONS, sync_to_thread=False)
    def options() -> Response[None]:
        raise MethodNotAllowed("Method OPTIONS is not allowed here")

    return options

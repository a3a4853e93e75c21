"""`/api/v1/openapi`: the OpenAPI documents of the native API and of the vendors' wires."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import msgspec

from airtally import __version__
from airtally.api.openapi import native_document
from airtally.api.operation import Operation, OperationReply, PlainCall, operation
from airtally.kit.errors import NotFound
from airtally.services import Services
from airtally.vendors.apis import APIS
from airtally.vendors.vendor_api import VendorApi

#: Anybody may keep them, for as long as a rolling upgrade may take to notice.
_KEPT = {"Cache-Control": "public, max-age=300"}
_EXAMPLE = {"openapi": "3.1.1", "info": {"title": "Airtally", "version": "0.3.0"}, "paths": {}}
_VENDORS = {f"{api.name}.json": api for api in APIS}


class DocumentLink(msgspec.Struct, frozen=True):
    """A document that the server has."""

    title: str
    url: str


class DocumentList(msgspec.Struct, frozen=True):
    """The native API's document, then the vendors'."""

    items: list[DocumentLink]


class ApiIndex(msgspec.Struct, frozen=True):
    """Where to go on.

    `docs`: a path of the repository; the other members are links. `me` says who a key's holder is.
    """

    title: str
    version: str
    docs: str
    openapi: str
    documents: str
    me: str


class DocumentResource:
    """Makes each document when it is first asked for."""

    def __init__(self, services: Services, operations: Callable[[], Sequence[Operation]]) -> None:
        self._server_url = services.settings.public_url.rstrip("/")
        self._operations = operations
        self._of_vendors: dict[str, msgspec.Raw] = {}

    @operation("GET", "", None, "Get an index of the API", answer=ApiIndex)
    def get_index(self, _: PlainCall) -> OperationReply:
        """Links to what describes the API, and to what says who the caller is. Anybody may read it."""
        api = f"{self._server_url}/api/v1"
        index = ApiIndex(
            title="Airtally",
            version=__version__,
            docs="docs/reference/api.md",
            openapi=f"{api}/openapi.json",
            documents=f"{api}/openapi",
            me=f"{api}/me",
        )
        return OperationReply(index, headers=_KEPT)

    @operation(*("GET", "/openapi.json", None, "Get this document"), answer=dict[str, Any], answer_example=_EXAMPLE)
    def get_native_document(self, _: PlainCall) -> OperationReply:
        """OpenAPI 3.1 of the native API as this server has it. Anybody may read it."""
        return OperationReply(self._native, headers=_KEPT)

    @operation("GET", "/openapi", None, "List the OpenAPI documents", answer=DocumentList)
    def list_documents(self, _: PlainCall) -> OperationReply:
        """The native API's document and one for the wire of each vendor. Anybody may read it."""
        links = [DocumentLink("Airtally", f"{self._server_url}/api/v1/openapi.json")]
        links += [
            DocumentLink(api.wire.title, f"{self._server_url}/api/v1/openapi/{file}") for file, api in _VENDORS.items()
        ]
        return OperationReply(DocumentList(links), headers=_KEPT)

    @operation(
        *("GET", "/openapi/{document}", None, "Get the document of a vendor's wire"),
        answer=dict[str, Any],
        answer_example=_EXAMPLE,
        failures=(NotFound,),
        path_values={"document": tuple(_VENDORS)},
    )
    def get_vendor_document(self, call: PlainCall) -> OperationReply:
        """OpenAPI 3.1 of what clients of the vendor call, as this server answers it. Anybody may read it."""
        api = _VENDORS.get(call.text("document"))
        if api is None:
            raise NotFound("There is no such document", hint=f"There are: {', '.join(_VENDORS)}")
        return OperationReply(self._of_vendor(api), headers=_KEPT)

    @cached_property
    def _native(self) -> msgspec.Raw:
        return msgspec.Raw(msgspec.json.encode(native_document(self._operations(), self._server_url)))

    def _of_vendor(self, api: VendorApi) -> msgspec.Raw:
        if api.name not in self._of_vendors:
            self._of_vendors[api.name] = msgspec.Raw(msgspec.json.encode(api.document(self._server_url)))
        return self._of_vendors[api.name]

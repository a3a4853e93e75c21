"""Puts the document of a vendor's wire together."""

from __future__ import annotations

from importlib.metadata import version

from airtally.kit.openapi import VERSION, JsonObject, prose
from airtally.vendors.openapi.declared import VendorWire, WireOperation
from airtally.vendors.openapi.failures import FailedCall, failure_responses, with_failures
from airtally.web.areas import Responder

_PAGE = "The whole of it is on the page docs/vendors/{}.md of Airtally's documentation."


def vendor_document(name: str, wire: VendorWire, respond: Responder, server_url: str) -> JsonObject:
    """OpenAPI 3.1. `respond` writes failures of the vendor's paths; `server_url` has no trailing slash."""
    paths: JsonObject = {}
    for each in wire.operations:
        found = _operation_object(name, each, wire, respond)
        paths.setdefault(each.path, {})[each.method.lower()] = found
        if each.head:
            paths[each.path]["head"] = _head_of(found)
    return {
        "openapi": VERSION,
        "info": {
            "title": f"{wire.title}, as Airtally serves it",
            "version": version("airtally"),
            "description": f"{prose(wire.about)}\n\n{_PAGE.format(name)}",
        },
        "externalDocs": {"description": "Airtally's native API.", "url": f"{server_url}/api/v1/openapi.json"},
        "servers": [{"url": server_url}],
        "paths": paths,
        "components": {"schemas": dict(wire.schemas), "securitySchemes": dict(wire.security)},
    }


def _operation_object(name: str, operation: WireOperation, wire: VendorWire, respond: Responder) -> JsonObject:
    call = FailedCall(operation.method, operation.path, operation.respond or respond)
    failed = failure_responses(call, operation.failures, operation.error or wire.error)
    section = f"See docs/vendors/{name}.md#{operation.section}."
    found: JsonObject = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": f"{prose(operation.about)}\n\n{section}".strip(),
        "security": [{each: []} if each else {} for each in operation.security],
        "responses": with_failures(operation.success, failed),
    }
    if operation.parameters:
        found["parameters"] = list(operation.parameters)
    if operation.body is not None:
        found["requestBody"] = operation.body
    return found


def _head_of(operation: JsonObject) -> JsonObject:
    """The same without bodies."""
    responses = {
        status: {name: each for name, each in response.items() if name != "content"}
        for status, response in operation["responses"].items()
    }
    return {**operation, "operationId": f"{operation['operationId']}_head", "responses": responses}

"""`/api/v1/openapi.json`: the OpenAPI documents of the native API and of the vendors' wires."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import msgspec

from airtally.api.openapi import native_document
from airtally.api.operation import Operation, OperationReply, PlainCall, operation
from airtally.services import Services

#: Anybody may keep them, for as long as a rolling upgrade may take to notice.
_KEPT = {"Cache-Control": "public, max-age=300"}
_EXAMPLE = {"openapi": "3.1.1", "info": {"title": "Airtally", "version": "0.3.0"}, "paths": {}}


class DocumentResource:
    """Makes each document when it is first asked for."""

    def __init__(self, services: Services, operations: Callable[[], Sequence[Operation]]) -> None:
        self._server_url = services.settings.public_url
        self._operations = operations

    @operation(*("GET", "/openapi.json", None, "Get this document"), answer=dict[str, Any], answer_example=_EXAMPLE)
    def get_native_document(self, _: PlainCall) -> OperationReply:
        """OpenAPI 3.1 of the native API as this server has it. Anybody may read it."""
        return OperationReply(self._native, headers=_KEPT)

    @cached_property
    def _native(self) -> msgspec.Raw:
        return msgspec.Raw(msgspec.json.encode(native_document(self._operations(), self._server_url)))

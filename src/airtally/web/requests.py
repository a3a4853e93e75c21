"""Shared by the handlers of all APIs: the type of a request, and noting its account for the log."""

from __future__ import annotations

from typing import Any

from litestar import Request

AnyRequest = Request[Any, Any, Any]


def note_account(request: AnyRequest, slug: str) -> None:
    """Note the account for the request's log line."""
    request.scope.setdefault("state", {})["account"] = slug


def client_address(request: AnyRequest) -> str:
    """The client's address, of which a trusted proxy may have told; empty if there is none."""
    return request.client.host if request.client else ""

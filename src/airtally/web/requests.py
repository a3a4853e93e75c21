"""Shared by the handlers of all APIs: the type of a request, and noting its account for the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Request

AnyRequest = Request[Any, Any, Any]


def note_account(request: AnyRequest, slug: str) -> None:
    """Note the account for the request's log line."""
    request.scope.setdefault("state", {})["account"] = slug


def note_headers(request: AnyRequest, headers: Mapping[str, str]) -> None:
    """Note headers for the answer, whether it succeeds or fails; the API that owns the path adds them."""
    request.scope.setdefault("state", {})["headers"] = dict(headers)


def noted_headers(request: AnyRequest) -> dict[str, str]:
    """Headers for the answer, as noted while the request was handled."""
    found: dict[str, str] = request.scope.get("state", {}).get("headers", {})
    return found


def client_address(request: AnyRequest) -> str:
    """The client's address, of which a trusted proxy may have told; empty if there is none."""
    return request.client.host if request.client else ""

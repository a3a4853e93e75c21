"""What handlers of every API share: the request's type, the services they are given, the account in the log's line."""

from __future__ import annotations

from typing import Any

from litestar import Request

AnyRequest = Request[Any, Any, Any]


def note_account(request: AnyRequest, slug: str) -> None:
    """For the log's line of the request."""
    request.scope.setdefault("state", {})["account"] = slug

"""What handlers of every API share: the type of a request, and the account in its line of the log."""

from __future__ import annotations

from typing import Any

from litestar import Request

AnyRequest = Request[Any, Any, Any]


def note_account(request: AnyRequest, slug: str) -> None:
    """For the log's line of the request."""
    request.scope.setdefault("state", {})["account"] = slug

"""Every error of the paths of the Pushwoosh JSON API 1.3 at `/json/1.3/`, in its body: `{"status_code", "status_message", "response"}`."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response

from airtally.kit.errors import Failure


def respond(failure: Failure, request: Request[Any, Any, Any]) -> Response[bytes]:  # noqa: ARG001 (one signature for all owners)
    body = {"status_code": failure.status, "status_message": failure.message, "response": None}
    return Response(msgspec.json.encode(body), status_code=failure.status, media_type="application/json; charset=utf-8")

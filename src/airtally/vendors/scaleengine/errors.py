"""Every error of the paths of the ScaleEngine API at `/stable/` and `/dev/`, in its body: `{"message", "status", "code"}`."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response

from airtally.kit.errors import Failure


def respond(failure: Failure, request: Request[Any, Any, Any]) -> Response[bytes]:  # noqa: ARG001 (one signature for all owners)
    body = {"message": failure.message, "status": "failure", "code": "0004"}
    return Response(msgspec.json.encode(body), status_code=200, media_type="application/json; charset=utf-8")

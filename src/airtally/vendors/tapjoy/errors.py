"""Every error of the paths of the Tapjoy insights API at `/v1/oauth2/` and `/v1/ad_groups`, in its body: `{"error"}`."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response

from airtally.kit.errors import Failure


def respond(failure: Failure, request: Request[Any, Any, Any]) -> Response[bytes]:  # noqa: ARG001 (one signature for all owners)
    body = {"error": failure.message}
    return Response(msgspec.json.encode(body), status_code=failure.status, media_type="application/json; charset=utf-8")

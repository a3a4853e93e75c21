"""Every error of the paths of the Slate Datasets API v2 at `/apis/v2/`, in its body: `{"code", "message"}`."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response

from airtally.kit.errors import Failure

#: The contract's name for each status.
CODES = {
    400: "InvalidParameterException",
    401: "UnauthorizedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    405: "MethodNotAllowedException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}


def respond(failure: Failure, request: Request[Any, Any, Any]) -> Response[bytes]:  # noqa: ARG001 (one signature for all owners)
    status = 503 if failure.status == 507 else failure.status
    body = {"code": CODES.get(status, "InternalServerErrorException"), "message": failure.message}
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json; charset=utf-8")

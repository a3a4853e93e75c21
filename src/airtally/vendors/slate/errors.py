"""Every error of the paths of the Slate Datasets API v2, in its body: `{"code", "message"}`, at the token endpoint
`{"error", "error_description"}`.

docs/vendors/slate.md#2, #3.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response

from airtally.kit.errors import Failure
from airtally.vendors.slate.choices import CHOICES

JSON = "application/json; charset=utf-8"
TOKEN_PATH = "/auth/o2/token"  # noqa: S105 (a path)

#: The vendor's name for each status.
CODES = {
    400: "InvalidParameterException",
    401: "UnauthorizedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    405: "MethodNotAllowedException",
    429: "ThrottlingException",
    500: "InternalServerErrorException",
    503: "ServiceUnavailableException",
}
_OAUTH = {500: "server_error", 503: "temporarily_unavailable"}


class TokenRefused(Failure):
    """A refusal of the token endpoint. `error` is an error code of OAuth 2."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error

    @property
    def status(self) -> int:  # type: ignore[override]
        return 401 if self.error == "invalid_client" else 400


def respond(failure: Failure, request: Request[Any, Any, Any]) -> Response[bytes]:
    """The whole answer, for the application's error handlers too (unknown route, wrong method, a bug)."""
    if request.scope["path"].rstrip("/") == TOKEN_PATH:
        return _oauth(failure)
    status = _status(failure)
    body = {"code": CODES.get(status, CODES[400]), "message": failure.message}
    return _error_response(body, status, failure, allow="GET")


def _oauth(failure: Failure) -> Response[bytes]:
    status = _status(failure)
    if isinstance(failure, TokenRefused):
        error, message = failure.error, failure.message
    elif status == 413:
        status, error, message = 400, "invalid_request", CHOICES.malformed
    else:
        error, message = _OAUTH.get(status, "invalid_request"), failure.message
    return _error_response({"error": error, "error_description": message}, status, failure, allow="POST")


def _status(failure: Failure) -> int:
    return 503 if failure.status == 507 else failure.status


def _error_response(body: dict[str, str], status: int, failure: Failure, *, allow: str) -> Response[bytes]:
    headers = {"Cache-Control": "no-store"}
    if failure.retry_after is not None:
        headers["Retry-After"] = str(failure.retry_after)
    if failure.status == 401 and not isinstance(failure, TokenRefused):
        headers["WWW-Authenticate"] = "Bearer"
    if status == 405:
        headers["Allow"] = allow
    return Response(msgspec.json.encode(body), status_code=status, headers=headers, media_type=JSON)

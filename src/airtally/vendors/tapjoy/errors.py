"""Every error of the paths that Tapjoy owns, in its body: `errors`, an array, with 422, else `error`, a text.

docs/vendors/tapjoy.md#6.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response

from airtally.kit.errors import Failure, MethodNotAllowed, Unprocessable
from airtally.query.refusal import RowsGone
from airtally.vendors.tapjoy.choices import CHOICES

JSON = "application/json; charset=utf-8"
TOKEN_PATH = "/v1/oauth2/token"  # noqa: S105 (a path)
LEGACY_PATH = "/reporting_data.json"

_TEXTS = {
    401: CHOICES.unauthorized,
    403: CHOICES.foreign,
    404: CHOICES.not_found,
    405: CHOICES.wrong_method,
    500: CHOICES.internal,
}


class InvalidParameters(Unprocessable):
    """Insights parameters with one or more problems; each is a text of its own in the answer."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def respond(failure: Failure, request: Request[Any, Any, Any]) -> Response[bytes]:
    """The whole answer, for the application's error handlers too (unknown route, wrong method, a bug)."""
    if isinstance(failure, InvalidParameters):
        return _error_response(422, {"errors": failure.problems})
    if isinstance(failure, RowsGone):  # another start_time can be answered
        return _error_response(422, {"errors": [f"{failure.message} {failure.hint}"]})
    status = _status(failure)
    headers = {}
    if status == 401 and request.scope["path"] != LEGACY_PATH:  # its credentials stand in the query
        headers["WWW-Authenticate"] = "Basic" if request.scope["path"].rstrip("/") == TOKEN_PATH else "Bearer"
    if isinstance(failure, MethodNotAllowed):
        headers["Allow"] = "POST" if request.scope["path"].rstrip("/") == TOKEN_PATH else "GET"
    return _error_response(status, {"error": _TEXTS.get(status, failure.message)}, headers)


def _status(failure: Failure) -> int:
    """The status of the answer: 500 for what other parameters would not change (a full buffer or disk, a limit)."""
    return 500 if failure.status in {422, 429} or failure.status > 500 else failure.status


def _error_response(status: int, body: object, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(msgspec.json.encode(body), status_code=status, headers=headers, media_type=JSON)

"""Every error of the paths of the ScaleEngine API: `{"message", "status", "code", "handle_time"}`.

docs/vendors/scaleengine.md#1, #6: whatever the API itself answers has HTTP status 200.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, Response

from airtally.kit.errors import BadRequest, Failure, MethodNotAllowed, NotFound, TimedOut, TooLarge, TooManyRequests
from airtally.vendors.scaleengine import encode
from airtally.vendors.scaleengine.choices import CHOICES

PATHS = ("/stable", "/dev")
UNEXPECTED = "0004"


#: Failures before a call is read: of the path, the method, `Host`, or the body's size or speed.
_NO_CALL = (NotFound, MethodNotAllowed, TooLarge, BadRequest, TimedOut, TooManyRequests)


class ViewerLogRefused(Failure):
    """A request that the API answers with one of its own codes."""

    status = 200

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.api_code = code


def unreadable() -> ViewerLogRefused:
    return ViewerLogRefused("0001", CHOICES.not_authorized)


def bad_timestamp() -> ViewerLogRefused:
    return ViewerLogRefused("0002", CHOICES.bad_timestamp)


def bad_signature() -> ViewerLogRefused:
    return ViewerLogRefused("0003", CHOICES.bad_signature)


def unknown_command() -> ViewerLogRefused:
    return ViewerLogRefused("0000", CHOICES.unknown_command)


def denied() -> ViewerLogRefused:
    return ViewerLogRefused("0005", CHOICES.denied)


def missing(names: list[str]) -> ViewerLogRefused:
    return ViewerLogRefused("0006", CHOICES.missing.format(", ".join(names)))


def invalid(name: str) -> ViewerLogRefused:
    return ViewerLogRefused("0006", CHOICES.invalid.format(name))


def respond(failure: Failure, request: Request[Any, Any, Any]) -> Response[bytes]:
    """The error in the form that was asked for. Only what is no call of the API has a status other than 200."""
    path = request.scope["path"].rstrip("/")
    if isinstance(failure, MethodNotAllowed) and path not in PATHS:
        failure = NotFound("Resource not found.")
    known = isinstance(failure, (ViewerLogRefused, *_NO_CALL))
    code = failure.api_code if isinstance(failure, ViewerLogRefused) else UNEXPECTED
    body = encode.failed(encode.call_of(request), code, failure.message if known else CHOICES.unexpected)
    headers = {"Allow": "POST"} if isinstance(failure, MethodNotAllowed) else {}
    status = failure.status if known else 200
    return Response(body.content, status_code=status, headers=headers, media_type=body.media_type)

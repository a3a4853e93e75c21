"""Every error of the paths of the Pushwoosh JSON API 1.3, in its envelope.

docs/vendors/pushwoosh.md#1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from litestar import Request, Response

from airtally.jobs.queue import TooManyJobs
from airtally.kit.errors import Failure
from airtally.vendors.pushwoosh.choices import CHOICES

MEDIA_TYPE = "application/json; charset=utf-8"

#: What a browser may send, told before it does.
PREFLIGHT = {
    "Access-Control-Allow-Methods": CHOICES.cors_methods,
    "Access-Control-Allow-Headers": CHOICES.cors_headers,
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Max-Age": str(CHOICES.cors_max_age_seconds),
}


class Fault(Failure):
    """The request has a fault, which the message names. HTTP is 200, or some clients would not show the message."""

    status = 200
    status_code: ClassVar[int] = 210


class Restricted(Fault):
    """The token may not use the application, which is one of its account."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__(CHOICES.token_restricted)


class StillProcessing(Fault):
    """The result is not there yet; the handler looks again for up to 2 seconds."""

    status_code = 420

    def __init__(self) -> None:
        super().__init__(CHOICES.still_processing)


class Failed(Fault):
    """The scheduled work failed; the call itself was right."""

    status_code = 500


def envelope(status_code: int, message: str, response: object = None) -> bytes:
    return msgspec.json.encode({"status_code": status_code, "status_message": message, "response": response})


def respond(failure: Failure, request: Request[Any, Any, Any]) -> Response[bytes]:
    """The whole answer, for the application's error handlers too (unknown path, wrong verb, a bug)."""
    status, status_code, message = _meaning(failure)
    return Response(
        envelope(status_code, message),
        status_code=status,
        headers=cors(request.headers),
        media_type=MEDIA_TYPE,
    )


def cors(headers: Mapping[str, str]) -> dict[str, str]:
    """The CORS headers: browsers that send credentials want their own origin named."""
    origin = headers.get("origin")
    if origin is None:
        return {"Access-Control-Allow-Origin": "*"}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true", "Vary": "Origin"}


def _meaning(failure: Failure) -> tuple[int, int, str]:
    """HTTP status, status_code and message."""
    if isinstance(failure, Fault):
        return failure.status, failure.status_code, failure.message
    if isinstance(failure, TooManyJobs):
        return 200, Failed.status_code, failure.message  # HTTP 200, or clients repeat at once
    if failure.status in {400, 405, 413}:
        return failure.status, 400, CHOICES.malformed
    if failure.status == 404:
        return 200, 404, CHOICES.method_not_found  # a client repeats at once and for ever on any other status
    return 500, 500, CHOICES.internal

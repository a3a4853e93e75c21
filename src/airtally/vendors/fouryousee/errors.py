"""Every error of the paths that 4YouSee owns, in its body: a compact JSON object with `message`."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response

from airtally.jobs.queue import TooManyJobs
from airtally.kit.errors import BadRequest, Failure, TooManyRequests, Unauthorized
from airtally.vendors.fouryousee.choices import CHOICES

REPORTS_PATH = "/v1/reports"
INVALID = "Invalid report request"

#: Browsers call with `Secret-Token` from pages of other hosts.
CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}

#: What a browser may send, told before it does.
PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Secret-Token, Content-Type",
    "Access-Control-Max-Age": str(CHOICES.cors_max_age_seconds),
}


class InvalidReport(BadRequest):
    """A report request with one or more problems; each is a text of its own in the answer."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(INVALID)
        self.problems = problems


def error_body(failure: Failure, method: str, path: str) -> bytes:
    """The body for a failed call. A report request's failure is told again in `details.report`.

    docs/vendors/fouryousee.md#1, #5.
    """
    message = _message(failure)
    body: dict[str, object] = {"message": message}
    if method == "POST" and path.rstrip("/") == REPORTS_PATH:
        body["details"] = {"report": _problems(failure, message)}
    return msgspec.json.encode(body)


def _problems(failure: Failure, message: str) -> list[str]:
    if isinstance(failure, InvalidReport):
        return failure.problems
    return [failure.message if isinstance(failure, TooManyJobs) else message]


def respond(failure: Failure, request: Request[Any, Any, Any]) -> Response[bytes]:
    """The whole answer, for the application's error handlers too (unknown route, wrong method, a bug)."""
    headers = dict(CORS)
    if failure.retry_after is not None:
        headers["Retry-After"] = str(failure.retry_after)
    body = error_body(failure, request.method, request.scope["path"])
    status = 503 if failure.status == 507 else failure.status
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def _message(failure: Failure) -> str:
    if isinstance(failure, TooManyRequests):
        return CHOICES.too_many
    if isinstance(failure, Unauthorized):
        return CHOICES.bad_token
    return failure.message

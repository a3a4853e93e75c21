"""Errors of the native API: problem+json (RFC 9457)."""

from __future__ import annotations

import msgspec
from litestar import Response

from airtally.kit.errors import Failure, MethodNotAllowed
from airtally.web.requests import AnyRequest, noted_headers

MEDIA_TYPE = "application/problem+json"
#: Characters of a refusal that repeats words of the request.
MAX_WORDS = 400


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """`code` is for programs, `detail` and `hint` are for people."""

    title: str
    status: int
    code: str
    detail: str
    hint: str | None = None


def body(failure: Failure) -> bytes:
    title = failure.code.replace("_", " ").capitalize()
    problem = Problem(title, failure.status, failure.code, failure.message, failure.hint or None)
    return msgspec.json.encode({**msgspec.to_builtins(problem), **failure.details})


def headers(failure: Failure) -> dict[str, str]:
    extra: dict[str, str] = {"Cache-Control": "no-store"} | dict(failure.headers)
    if failure.retry_after is not None:
        extra["Retry-After"] = str(failure.retry_after)
    if failure.status == 401:
        extra.setdefault("WWW-Authenticate", "Bearer")
    if isinstance(failure, MethodNotAllowed):
        extra["Allow"] = failure.allow
    return extra


def respond(failure: Failure, request: AnyRequest) -> Response[bytes]:
    extra = noted_headers(request) | headers(failure)
    return Response(body(failure), status_code=failure.status, media_type=MEDIA_TYPE, headers=extra)

"""Turns answers that are no success into typed errors."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from airtally.client.errors import (
    ApiError,
    ConflictingRequest,
    GarbledAnswer,
    InvalidRequest,
    MissingResource,
    NotAuthenticated,
    NotPermitted,
    RequestUnderWay,
    ServerBusy,
    ServerFailed,
)
from airtally.client.messages import ApiAnswer, shown_beginning

_BUSY = {408, 425, 429, 503, 507}
_BY_STATUS = {401: NotAuthenticated, 403: NotPermitted, 404: MissingResource, 409: ConflictingRequest}
_OWN = ("title", "status", "code", "detail", "hint")
#: No server is waited for longer than this because it says so once.
_LONGEST_WAIT = 3600.0


class _Problem(msgspec.Struct):
    """What a problem document must have to be believed."""

    status: int
    code: str
    detail: str = ""
    hint: str | None = None


def checked(answer: ApiAnswer) -> ApiAnswer:
    """The answer if it is a success. Raises ApiError by its status, GarbledAnswer for what no server of ours sends."""
    if 200 <= answer.status < 300:
        return answer
    if 300 <= answer.status < 400:
        where = answer.headers.get("location", "nowhere")
        raise InvalidRequest(
            answer.status, "redirected", f"The server sends to {where[:200]!r}", hint="Use that address."
        )
    raise _error_of(answer)


def _error_of(answer: ApiAnswer) -> ApiError | GarbledAnswer:
    problem, details = _problem_of(answer)
    wait = retry_after_of(answer)
    kind = _kind_of(answer.status, wait)
    if problem is not None:
        return kind(
            answer.status, problem.code, problem.detail, hint=problem.hint or "", retry_after=wait, details=details
        )
    if kind is InvalidRequest or answer.status < 400:
        return GarbledAnswer(f"{answer.status} without a problem document: {shown_beginning(answer.body)}")
    words = f"No problem document: {shown_beginning(answer.body)}"  # of a proxy, whose status means the same
    return kind(answer.status, "unknown", words, retry_after=wait)


def _kind_of(status: int, wait: float | None) -> type[ApiError]:
    if status in _BUSY:
        return ServerBusy
    if status == 409 and wait is not None:
        return RequestUnderWay
    if status >= 500:
        return ServerFailed
    return _BY_STATUS.get(status, InvalidRequest)


def _problem_of(answer: ApiAnswer) -> tuple[_Problem | None, dict[str, Any]]:
    """The document and its further members."""
    if answer.media_type != "application/problem+json":
        return None, {}
    try:
        problem = msgspec.json.decode(answer.body, type=_Problem)
        members = msgspec.json.decode(answer.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, {}
    return problem, {name: value for name, value in members.items() if name not in _OWN}


def retry_after_of(answer: ApiAnswer) -> float | None:
    """The seconds of `Retry-After`; None without one, or if it is not a number (a date needs equal clocks)."""
    try:
        seconds = float(answer.headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT) if math.isfinite(seconds) else None

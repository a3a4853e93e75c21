"""One class for each kind of failure: code, status, message, hint. Every API maps them to its own body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class Failure(Exception):
    """A failure with an answer. `message` may be shown to whoever asked; `hint` says what to do.

    `details` are further members of the native API's error body.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    hint: str = ""
    retry_after: int | None = None
    details: Mapping[str, Any] = {}

    def __init__(self, message: str, *, hint: str = "", retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or type(self).hint
        if retry_after is not None:
            self.retry_after = retry_after


class Internal(Failure):
    """Something of our own broke; the log has it, the answer does not."""


class BadRequest(Failure):
    status = 400
    code = "bad_request"


class Unauthorized(Failure):
    status = 401
    code = "unauthorized"


class Forbidden(Failure):
    status = 403
    code = "forbidden"


class NotFound(Failure):
    status = 404
    code = "not_found"


class MethodNotAllowed(Failure):
    """`allow` is the value of the header `Allow`, which every owner of a path sends with it."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: str = "") -> None:
        super().__init__(message)
        self.allow = allow


class TimedOut(Failure):
    """A client was too slow."""

    status = 408
    code = "timed_out"


class Conflict(Failure):
    status = 409
    code = "conflict"


class TooLarge(Failure):
    status = 413
    code = "too_large"


class UnsupportedMedia(Failure):
    status = 415
    code = "unsupported_media_type"


class Unprocessable(Failure):
    status = 422
    code = "unprocessable"


class TooManyRequests(Failure):
    status = 429
    code = "too_many_requests"
    retry_after = 1


class Unavailable(Failure):
    status = 503
    code = "unavailable"
    retry_after = 5


class NewerHome(Unavailable):
    """What is stored was written by a newer program than this one, which cannot read or write all of it."""

    code = "newer_home"
    hint = "Run that version, or restore the backup made before the upgrade: docs/guides/upgrade.md"


class StorageFull(Failure):
    status = 507
    code = "storage_full"
    hint = "Free disk space on the server; nothing of this request was kept."
    retry_after = 30


class LimitExceeded(Failure):
    """A question went over a limit; the message names the limit and its setting."""

    status = 422
    code = "limit_exceeded"

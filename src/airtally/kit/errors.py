"""The failures that are answered to callers, one class for each kind. Every API writes them in its own body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class Failure(Exception):
    """Base class. `message` may be shown to the caller; `hint` says what to do about it.

    `details` are additional members of the native API's error body. `retry_after` is in seconds.
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
    """An error of the program itself: the log has the details, the answer does not."""


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
    """The stored data was written by a newer version of the program, which this one cannot read or write fully."""

    code = "newer_home"
    hint = "Run that version, or restore the backup made before the upgrade: docs/guides/upgrade.md"


class StorageFull(Failure):
    status = 507
    code = "storage_full"
    hint = "Free disk space on the server; nothing of this request was kept."
    retry_after = 30


class LimitExceeded(Failure):
    """A query exceeded a limit; the message names the limit and its setting."""

    status = 422
    code = "limit_exceeded"

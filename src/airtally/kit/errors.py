"""The failures that are answered to callers, one class for each kind. Every API writes them in its own body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class Failure(Exception):
    """Base class. `message` may be shown to the caller; `hint` says what to do about it.

    `details` are additional members of the native API's error body, `headers` additional headers of its answer.
    `retry_after` is in seconds.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    hint: str = ""
    retry_after: int | None = None
    details: Mapping[str, Any] = {}
    headers: Mapping[str, str] = {}

    def __init__(self, message: str, *, hint: str = "", retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or type(self).hint
        if retry_after is not None:
            self.retry_after = retry_after


class Internal(Failure):
    """An error of the program itself: the log has the details, the answer does not."""


class BadRequest(Failure):
    """The request cannot be read; the message says where."""

    status = 400
    code = "bad_request"


class Unauthorized(Failure):
    """The key, token or session is missing, unknown, revoked or expired."""

    status = 401
    code = "unauthorized"


class Forbidden(Failure):
    """The key is right, but may not do this."""

    status = 403
    code = "forbidden"


class NotFound(Failure):
    """There is no such path or record, or it belongs to another account."""

    status = 404
    code = "not_found"


class MethodNotAllowed(Failure):
    """The path is there, but not for this method.

    `allow` is the value of the header `Allow`, which every owner of a path sends with it.
    """

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: str = "") -> None:
        super().__init__(message)
        self.allow = allow


class NotAcceptable(Failure):
    """The answer has none of the types that `Accept` takes; the hint lists those that it has."""

    status = 406
    code = "not_acceptable"


class TimedOut(Failure):
    """The client sent too slowly; send again."""

    status = 408
    code = "timed_out"


class Conflict(Failure):
    """Another request or record is in the way; the message names it."""

    status = 409
    code = "conflict"


class TooLarge(Failure):
    """The body is larger than its path takes; send it in pieces."""

    status = 413
    code = "too_large"


class UnsupportedMedia(Failure):
    """The `Content-Type` or `Content-Encoding` is none that the path takes."""

    status = 415
    code = "unsupported_media_type"


class Unprocessable(Failure):
    """The request can be read, but a value in it cannot be used; the message names it."""

    status = 422
    code = "unprocessable"


class TooManyRequests(Failure):
    """A limit on calls, connections, jobs or buffered rows is reached; try again later."""

    status = 429
    code = "too_many_requests"
    retry_after = 1


class Unavailable(Failure):
    """A part that the answer needs cannot be reached now; try again later."""

    status = 503
    code = "unavailable"
    retry_after = 5


class NewerHome(Unavailable):
    """The stored data was written by a newer version of the program, which this one cannot read or write fully."""

    code = "newer_home"
    hint = "Run that version, or restore the backup made before the upgrade: docs/guides/upgrade.md"


class StorageFull(Failure):
    """The server's disk or database is full."""

    status = 507
    code = "storage_full"
    hint = "Free disk space on the server; nothing of this request was kept."
    retry_after = 30


class LimitExceeded(Failure):
    """A query exceeded a limit; the message names the limit and its setting."""

    status = 422
    code = "limit_exceeded"


class TooLargeAtOnce(LimitExceeded):
    """A query exceeded a limit of answers that are waited for: it can be exported."""

"""What can go wrong between a program and the server. All are AirtallyError."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from airtally.client.sent import SendResult


class Again(Enum):
    """Whether a repeatable request is sent again after an error."""

    NO = "no"
    A_FEW_TIMES = "a few times"
    UNTIL_PATIENCE_ENDS = "until patience ends"


class AirtallyError(Exception):
    """Base class. `sent` is set by `send`: what the server acknowledged of the call's rows before it failed."""

    again: ClassVar[Again] = Again.NO
    retry_after: float | None = None
    sent: SendResult | None = None


class ConnectionFailed(AirtallyError):
    """The server could not be reached, or the connection ended before the whole answer was there."""

    again = Again.UNTIL_PATIENCE_ENDS


class AnswerTimedOut(ConnectionFailed):
    """The connection or the answer took longer than the client's timeout."""


class GarbledAnswer(AirtallyError):
    """The answer is none that an Airtally server gives: perhaps a proxy's page, or one that was cut."""

    again = Again.A_FEW_TIMES


class AnswerDeferred(AirtallyError):
    """The question is too large to answer at once. The server makes an export of what was asked: `export_id`.

    That is the first page of it, if it was asked for in pages: `export(query=…)` gives all of it.
    """

    def __init__(self, export_id: int) -> None:
        super().__init__(f"The answer is too large to be given at once; the server makes export {export_id} of it")
        self.export_id = export_id


class RowNotEncodable(AirtallyError):
    """A row holds a value that JSON has no form for. `index` is the row's position among those given, from 0."""

    def __init__(self, index: int, why: object) -> None:
        super().__init__(f"Row {index} cannot be written as JSON: {why}")
        self.index = index


class ApiError(AirtallyError):
    """The server refused the request, with `application/problem+json`.

    `code` is for programs, `detail` and `hint` are for people. `details` has the further members of the answer,
    `retry_after` the seconds that the server asks to wait.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        hint: str = "",
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}" + (f" ({hint})" if hint else ""))
        self.status = status
        self.code = code
        self.detail = detail
        self.hint = hint
        self.retry_after = retry_after
        self.details = details or {}


class InvalidRequest(ApiError):
    """The server cannot use the request as it is (400, 405, 406, 410, 413, 415, 422 and the like)."""


class NotAuthenticated(ApiError):
    """The key is missing, unknown, revoked or expired (401)."""


class NotPermitted(ApiError):
    """The key is right, but may not do this (403)."""


class MissingResource(ApiError):
    """There is no such path or record, or it belongs to another account (404)."""


class ConflictingRequest(ApiError):
    """Another request or record is in the way (409)."""


class RequestUnderWay(ConflictingRequest):
    """The first request with the same `Idempotency-Key` is not finished yet (409 with `Retry-After`)."""

    again = Again.UNTIL_PATIENCE_ENDS


class ServerBusy(ApiError):
    """The server asks to come back later (408, 429, 503, 507)."""

    again = Again.UNTIL_PATIENCE_ENDS


class ServerFailed(ApiError):
    """The server, or a proxy before it, failed (500 and others)."""

    again = Again.A_FEW_TIMES

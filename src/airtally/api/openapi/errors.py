"""Every error of an operation, as problem+json with its code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from airtally.accounts.request_keys import OutcomeUnknown
from airtally.api.openapi.headers import LIMIT_HEADERS, Headers
from airtally.api.operation import Operation
from airtally.api.problems import MEDIA_TYPE, Problem
from airtally.engine.protocol import FilesMissing
from airtally.kit.errors import (
    BadRequest,
    Conflict,
    Failure,
    Forbidden,
    Internal,
    NewerHome,
    NotFound,
    StorageFull,
    TimedOut,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unprocessable,
    UnsupportedMedia,
)
from airtally.kit.openapi import JsonObject, content, header, prose, ref
from airtally.storage.lake.damage import TableDamaged

Kinds = Sequence[type[Failure]]

#: What the server may answer at any time.
ALWAYS: Kinds = (BadRequest, Internal, TooManyRequests, Unavailable, NewerHome, FilesMissing, TableDamaged, StorageFull)
OF_CALLERS: Kinds = (Unauthorized, Forbidden, NotFound)
OF_BODIES: Kinds = (TimedOut, TooLarge, UnsupportedMedia)

_HEADERS = {
    401: {"WWW-Authenticate": header("How to authenticate: `Bearer`, or `Basic` to log in.")},
    405: {"Allow": header("The methods that the path takes.")},
}


def failures_of(operation: Operation) -> list[type[Failure]]:
    """The classes of what an operation may answer instead of success."""
    found: list[type[Failure]] = [*ALWAYS, *operation.declared.failures]
    if operation.declared.permission is not None:
        found += OF_CALLERS
    if operation.takes_body:
        found += OF_BODIES
    if operation.takes_key:
        found += [Conflict, OutcomeUnknown]
    return [*found, Unprocessable]  # every operation refuses fields that it does not have


class Problems:
    """Error responses; those with the same codes are one component."""

    def __init__(self) -> None:
        self.components: JsonObject = {}

    def responses(self, failures: Iterable[type[Failure]]) -> JsonObject:
        """By status."""
        in_order = sorted({each.code: each for each in failures}.values(), key=lambda each: (each.status, each.code))
        return {
            str(status): self._component(status, list(kinds))
            for status, kinds in groupby(in_order, key=lambda each: each.status)
        }

    def _component(self, status: int, kinds: list[type[Failure]]) -> JsonObject:
        name = ".".join(each.code for each in kinds)
        self.components.setdefault(name, _problem_response(status, kinds))
        return ref(name, "responses")


def _problem_response(status: int, kinds: list[type[Failure]]) -> JsonObject:
    codes = [each.code for each in kinds]
    told = {"properties": {"status": {"const": status}, "code": {"type": "string", "enum": codes}}}
    examples = {each.code: problem_example(each) for each in kinds}
    return {
        "description": " ".join(_when(each) for each in kinds),
        "headers": _headers_of(status, kinds),
        "content": content({"allOf": [ref("Problem"), told]}, None, MEDIA_TYPE, **examples),
    }


def _headers_of(status: int, kinds: list[type[Failure]]) -> Headers:
    found = dict(_HEADERS.get(status, {}))
    if status in {409, 429} or any(each.retry_after is not None for each in kinds):
        found["Retry-After"] = header("Seconds to wait before the next try.", {"type": "integer", "minimum": 0})
    return found | ({} if status in {401, 403} else LIMIT_HEADERS)


def problem_example(kind: type[Failure]) -> JsonObject:
    title = kind.code.replace("_", " ").capitalize()
    return {"title": title, "status": kind.status, "code": kind.code, "detail": _when(kind)}


def _when(kind: type[Failure]) -> str:
    return prose(kind.__doc__).partition("\n\n")[0]


#: Its schema is a component.
PROBLEM = Problem

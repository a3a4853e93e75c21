"""Responses of failures, each written by the vendor's own encoder, so that its form cannot differ from the wire's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import MediaType, Request, Response

from airtally.engine.protocol import FilesMissing
from airtally.kit.errors import (
    BadRequest,
    Failure,
    Internal,
    LimitExceeded,
    StorageFull,
    TimedOut,
    TooLarge,
    TooManyRequests,
    Unavailable,
)
from airtally.kit.openapi import TEXT, JsonObject, header, prose
from airtally.vendors.openapi.declared import ErrorSchemas
from airtally.web.areas import Responder

#: What any call may answer that needs no store.
ANY_PREFLIGHT = (
    BadRequest("A request must have exactly one Host header"),
    Internal("Internal error: the server's log has the details"),
)
#: What any other call may answer.
ANY_CALL = (
    *ANY_PREFLIGHT,
    Unavailable("The metadata store cannot be reached"),
    StorageFull("The disk is full"),
)
#: Of calls that read rows.
ANY_QUESTION = (
    LimitExceeded("The answer would need more memory than a query may take"),
    FilesMissing("A data file cannot be read"),
)
#: Of calls whose body is read.
ANY_BODY = (
    TooLarge("The body is too large"),
    TimedOut("The body comes more slowly than 1024 bytes a second"),
    TooManyRequests("The server has no memory for more bodies at this moment"),
)
_ACCEPTED = (b"application/json", b"text/html")
_ABOUT_HEADERS = {
    "Access-Control-Allow-Credentials": "Whether pages may send credentials.",
    "Access-Control-Allow-Origin": "Which pages may read the answer.",
    "Access-Control-Expose-Headers": "Which headers pages may read.",
    "Cache-Control": "Whether the answer may be kept.",
    "Retry-After": "Seconds to wait before the next try.",
    "Vary": "What the form of the answer depends on.",
    "WWW-Authenticate": "How to authenticate.",
}


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A call as the encoders of failures see it."""

    method: str
    path: str
    respond: Responder

    def answers(self, failure: Failure) -> Iterable[Response[Any]]:
        """The answer in each form that the header `Accept` can ask for."""
        found: dict[str, Response[Any]] = {}
        for accepted in _ACCEPTED:
            answer = self.respond(failure, self._request_accepting(accepted))
            found.setdefault(_media_type(answer), answer)
        return found.values()

    def _request_accepting(self, accepted: bytes) -> Request[Any, Any, Any]:
        headers = [(b"host", b"airtally"), (b"accept", accepted)]
        scope = {"type": "http", "method": self.method, "path": self.path, "headers": headers, "query_string": b""}
        return Request({**scope, "state": {}})  # type: ignore[arg-type]  # encoders read nothing else


def failure_responses(call: FailedCall, failures: Iterable[Failure], schemas: ErrorSchemas) -> dict[int, JsonObject]:
    """By status, with an example of each different body."""
    found: dict[int, JsonObject] = {}
    for failure in failures:
        for answer in call.answers(failure):
            _add_answer(found.setdefault(answer.status_code or 500, {"description": ""}), failure, answer, schemas)
    return found


def merged(one: JsonObject, other: JsonObject) -> JsonObject:
    """One response for two of the same status: its body is either."""
    found = {**one, "description": f"{one['description']} {other['description']}"}
    if headers := one.get("headers", {}) | other.get("headers", {}):
        found["headers"] = headers
    found["content"] = dict(one.get("content", {}))
    for media_type, body in other.get("content", {}).items():
        known = found["content"].get(media_type)
        found["content"][media_type] = body if known is None else _either_body(known, body)
    return found


def _either_body(one: JsonObject, other: JsonObject) -> JsonObject:
    return {
        "schema": {"anyOf": [one["schema"], other["schema"]]},
        "examples": one.get("examples", {}) | other.get("examples", {}),
    }


def _add_answer(response: JsonObject, failure: Failure, answer: Response[Any], schemas: ErrorSchemas) -> None:
    when = _class_sentence(failure)
    if when not in response["description"]:
        response["description"] = f"{response['description']} {when}".strip()
    headers = {name: header(_ABOUT_HEADERS[name]) for name in answer.headers if name in _ABOUT_HEADERS}
    if headers:
        response.setdefault("headers", {}).update(headers)
    media_type = _media_type(answer)
    schema = schemas.get(answer.status_code or 500, schemas.get(0, TEXT)) if "json" in media_type else TEXT
    content = response.setdefault("content", {}).setdefault(media_type, {"schema": dict(schema)})
    body = _example_of(answer)
    if body is not None and all(each["value"] != body for each in content.get("examples", {}).values()):
        content.setdefault("examples", {})[_example_name(failure)] = {"value": body}


def _example_of(answer: Response[Any]) -> Any:
    """As an example; None for a page."""
    if "json" in _media_type(answer):
        return msgspec.json.decode(answer.content) if isinstance(answer.content, bytes) else answer.content
    return None if "html" in _media_type(answer) else bytes(answer.content).decode()


def _media_type(answer: Response[Any]) -> str:
    kind = answer.media_type or MediaType.JSON  # as the framework sends what is no text
    return str(kind.value if isinstance(kind, MediaType) else kind)


def _class_sentence(failure: Failure) -> str:
    """The first sentence of the failure's class."""
    return prose(type(failure).__doc__).partition("\n\n")[0]


def _example_name(failure: Failure) -> str:
    return re.sub(r"\W+", "_", failure.message.lower()).strip("_")[:60]


def with_failures(success: Mapping[int, JsonObject], failed: Mapping[int, JsonObject]) -> JsonObject:
    """All responses of an operation, by status as text."""
    found = {
        status: merged(success[status], failed[status]) if status in success and status in failed else each
        for status, each in {**failed, **success}.items()
    }
    return {str(status): found[status] for status in sorted(found)}

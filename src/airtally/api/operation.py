"""A declared operation of the native API. Its route, its checks and its part of the OpenAPI document follow from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, get_args, get_type_hints

import msgspec

from airtally.accounts.accounts import Account
from airtally.accounts.permissions import Permission
from airtally.accounts.principal import Principal
from airtally.kit.errors import BadRequest, Failure, NotFound, Unauthorized
from airtally.web.requests import AnyRequest

Q = TypeVar("Q")
B = TypeVar("B")
H = TypeVar("H", bound=Callable[..., Any])
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

PREFIX = "/api/v1"
JSON = "application/json"
#: Longest body of an operation that says nothing else.
MAX_BODY = 1 << 20
#: The largest id that the databases hold.
_MAX_ID = 2**63 - 1


class NoFields(msgspec.Struct, forbid_unknown_fields=True):
    """A query string without fields."""


@dataclass(frozen=True, slots=True)
class OperationCall(Generic[Q, B]):
    """One call of an operation, whose caller may make it. `query` and `body` are read and valid.

    `chosen` is the account that the call is about: the caller's, or the one that an operator names; None where nobody
    calls, and for a command that names none.
    """

    request: AnyRequest
    principal: Principal | None
    query: Q
    body: B
    chosen: Account | None

    @property
    def account(self) -> Account:
        """Raises Unauthorized for a call without a caller, BadRequest for a command that names no account."""
        if self.principal is None:
            raise Unauthorized("The call has no caller")
        if self.chosen is None:
            raise BadRequest("No account is named", hint="Give --account")
        return self.chosen

    def may(self, permission: Permission) -> bool:
        return self.principal is not None and permission in self.principal.scopes

    def text(self, name: str) -> str:
        """A parameter of the path. Raises NotFound for one with a NUL: no name has it, and PostgreSQL takes none."""
        text = str(self.request.path_params[name])
        if "\0" in text:
            raise _nothing_named(name, text)
        return text

    def number(self, name: str) -> int:
        """An id in the path. Raises NotFound for what cannot be one."""
        text = self.text(name)
        if not re.fullmatch(r"[0-9]{1,19}", text) or not 0 < int(text) <= _MAX_ID:
            raise _nothing_named(name, text)
        return int(text)


def _nothing_named(parameter: str, text: str) -> NotFound:
    return NotFound(f"There is no {parameter.removesuffix('_id').replace('_', ' ')} {text[:64]!r}")


#: The call of an operation without fields and body.
PlainCall = OperationCall[NoFields, None]


@dataclass(frozen=True, slots=True)
class OperationReply:
    """An answer with another status, or with headers. `body` is written as JSON; None for no body."""

    body: Any
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What `operation` says of a handler; see there."""

    method: Method
    path: str
    permission: Permission | None
    summary: str
    status: int = 200
    answer: Any = None
    body_schema: Any = None
    query_schema: type[msgspec.Struct] | None = None
    failures: tuple[type[Failure], ...] = ()
    example: Any = None
    answer_example: Any = None
    media_types: tuple[str, ...] = (JSON,)
    body_types: tuple[str, ...] = (JSON,)
    raw: bool = False
    repeatable: bool = True
    keeps_key: bool = False
    logs_in: bool = False
    of_closed: bool = False
    max_body: int = MAX_BODY
    headers: Mapping[str, str] = field(default_factory=dict)
    path_values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """A declaration with its handler. `query`, `body` and `answer` are types; None: no body, an answer without one."""

    declared: Declared
    handler: Callable[[OperationCall[Any, Any]], Any]
    tag: str
    query: type[msgspec.Struct]
    body: Any
    answer: Any

    @property
    def id(self) -> str:
        """As `list_keys`: the handler's name, unique among all operations."""
        return self.handler.__name__

    @property
    def path(self) -> str:
        return PREFIX + self.declared.path

    @property
    def takes_body(self) -> bool:
        return self.declared.method != "GET" and (self.body is not None or self.declared.raw)

    @property
    def takes_key(self) -> bool:
        """Whether it honours `Idempotency-Key`."""
        return self.declared.method == "POST" and self.declared.repeatable and not self.declared.raw


def operation(
    method: Method, path: str, permission: Permission | None, summary: str, **options: Any
) -> Callable[[H], H]:
    """Declare a method of a resource as an operation. Its docstring is the description for callers.

    `path` is below `/api/v1`, with parameters as `{name}`. `permission`: None for anybody. The method takes an
    `OperationCall[Query, Body]` and returns what is written as JSON (None: 204 without a body), an `OperationReply`,
    or a Litestar response as it is; the schemas of the OpenAPI document are made of these types. Options: `status` of
    success; `answer`, its type if the annotation does not say; `failures` beyond what every operation may answer;
    `example` of a body and `answer_example`; `media_types` of an answer that is not JSON; `raw`: the method reads the query
    string and the body (bytes, of `body_types`) itself, and `query_schema` and `body_schema` say what they are;
    `repeatable=False`: no `Idempotency-Key`; `keeps_key`: the method honours it by itself; `logs_in`: it takes a name
    and password (HTTP Basic); `of_closed`: operators may make it about a closed account; `max_body` in bytes; `headers` of
    success with their descriptions; `path_values`: all that a parameter of the path may be, where they are few.
    """

    def declare(handler: H) -> H:
        handler.declared = Declared(method=method, path=path, permission=permission, summary=summary, **options)  # type: ignore[attr-defined]
        return handler

    return declare


def operations_of(resource: object, tag: str) -> list[Operation]:
    """The operations of a resource, in the order of its methods."""
    return [
        _operation(getattr(resource, name), tag)
        for name, each in vars(type(resource)).items()
        if hasattr(each, "declared")
    ]


def _operation(handler: Any, tag: str) -> Operation:
    declared: Declared = handler.declared
    hints = get_type_hints(handler)
    returned = hints.pop("return")
    query, body = get_args(next(iter(hints.values())))
    answer = declared.answer or returned
    if answer is OperationReply:
        raise TypeError(f"{handler.__name__} returns a reply: declare the type of its body as `answer`")
    none = type(None)
    return Operation(declared, handler, tag, query, None if body is none else body, None if answer is none else answer)

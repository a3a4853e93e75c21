"""Requests and answers as values, whichever transport carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from airtally.client.errors import GarbledAnswer

T = TypeVar("T")
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request below the server's address. `repeatable`: sending it twice has the effect of sending it once."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """A whole answer. The names of `headers` are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """Without its parameters, in small letters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """The body's value; None if there is no body. Raises GarbledAnswer if it is not JSON."""
        if not self.body:
            return None
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise GarbledAnswer(f"The answer is not JSON: {shown_beginning(self.body)}") from None


def read_as(answer: ApiAnswer, kind: type[T]) -> T:
    """The body of an answer as a struct. Raises GarbledAnswer."""
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise GarbledAnswer(f"The answer cannot be read: {shown_beginning(answer.body)}") from None


def shown_beginning(body: bytes) -> str:
    """The first characters of a body, for an error."""
    text = body[:200].decode(errors="replace")
    return repr(text if len(body) <= 200 else f"{text}…")

"""The call that a method gets, and the result that it returns.

docs/vendors/pushwoosh.md#1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from airtally.kit.errors import BadRequest
from airtally.kit.sent_json import decode_sent
from airtally.services import Services
from airtally.vendors.pushwoosh.choices import CHOICES


@dataclass(frozen=True, slots=True)
class Call:
    """`parameters` is the object under `request`; nothing of it is checked. `headers` are those of HTTP.

    `state` goes into the log's line of the request.
    """

    services: Services
    parameters: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    state: MutableMapping[str, Any] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """A parameter that is text and not empty."""
        value = self.parameters.get(name)
        return value if isinstance(value, str) and value else None


@dataclass(frozen=True, slots=True)
class MethodResult:
    """What stands under `response` of a success, and headers beside it."""

    response: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


#: Runs on a worker thread; raises Fault for what is wrong with the request.
Method = Callable[[Call], MethodResult]


def parameters_of(body: bytes, *, bare: bool) -> dict[str, Any]:
    """The object under `request`, whatever the Content-Type said. Raises BadRequest.

    With `bare` an object without `request` is the request itself.
    """
    try:
        whole = decode_sent(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        whole = None
    request = whole.get("request", whole if bare else None) if isinstance(whole, dict) else None
    if not isinstance(request, dict):
        raise BadRequest(CHOICES.malformed)
    return request

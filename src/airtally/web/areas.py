"""Areas: the owners of path prefixes, and the rules that apply before a handler is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response

from airtally.kit.errors import Failure
from airtally.web.callers import Reader

Responder = Callable[[Failure, Request[Any, Any, Any]], Response[Any]]

#: The longest body read from an unknown caller: where the credential is in the body, or there is none.
ANYBODY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Area:
    """The paths below `prefix`. `respond` writes a failure in the form of the API that owns them.

    `presented` reads the caller's credential from the headers, and without a valid one no body is read; None if the
    credential is in the body, or there is none. `body_bytes` is the longest body. `cross_origin`: pages of AIRTALLY_CORS_ORIGINS may call.
    """

    prefix: str
    name: str
    respond: Responder
    presented: Reader | None = None
    body_bytes: int = ANYBODY_BYTES
    cross_origin: bool = False

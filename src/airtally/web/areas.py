"""A part of the paths, and what holds for it before its handler is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response

from airtally.kit.errors import Failure
from airtally.web.callers import Reader

Responder = Callable[[Failure, Request[Any, Any, Any]], Response[Any]]

#: Where the caller is named in the body, or nowhere, this much of it is read of anybody.
ANYBODY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Area:
    """Who owns the paths below `prefix`. `respond` writes a failure in the owner's words.

    `presented` reads the caller's credential from the headers: without a right one no body is read. None: the
    credential stands in the body, or there is none. `body_bytes` is the longest body.
    """

    prefix: str
    name: str
    respond: Responder
    presented: Reader | None = None
    body_bytes: int = ANYBODY_BYTES

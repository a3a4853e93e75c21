"""Structured logs: one JSON object a line on standard error, no secrets."""

from __future__ import annotations

import logging
import sys

import msgspec
import structlog

from airtally.kit.errors import Failure, StorageFull, TooManyRequests, Unavailable

_requests = structlog.get_logger("airtally.requests")


def configure(level: str = "info") -> None:
    """Called once by the command line; libraries' own logs come through at warning and above."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_encode_event),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")


def log_failure(failure: Failure, path: str) -> None:
    """Of a request that the server could not answer as it should.

    Trouble that may pass (no room, a database away) has its cause in words, all else its stack trace.
    """
    cause = failure.__cause__
    passing = isinstance(failure, Unavailable | StorageFull | TooManyRequests)
    _requests.error(
        "request failed",
        path=path[:256],
        code=failure.code,
        reason=failure.message,
        cause=None if cause is None else f"{type(cause).__name__}: {cause}"[:1000],
        exc_info=None if passing else cause or failure,
    )


def _encode_event(event: object, **_: object) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)

"""Structured logs: one JSON object a line on standard error, no secrets."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import BinaryIO, cast

import msgspec
import structlog

from airtally.kit.errors import Failure, StorageFull, TooManyRequests, Unavailable

_requests = structlog.get_logger("airtally.requests")


class _StandardError:
    """Standard error as it is when a line is written. A line that cannot be written is dropped.

    A full disk beneath the log, or a reader that has gone, must not end the loop or the request that logs.
    """

    def write(self, line: bytes) -> None:
        with suppress(OSError, ValueError):  # ValueError: it is closed
            sys.stderr.buffer.write(line)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.buffer.flush()


def configure(level: str = "info") -> None:
    """Set up logging, once, from the command line. Libraries log at warning and above."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_encode_event),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.BytesLoggerFactory(file=cast(BinaryIO, _StandardError())),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")


def log_failure(failure: Failure, path: str) -> None:
    """Log a request that failed on the server's side.

    Failures that may pass (a full disk, an unreachable database) are logged with their cause, all others with a
    stack trace.
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

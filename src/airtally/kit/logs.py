"""Structured logs: one JSON object a line on standard error, no secrets."""

from __future__ import annotations

import logging
import sys

import msgspec
import structlog


def configure(level: str = "info") -> None:
    """Called once by the command line; libraries' own logs come through at warning and above."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")


def _json(event: object, **_: object) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)

"""A typed client of Airtally's own API, for threads and for asyncio: `from airtally import Client, AsyncClient`."""

from __future__ import annotations

from airtally.client.aio import AsyncClient
from airtally.client.asking import RowsPage, TablePage
from airtally.client.batches import BatchSize
from airtally.client.errors import (
    AirtallyError,
    AnswerDeferred,
    AnswerTimedOut,
    ApiError,
    ConflictingRequest,
    ConnectionFailed,
    GarbledAnswer,
    InvalidRequest,
    MissingResource,
    NotAuthenticated,
    NotPermitted,
    RowNotEncodable,
    ServerBusy,
    ServerFailed,
)
from airtally.client.exports import ExportNotDone, MadeExport
from airtally.client.messages import ApiAnswer
from airtally.client.results import AsyncQueryRows, QueryRows
from airtally.client.retry import RetryRules
from airtally.client.sent import Rejection, SendResult
from airtally.client.threads import Client

__all__ = [
    "AirtallyError",
    "AnswerDeferred",
    "AnswerTimedOut",
    "ApiAnswer",
    "ApiError",
    "AsyncClient",
    "AsyncQueryRows",
    "BatchSize",
    "Client",
    "ConflictingRequest",
    "ConnectionFailed",
    "ExportNotDone",
    "GarbledAnswer",
    "InvalidRequest",
    "MadeExport",
    "MissingResource",
    "NotAuthenticated",
    "NotPermitted",
    "QueryRows",
    "Rejection",
    "RetryRules",
    "RowNotEncodable",
    "RowsPage",
    "SendResult",
    "ServerBusy",
    "ServerFailed",
    "TablePage",
]

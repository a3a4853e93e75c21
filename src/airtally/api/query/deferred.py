"""A question that is not answered at once but exported: 202, and where its export is found."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response

from airtally.api.exports.answers import export_answer
from airtally.api.exports.routes import accepted, requested_by
from airtally.api.formats import AnswerFormat, accepted_format
from airtally.api.operation import JSON, OperationCall
from airtally.api.query.body import QueryBody
from airtally.exports.export import QUESTION_KEY
from airtally.exports.spec import ExportFormat, ExportSpec
from airtally.kit.time import MINUTE_US
from airtally.services import Services

#: The format of files that is nearest to the one asked for.
FILE_FORMATS: Mapping[AnswerFormat, ExportFormat] = {
    AnswerFormat.JSON: ExportFormat.NDJSON,
    AnswerFormat.NDJSON: ExportFormat.NDJSON,
    AnswerFormat.CSV: ExportFormat.CSV,
    AnswerFormat.PARQUET: ExportFormat.PARQUET,
    AnswerFormat.ARROW: ExportFormat.PARQUET,
}


def can_be_deferred(asked: QueryBody) -> bool:
    """Pages and comparisons are answered at once, or not at all."""
    return asked.cursor is None and asked.compare is None


def prefers_to_wait(prefer: str) -> bool:
    """Whether a header `Prefer` (RFC 7240) has `respond-async`."""
    return "respond-async" in {part.partition(";")[0].strip().lower() for part in prefer.split(",")}


def deferred(
    services: Services, call: OperationCall[Any, Any], asked: QueryBody, accept: str, *, preferred: bool = False
) -> Response[bytes]:
    """The same question of the same minute, as of a client that asks again, has one export."""
    form = accepted_format(accept) if asked.format is None else asked.format
    query = {name: value for name, value in msgspec.to_builtins(asked).items() if value and name != "format"}
    return deferred_export(services, call, ExportSpec(query=query, format=FILE_FORMATS[form]), preferred=preferred)


def deferred_export(
    services: Services, call: OperationCall[Any, Any], spec: ExportSpec, *, preferred: bool
) -> Response[bytes]:
    """202, with the one export of the same specification of the same minute; `preferred`: as the caller wished."""
    minute = services.clock.now_us() // MINUTE_US
    digest = hashlib.sha256(msgspec.json.encode(spec, order="sorted")).hexdigest()[:32]
    export = services.exports.exports.create(
        call.account, spec, requested_by=requested_by(call.principal), key=f"{QUESTION_KEY}{minute}:{digest}"
    )
    headers = dict(accepted(export).headers) | {"Cache-Control": "no-store"}
    if preferred:
        headers["Preference-Applied"] = "respond-async"
    return Response(msgspec.json.encode(export_answer(export)), status_code=202, media_type=JSON, headers=headers)

"""`POST /api/v1/sql`: one SELECT over the account's own tables."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
from litestar import Response

from airtally.accounts.permissions import Permission
from airtally.api.formats import ANSWER_TYPES, MEDIA_TYPES, AnswerFormat, accepted_format, rows_as_json, written_rows
from airtally.api.operation import NoFields, OperationCall, operation
from airtally.api.problems import MAX_WORDS
from airtally.api.query.deferred import FILE_FORMATS, deferred_export, prefers_to_wait
from airtally.exports.spec import ExportSpec
from airtally.kit.errors import BadRequest, LimitExceeded, NotAcceptable, TooLargeAtOnce, Unprocessable
from airtally.kit.quality import quality_headers, rfc3339
from airtally.kit.sent_json import decode_sent
from airtally.query.sql_service import SqlAnswer
from airtally.services import Services
from airtally.sql.dsl.read import MAX_CHARACTERS
from airtally.sql.dsl.refusal import StatementRefused, quoted

#: A character has at most 6 bytes as JSON writes it.
MAX_SQL_BODY = 6 * MAX_CHARACTERS + 1024


class SqlBody(msgspec.Struct, forbid_unknown_fields=True):
    sql: str


class SqlResource:
    def __init__(self, services: Services) -> None:
        self._services, self._sql = services, services.sql

    @operation(
        *("POST", "/sql", Permission.READ, "Run a SELECT"),
        raw=True,
        max_body=MAX_SQL_BODY,
        body_schema=SqlBody,
        body_types=("application/json", "application/sql", "text/plain"),
        media_types=ANSWER_TYPES,
        failures=(NotAcceptable, LimitExceeded, StatementRefused),
        headers={"Location": "Where the export is found, with status 202."},
        example={"sql": "SELECT player_id, count(*) AS plays FROM playlogs GROUP BY player_id"},
    )
    def run_sql(self, call: OperationCall[NoFields, bytes]) -> Response[Any]:
        """One statement of DuckDB's dialect over the account's own streams and rollups.

        An answer that is too large becomes an export: 202, with `Location`. `Prefer: respond-async` asks for one.
        """
        headers = call.request.headers
        form = accepted_format(headers.get("accept", ""))
        text = _read_text(call.body, headers.get("content-type", ""))
        spec = ExportSpec(sql=text, format=FILE_FORMATS[form])
        if prefers_to_wait(headers.get("prefer", "")):
            return deferred_export(self._services, call, spec, preferred=True)
        try:
            answer = self._sql.answer(call.account.slug, text)
        except TooLargeAtOnce:
            return deferred_export(self._services, call, spec, preferred=False)
        try:
            return _respond(answer, form)
        except (OverflowError, ValueError, pa.ArrowException):  # a year after 9999, an interval in Parquet
            raise _unwritable(answer.table, form) from None


def _unwritable(table: pa.Table, form: AnswerFormat) -> Unprocessable:
    """Names the first column that cannot be written."""
    name = next((each for each in table.column_names if not _can_be_written(table.select([each]), form)), "")
    return Unprocessable(f"The column {quoted(name)} has a value that {form} cannot hold", hint="Cast it to text.")


def _can_be_written(table: pa.Table, form: AnswerFormat) -> bool:
    try:
        msgspec.json.encode(rows_as_json(table)) if form is AnswerFormat.JSON else written_rows(table, form)
    except (OverflowError, ValueError, pa.ArrowException):
        return False
    return True


def _read_text(body: bytes, media_type: str) -> str:
    """The statement itself as `text/plain` or `application/sql`, else an object with it. Raises BadRequest, Unprocessable."""
    try:
        if media_type.partition(";")[0].strip().lower() in {"text/plain", "application/sql"}:
            return body.decode()
        return decode_sent(body, SqlBody).sql
    except msgspec.ValidationError as error:
        raise Unprocessable(f"The body is no statement: {error}"[:MAX_WORDS]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body cannot be read: {error}"[:MAX_WORDS]) from None


def _respond(answer: SqlAnswer, form: AnswerFormat) -> Response[Any]:
    quality = {
        "data_through": rfc3339(answer.data_through_us),
        "generated_at": rfc3339(answer.generated_at_us),
        "timezone": "UTC",
        "elapsed_ms": round(1000 * answer.elapsed_seconds, 1),
        "row_count": answer.table.num_rows,
    }
    if form is AnswerFormat.JSON:
        columns = [{"name": field.name, "type": str(field.type)} for field in answer.table.schema]
        body = {"columns": columns, "rows": rows_as_json(answer.table), "tables": list(answer.tables), **quality}
        return Response(msgspec.json.encode(body), media_type=MEDIA_TYPES[form][0])
    headers = quality_headers(
        data_through_us=answer.data_through_us, generated_at_us=answer.generated_at_us, timezone="UTC"
    )
    headers |= {"Airtally-Elapsed-Ms": str(quality["elapsed_ms"]), "Airtally-Rows": str(answer.table.num_rows)}
    return Response(written_rows(answer.table, form), media_type=MEDIA_TYPES[form][0], headers=headers)

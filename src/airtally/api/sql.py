"""`POST /api/v1/sql`: one SELECT over the account's own tables."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.params import RawBody

from airtally.api.authorize import authorize
from airtally.api.formats import MEDIA_TYPES, AnswerFormat, accepted_format, rows_as_json, written_rows
from airtally.kit.errors import BadRequest, Unprocessable
from airtally.kit.time import to_datetime
from airtally.query.sql_service import SqlAnswer
from airtally.services import Services
from airtally.sql.dsl.read import MAX_CHARACTERS
from airtally.web.requests import note_account

#: A character has at most 6 bytes as JSON writes it.
MAX_SQL_BODY = 6 * MAX_CHARACTERS + 1024
MAX_WORDS = 400


class SqlBody(msgspec.Struct, forbid_unknown_fields=True):
    sql: str


def routes(services: Services) -> list[Any]:
    @post("/api/v1/sql", status_code=200, sync_to_thread=True, request_max_body_size=MAX_SQL_BODY)
    def run_sql(request: Request[Any, Any, Any], body: RawBody) -> Response[Any]:
        account = authorize(services.access.keys, request.headers.get("authorization", ""), "read").account
        note_account(request, account.slug)
        form = accepted_format(request.headers.get("accept", ""))
        text = _read_text(body, request.headers.get("content-type", ""))
        answer = services.sql.answer(account.slug, text)
        try:
            return _respond(answer, form)
        except (OverflowError, ValueError):  # a year after 9999, a structure with two fields of one name
            raise Unprocessable(f"The answer has a value that {form} cannot hold", hint="Cast it to text.") from None

    return [run_sql]


def _read_text(body: bytes, media_type: str) -> str:
    """The statement itself as `text/plain` or `application/sql`, else an object with it. Raises BadRequest, Unprocessable."""
    try:
        if media_type.partition(";")[0].strip().lower() in {"text/plain", "application/sql"}:
            return body.decode()
        return msgspec.json.decode(body, type=SqlBody).sql
    except msgspec.ValidationError as error:
        raise Unprocessable(f"The body is no statement: {error}"[:MAX_WORDS]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body cannot be read: {error}"[:MAX_WORDS]) from None


def _respond(answer: SqlAnswer, form: AnswerFormat) -> Response[Any]:
    quality = {
        "data_through": to_datetime(answer.data_through_us).isoformat(),
        "generated_at": to_datetime(answer.generated_at_us).isoformat(),
        "timezone": "UTC",
        "elapsed_ms": round(1000 * answer.elapsed_seconds, 1),
        "row_count": answer.table.num_rows,
    }
    if form is AnswerFormat.JSON:
        columns = [{"name": field.name, "type": str(field.type)} for field in answer.table.schema]
        body = {"columns": columns, "rows": rows_as_json(answer.table), "tables": list(answer.tables), **quality}
        return Response(msgspec.json.encode(body), media_type=MEDIA_TYPES[form][0])
    headers = {
        "Airtally-Data-Through": quality["data_through"],
        "Airtally-Generated-At": quality["generated_at"],
        "Airtally-Timezone": "UTC",
        "Airtally-Elapsed-Ms": str(quality["elapsed_ms"]),
        "Airtally-Row-Count": str(quality["row_count"]),
    }
    return Response(written_rows(answer.table, form), media_type=MEDIA_TYPES[form][0], headers=headers)

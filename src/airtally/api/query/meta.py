"""What an answer says about itself: in the body of JSON, and in headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airtally.api.query.plan import PlannedQuery
from airtally.api.query.result import QueryResult
from airtally.kit.quality import quality_headers
from airtally.kit.time import to_datetime
from airtally.query.distinct import STANDARD_ERROR
from airtally.query.question import Question


def meta_of(result: QueryResult, elapsed_ms: float) -> dict[str, Any]:
    plan = result.plan
    meta: dict[str, Any] = {
        "columns": _columns_meta(result),
        "rows": result.table.num_rows,
        "rows_read": result.rows_read,
        "answered_from": result.sources,
        "elapsed_ms": round(elapsed_ms, 3),
        "data_through": to_datetime(result.data_through_us).isoformat(),
        "generated_at": to_datetime(result.generated_at_us).isoformat(),
        "timezone": result.answers[0].timezone,
        "interval": _interval_meta(plan, plan.question),
    }
    if plan.earlier is not None:
        meta["previous_interval"] = _interval_meta(plan, plan.earlier)
    return meta


def headers_of(result: QueryResult, meta: Mapping[str, Any]) -> dict[str, str]:
    headers = quality_headers(
        data_through_us=result.data_through_us,
        generated_at_us=result.generated_at_us,
        timezone=result.answers[0].timezone,
    )
    headers |= {
        "Airtally-Rows": str(meta["rows"]),
        "Airtally-Rows-Read": str(meta["rows_read"]),
        "Airtally-Answered-From": ", ".join(meta["answered_from"]),
        "Airtally-Elapsed-Ms": str(meta["elapsed_ms"]),
        "Vary": "Accept, Authorization",
    }
    if result.approximate:
        headers["Airtally-Standard-Error"] = str(STANDARD_ERROR)
    return headers | ({} if result.next is None else {"Airtally-Next": result.next})


def _columns_meta(result: QueryResult) -> list[dict[str, Any]]:
    """Each with its type and unit; a distinct count says whether it is exact."""
    approximate = set(result.approximate)
    distinct = result.plan.distinct
    found = []
    for each in result.plan.columns:
        column: dict[str, Any] = {"name": each.name, "type": each.kind}
        if each.unit is not None:
            column["unit"] = each.unit
        if each.source in distinct:
            column["exact"] = each.name not in approximate
            if each.name in approximate:
                column["standard_error"] = STANDARD_ERROR
        found.append(column)
    return found


def _interval_meta(plan: PlannedQuery, question: Question) -> dict[str, str | None]:
    return {"start": _end_text(plan, question.start_us), "end": _end_text(plan, question.end_us)}


def _end_text(plan: PlannedQuery, at_us: int | None) -> str | None:
    if at_us is None:
        return None
    return plan.time_text(at_us)

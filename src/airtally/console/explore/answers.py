"""Asks the native API for a state, and keeps what it answered or why it did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from litestar import Response

from airtally.api.formats import MEDIA_TYPES, AnswerFormat
from airtally.api.operation import JSON
from airtally.console.explore.moments import plain_moment
from airtally.console.explore.question import AskedStream, fields_at_fault, question_of
from airtally.console.explore.state import AUTO, NO_GRAIN, ExploreState, wrong_choices
from airtally.console.operations import ConsoleOperations
from airtally.console.visits import Visit
from airtally.kit.errors import Failure, NotFound, Unprocessable

#: Forms of a file that Explore and SQL give.
DOWNLOADS: Mapping[str, AnswerFormat] = {"csv": AnswerFormat.CSV, "parquet": AnswerFormat.PARQUET}


@dataclass(frozen=True, slots=True)
class ExploreAnswer:
    """`faults` are reasons by field of the form, `failure` what is about no field alone.

    `export_id` is the export that an answer becomes that is too large; then, as with a failure, there are no rows.
    `instead` are states that can be answered where rows are gone.
    """

    state: ExploreState
    question: Mapping[str, Any] = field(default_factory=dict)
    stream: AskedStream | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    meta: Mapping[str, Any] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None
    export_id: int | None = None
    instead: tuple[ExploreState, ...] = ()

    @property
    def status(self) -> int:
        if self.failure is not None:
            return self.failure.status
        return Unprocessable.status if self.faults else 200

    @property
    def is_answered(self) -> bool:
        return bool(self.meta)


class ExploreAsker:
    """Asks on behalf of a visit."""

    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    def ask(self, visit: Visit, state: ExploreState) -> ExploreAnswer:
        """Raises the failures that are about no question: Forbidden, and those of 5xx."""
        try:
            stream = self._stream(visit, state.stream)
        except NotFound as failure:
            return ExploreAnswer(state, faults={"stream": failure.message, **wrong_choices(state)})
        question = question_of(state, stream, visit.now_us)
        asked, wrong = ExploreAnswer(state, question, stream), wrong_choices(state)
        if wrong:
            return replace(asked, faults=self._faults(visit, asked) | wrong)
        return self._answered(visit, asked)

    def file(self, visit: Visit, asked: ExploreAnswer, name: str) -> Response[Any]:
        """The answer as `csv` or `parquet`; 202 where it becomes an export. Raises the question's failures."""
        answered = self._response(visit, asked.question, MEDIA_TYPES[DOWNLOADS[name]][0])
        return as_file(answered, f"{asked.state.stream}.{name}")

    def _answered(self, visit: Visit, asked: ExploreAnswer) -> ExploreAnswer:
        try:
            response = self._response(visit, asked.question, JSON)
        except Failure as failure:
            if failure.status >= 500 or failure.status == 403:
                raise
            return self._refused(visit, asked, failure)
        body = msgspec.json.decode(response.content)
        if response.status_code == 202:
            return replace(asked, export_id=body["id"])
        return replace(asked, rows=body["rows"], meta=body["meta"])

    def _refused(self, visit: Visit, asked: ExploreAnswer, failure: Failure) -> ExploreAnswer:
        faults = self._faults(visit, asked)
        instead = tuple(_instead_state(asked.state, each) for each in failure.details.get("questions", ()))
        return replace(asked, faults=faults, failure=None if faults else failure, instead=instead)

    @staticmethod
    def _faults(visit: Visit, asked: ExploreAnswer) -> dict[str, str]:
        assert asked.stream is not None  # noqa: S101 (a question was asked)
        return fields_at_fault(asked.state, asked.question, asked.stream, visit.account, visit.now_us)

    def _response(self, visit: Visit, question: Mapping[str, Any], accept: str) -> Response[Any]:
        return self._operations.raw(visit, "query", body=msgspec.json.encode(question), accept=accept)

    def _stream(self, visit: Visit, name: str) -> AskedStream:
        found = self._operations.call(visit, "get_stream", path={"stream": name})
        return AskedStream(found.name, found.time, {each.name: each.type for each in found.columns})


def as_file(response: Response[Any], name: str) -> Response[Any]:
    """The response as a download, unless it tells of an export."""
    if response.status_code != 202:
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        response.headers["Cache-Control"] = "no-store"
    return response


def _instead_state(state: ExploreState, question: Mapping[str, Any]) -> ExploreState:
    """The state of a question that the API gives in place of another."""
    zone = question.get("timezone", state.zone)
    start, end = (plain_moment(question.get(name) or "", zone) for name in ("start", "end"))
    grain = AUTO if state.grain == AUTO else question.get("grain") or NO_GRAIN
    return replace(state, range="", start=start, end=end, zone=zone, grain=grain)

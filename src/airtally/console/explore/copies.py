"""The question of a page as what people take elsewhere: a call of curl, a program in Python, statements of SQL."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from airtally.console.explore.answers import ExploreAnswer
from airtally.console.explore.statement import statement_of


@dataclass(frozen=True, slots=True)
class CopiedQuestion:
    """`sql` are statements with what each gives; `sql_note` is where they would not give the same."""

    curl: str
    python: str
    sql: Mapping[str, str]
    sql_note: str


def copied_question(answer: ExploreAnswer, url: str) -> CopiedQuestion:
    """`url` is where this server is called, without a slash at its end."""
    return CopiedQuestion(_curl(answer.question, url), _python(answer.question, url), _sql(answer), _sql_note(answer))


def _curl(question: Mapping[str, Any], url: str) -> str:
    body = msgspec.json.format(msgspec.json.encode(question), indent=2).decode()
    return (
        f"curl -s {shlex.quote(url + '/api/v1/query')} \\\n"
        '  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)}"
    )


def _python(question: Mapping[str, Any], url: str) -> str:
    fields = {name: value for name, value in question.items() if name != "stream"}
    lines = "".join(f"        {name}={_literal(value)},\n" for name, value in fields.items())
    return (
        "import os\n\nfrom airtally import Client\n\n"
        f'with Client({_literal(url)}, os.environ["TOKEN"]) as client:\n'
        f"    rows = client.query(\n        {_literal(question['stream'])},\n{lines}    ).rows()\n"
        "for row in rows:\n    print(row)\n"
    )


def _literal(value: Any) -> str:
    """As Python reads it, of plain values of JSON."""
    return repr(msgspec.to_builtins(value))


def _sql(answer: ExploreAnswer) -> Mapping[str, str]:
    if answer.stream is None or not answer.is_answered:
        return {}
    found = {"": statement_of(answer.question, answer.stream, answer.meta["interval"])}
    if "previous_interval" in answer.meta:
        earlier = statement_of(answer.question, answer.stream, answer.meta["previous_interval"])
        found = {"The range": found[""], "The earlier one": earlier}
    return found


def _sql_note(answer: ExploreAnswer) -> str:
    if "segments" in answer.meta.get("answered_from", ()):
        return (
            "The answer was made of rollups too, which are kept longer than rows: SQL on rows that are gone gives less."
        )
    return ""

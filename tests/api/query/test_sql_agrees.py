"""A question and the same as a statement have the same answer."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings

from airtally.kit.time import from_datetime
from fixtures.question_as_sql import as_sql
from fixtures.questions import questions


def instant_us(text):
    at = datetime.fromisoformat(text)
    return from_datetime(at if at.tzinfo else at.replace(tzinfo=UTC))


def by_group(rows, dimensions):
    found = {tuple(row[name] for name in dimensions): row for row in rows}
    assert len(found) == len(rows)
    return found


def same(left, right):
    """Decimals are texts in answers to statements."""
    if left is None or right is None or (isinstance(left, str) and left == right):
        return left == right
    return math.isclose(float(left), float(right), rel_tol=1e-12)


@settings(max_examples=20, suppress_health_check=list(HealthCheck), deadline=None)
@given(question=questions())
def test_questions_and_statements_agree(asked, question):
    question = {name: value for name, value in question.items() if name != "grain"}
    body = asked.post(question).json()
    interval = body["meta"]["interval"]
    statement = as_sql(question, (instant_us(interval["start"]), instant_us(interval["end"])))
    answer = asked.http.post("/api/v1/sql", json={"sql": statement})
    assert answer.status_code == 200, (statement, answer.text)
    found = by_group(answer.json()["rows"], question["dimensions"])
    right = by_group(body["rows"], question["dimensions"])
    assert found.keys() == right.keys(), statement
    names = [each["name"] for each in question["metrics"]]
    wrong = [key for key, row in right.items() if not all(same(row[name], found[key][name]) for name in names)]
    assert wrong == [], statement

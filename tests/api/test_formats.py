"""Which format an `Accept` prefers (RFC 9110)."""

from __future__ import annotations

import pytest

from airtally.api.formats import accepted_format
from airtally.kit.errors import NotAcceptable

ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("application/json", "json"),
        ("text/csv", "csv"),
        ("TEXT/CSV; charset=utf-8", "csv"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "json"),
        (f"application/json;q=0.5, {PARQUET}", "parquet"),
        (f"application/*;q=0.2, {ARROW};q=0.9, text/csv;q=0.3", "arrow"),
        ("application/json;q=0, */*", "csv"),
        ("application/json;q=0.1, */*;q=0.05", "json"),
        ("application/x-ndjson;q=0.001", "ndjson"),
        ("application/jsonl", "ndjson"),
        ("text/*", "csv"),
        ("text/csv;q=0.0005, application/json;q=0.3", "json"),
        ("nonsense", "json"),
    ],
)
def test_the_preferred_format(accept, form):
    assert accepted_format(accept) == form


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "application/xml, image/*", "text/csv;q=0"])
def test_none_that_is_taken(accept):
    with pytest.raises(NotAcceptable, match="cannot be written"):
        accepted_format(accept)


def test_the_answer_and_the_refusal(client):
    for accept, status, kind in (("text/csv", 200, "text/csv"), ("image/png", 406, "application/problem+json")):
        answer = client.http.post("/api/v1/query", json={"stream": "playlogs"}, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (status, kind)
    assert answer.json()["code"] == "not_acceptable"
    assert "text/csv" in answer.json()["hint"]
    link = client.http.get(
        "/api/v1/query", params={"stream": "playlogs", "format": "csv"}, headers={"Accept": "image/png"}
    )
    assert link.text == '"count"\n0\n'
    assert "Accept" in link.headers["vary"]
    assert link.headers["airtally-answered-from"] == "rows"


def test_a_null_and_an_empty_text_differ_in_csv(client):
    row = {"application": "A", "event": "e", "time": "2026-11-01T08:00:00Z"}
    rows = [row | {"user_id": None}, row | {"attributes": {"plan": ""}}, row | {"attributes": {"plan": 'a"b,\n'}}]
    assert client.send("app_events", rows).json()["accepted"] == 3
    link = {"stream": "app_events", "dimensions": "attributes.plan", "format": "csv"}
    assert client.http.get("/api/v1/query", params=link).text == ('"attributes.plan","count"\n"",1\n"a""b,\n",1\n,1\n')

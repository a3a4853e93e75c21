"""`airtally delivery`, as the program runs it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airtally import cli
from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.kit.clock import MovableClock
from airtally.reports.outbox import Deliveries
from airtally.reports.requests import PlayFilter, ReportRequest
from airtally.reports.service import JOB_KIND, Reports
from fixtures.postgres import on_sqlite
from fixtures.reports import deliveries, jobs, links, plays, reports

__all__ = ["deliveries", "jobs", "links", "plays", "reports"]

pytestmark = on_sqlite
Run = Callable[..., Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str, tmp_path: Path) -> Run:
    monkeypatch.setenv("AIRTALLY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AIRTALLY_DATABASE", database_url)

    def call(line: str) -> Any:
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        monkeypatch.setattr(sys, "argv", ["airtally", *line.split(), "--json"])
        try:
            cli.main()
        except SystemExit as end:
            if end.code not in {None, 0}:
                return capsys.readouterr().err.strip()
        return json.loads(capsys.readouterr().out)

    return call


@pytest.fixture
def noticed(
    metadata: MetadataStore, reports: Reports, account: Account, jobs: Any, plays: PlayFilter, clock: MovableClock
) -> int:
    """The id of a report whose failure waits to be told."""
    report = reports.create(account, ReportRequest(plays, "http://hooks.example/x"))
    reports.fail(account, report, jobs.claim([JOB_KIND]), "The test wanted it.")
    return report.id


def test_deliveries_are_listed_and_sent_again(
    run: Run, noticed: int, deliveries: Deliveries, account: Account, other_account: Account
) -> None:
    [first] = run(f"delivery list --account {account.slug}")
    assert first | {"id": 0} == {
        "id": 0,
        "account": account.slug,
        "report": noticed,
        "try": 1,
        "state": "due",
        "due": "2026-11-02T09:15:00+00:00",
        "sent": None,
        "status": None,
        "error": None,
        "url": "http://hooks.example/x",
    }
    assert run(f"delivery list --account {other_account.slug}") == []
    again = run(f"delivery redeliver {first['id']}")
    assert (again["try"], again["state"]) == (0, "due")
    assert [each["id"] for each in run(f"delivery list --report {noticed}")] == [again["id"], first["id"]]
    assert deliveries.get(again["id"]).payload == deliveries.get(first["id"]).payload


def test_a_delivery_that_is_not_there(run: Run, noticed: int, other_account: Account) -> None:
    assert run("delivery redeliver 99") == "airtally: There is no delivery 99"
    assert run(f"delivery redeliver {noticed} --account {other_account.slug}").startswith("airtally: There is no")

"""Rows of a dataset stream belong to a business that the account has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airtally.accounts.accounts import Account
from airtally.ingest.service import Batch
from airtally.runtime import open_services
from airtally.services import Role, Services
from airtally.settings import Settings
from airtally.streams import STREAMS
from airtally.vendors.slate.entries import NewBusiness
from airtally.vendors.slate.services import slate_services
from fixtures.migrated import migrated

KEYS = {"subscriptions": "subscription_event_id", "playback": "session_id", "catalog": "id"}


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    services = open_services(migrated(Settings(home=tmp_path)), role=Role.ROWS)
    yield services
    services.close()


@pytest.fixture
def acme(services: Services) -> Account:
    account = services.access.accounts.create("Acme", "acme")
    slate_services(services).register.create_business(account, NewBusiness("g", "b1", "One"))
    return account


def send(services: Services, account: Account, stream: str, *businesses: str) -> dict[str, object]:
    rows = [{"business_id": each, KEYS[stream]: f"k{at}"} for at, each in enumerate(businesses)]
    assert services.intake.batches is not None
    batch = Batch(STREAMS[stream], account, json.dumps(rows).encode(), "application/json")
    answer: dict[str, object] = json.loads(services.intake.batches.accept(batch))
    return answer


@pytest.mark.parametrize("stream", sorted(KEYS))
def test_rows_of_an_unknown_business_are_refused(services: Services, acme: Account, stream: str) -> None:
    assert send(services, acme, stream, "b1", "nobody", "b1") == {
        "accepted": 2,
        "rejected": 1,
        "errors": [{"line": 2, "field": "business_id", "error": "there is no such business"}],
    }


def test_another_accounts_business_is_unknown(services: Services, acme: Account) -> None:
    rival = services.access.accounts.create("Rival", "rival")
    assert send(services, rival, "catalog", "b1")["rejected"] == 1


def test_refused_rows_are_taken_once_the_business_is_made(services: Services, acme: Account) -> None:
    names = [f"new{number}" for number in range(700)]
    assert send(services, acme, "catalog", *names, "b1")["rejected"] == 700
    slate_services(services).register.create_business(acme, NewBusiness("g", "new7", "Seven"))
    [entry] = services.intake.quarantine.entries(acme)
    again = services.intake.resend.run(acme, entry.id)
    assert (again.accepted, again.rejected) == (1, 699)

"""Messages are added once for each key, with what they tell of, to those who want them."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from airtally.accounts.accounts import Account
from airtally.accounts.users import Users
from airtally.database.store import MetadataStore
from airtally.database.tables import message_deliveries, webhook_endpoints
from airtally.database.tables import messages as table
from airtally.webhooks.messages import MOST_BYTES, MailText, Messages, Recipients

MAIL = MailText("A slot was run", "The file is at https://…")


def add(
    metadata: MetadataStore, messages: Messages, account: Account, key: str = "slot 1", **more: object
) -> str | None:
    with metadata.begin() as connection:
        return messages.enqueue(connection, account, "schedule.delivered", {"schedule": 7}, key, **more)


def endpoint(metadata: MetadataStore, account: Account, event_types: str | None = None, *, enabled: bool = True) -> int:
    row = {"account_id": account.id, "url": "http://hooks.example/", "description": "", "event_types": event_types}
    row |= {"enabled": enabled, "secret_sealed": b"-", "failures": 0, "created_at": 1, "updated_at": 1}
    with metadata.begin() as connection:
        return connection.execute(webhook_endpoints.insert().values(row).returning(webhook_endpoints.c.id)).scalar_one()


def found(metadata: MetadataStore) -> list[tuple]:
    columns = message_deliveries.c
    query = select(columns.channel, columns.endpoint_id, columns.address, columns.state).order_by(columns.id)
    with metadata.read() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_a_message_goes_to_the_endpoints_that_want_its_type(
    metadata: MetadataStore, messages: Messages, account: Account, other_account: Account
) -> None:
    every = endpoint(metadata, account)
    wanted = endpoint(metadata, account, '["ping","schedule.delivered"]')
    endpoint(metadata, account, '["ping"]')
    endpoint(metadata, other_account)
    off = endpoint(metadata, account, enabled=False)
    uid = add(metadata, messages, account)
    assert uid is not None
    assert uid.startswith("msg_")
    assert "." not in uid, "it is signed in front of a full stop"
    assert found(metadata) == [
        ("webhook", every, None, "due"),
        ("webhook", wanted, None, "due"),
        ("webhook", off, None, "held"),
    ]
    with metadata.read() as connection:
        row = connection.execute(select(table)).one()
    assert row.uid == uid
    assert json.loads(row.payload) == {
        "type": "schedule.delivered",
        "timestamp": "2026-11-02T09:15:00.000000Z",
        "data": {"schedule": 7},
    }


def test_the_same_key_adds_nothing_again(
    metadata: MetadataStore, messages: Messages, account: Account, other_account: Account
) -> None:
    endpoint(metadata, account)
    assert add(metadata, messages, account) is not None
    assert add(metadata, messages, account) is None
    assert len(found(metadata)) == 1
    assert add(metadata, messages, other_account) is not None, "keys are an account's own"


def test_what_is_rolled_back_sends_nothing(metadata: MetadataStore, messages: Messages, account: Account) -> None:
    endpoint(metadata, account)
    with metadata.begin() as connection:
        messages.enqueue(connection, account, "ping", {}, "p")
        connection.rollback()
    assert found(metadata) == []


def test_named_recipients_get_it_once_each(
    metadata: MetadataStore, messages: Messages, account: Account, other_account: Account, users: Users
) -> None:
    users.create(account, username="ana", name="Ana", email="ana@acme.example", password="long enough")
    users.create(other_account, username="eve", name="Eve", email="eve@rival.example", password="long enough")
    picky, foreign = endpoint(metadata, account, '["ping"]'), endpoint(metadata, other_account)
    to = Recipients((picky, foreign, 999), ("ops@acme.example", "ana@acme.example"), users=True)
    add(metadata, messages, account, to=to, mail=MAIL)
    assert found(metadata) == [
        ("webhook", picky, None, "due"),
        ("email", None, "ops@acme.example", "due"),
        ("email", None, "ana@acme.example", "due"),
    ]


def test_faults_of_the_program_are_errors(metadata: MetadataStore, messages: Messages, account: Account) -> None:
    with pytest.raises(ValueError, match="needs a text"):
        add(metadata, messages, account, to=Recipients(users=True))
    with metadata.begin() as connection:
        with pytest.raises(ValueError, match=r"event_types\.py"):
            messages.enqueue(connection, account, "no.such", {}, "k")
        with pytest.raises(ValueError, match="at most"):
            messages.enqueue(connection, account, "ping", {"text": "x" * MOST_BYTES}, "k")

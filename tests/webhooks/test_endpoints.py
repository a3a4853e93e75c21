"""Endpoints are an account's own; their URLs cannot be private; their secrets are shown once and kept sealed."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from sqlalchemy import select

from airtally.accounts.accounts import Account
from airtally.accounts.secrets import Secrets
from airtally.database.store import MetadataStore
from airtally.database.tables import webhook_endpoints
from airtally.kit.clock import MovableClock
from airtally.kit.errors import BadRequest, Conflict, NotFound, Unprocessable
from airtally.webhooks.deliveries import MessageDeliveries
from airtally.webhooks.endpoints import BY_OWNER, MOST_ENDPOINTS, EndpointChange, Endpoints, EndpointSecret
from fixtures.webhooks import Enqueue

Declare = Callable[..., EndpointSecret]


@pytest.fixture
def strict(metadata: MetadataStore, clock: MovableClock, secrets: Secrets) -> Endpoints:
    """Where no private network is allowed."""
    return Endpoints(metadata, clock, secrets)


def test_what_was_declared_is_read_back(endpoints: Endpoints, account: Account, clock: MovableClock) -> None:
    made = endpoints.create(account, "https://hooks.example/a?b=c", description="Ops", event_types=["ping", "ping"])
    found = endpoints.get(account, made.endpoint.id)
    assert found == made.endpoint
    assert (found.url, found.description, found.event_types) == ("https://hooks.example/a?b=c", "Ops", ("ping",))
    assert (found.enabled, found.failures, found.created_at) == (True, 0, clock.now_us())
    assert endpoints.create(account, "https://hooks.example/").endpoint.event_types is None


def test_a_secret_has_the_form_of_the_specification_and_is_stored_sealed(
    endpoints: Endpoints, account: Account, metadata: MetadataStore
) -> None:
    first, second = (endpoints.create(account, "https://hooks.example/").secret for _ in range(2))
    assert first != second
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32
    with metadata.read() as connection:
        stored = connection.execute(select(webhook_endpoints)).all()
    assert not any(first.removeprefix("whsec_") in str(row) for row in stored)
    assert not hasattr(endpoints.listed(account)[0], "secret")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://10.0.0.1:8080/x", "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://localhost/",
     "http://LOCALHOST./", "http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://169.254.169.254/latest",
     "http://0/", "https://user:secret@hooks.example/", "ftp://hooks.example/", "/relative", "", "https://",
     "https://hooks.example:0/", "https://hooks.example/\n", "https://hooks.example/\0", "https://h.example/" + "x" * 2048],
)  # fmt: skip
def test_urls_that_cannot_be_reached_are_refused_at_once(strict: Endpoints, account: Account, url: str) -> None:
    with pytest.raises(Unprocessable):
        strict.create(account, url)
    made = strict.create(account, "https://hooks.example/")
    with pytest.raises(Unprocessable):
        strict.change(account, made.endpoint.id, EndpointChange(url=url))
    assert [each.url for each in strict.listed(account)] == ["https://hooks.example/"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"event_types": ["no.such"]}, "no.such"),
        ({"event_types": []}, "empty list"),
        ({"description": "x" * 257}, "256 bytes"),
        ({"description": "a\nb"}, "printable"),
    ],
)
def test_other_values_that_cannot_be_used(
    endpoints: Endpoints, account: Account, more: dict[str, object], says: str
) -> None:
    with pytest.raises(Unprocessable, match=f"(?i){says}"):
        endpoints.create(account, "https://hooks.example/", **more)


def test_another_accounts_endpoint_is_not_there(endpoints: Endpoints, account: Account, other_account: Account) -> None:
    made = endpoints.create(account, "https://hooks.example/").endpoint
    for call in (
        lambda: endpoints.get(other_account, made.id),
        lambda: endpoints.change(other_account, made.id, EndpointChange(enabled=False)),
        lambda: endpoints.rotate(other_account, made.id),
        lambda: endpoints.delete(other_account, made.id),
        lambda: endpoints.get(account, made.id + 1),
    ):
        with pytest.raises(NotFound):
            call()
    assert endpoints.listed(other_account) == []
    assert endpoints.get(account, made.id) == made


def test_listings_are_newest_first_and_in_pages(endpoints: Endpoints, account: Account) -> None:
    ids = [endpoints.create(account, f"https://hooks.example/{number}").endpoint.id for number in range(5)]
    assert [each.id for each in endpoints.listed(account, limit=2)] == [ids[4], ids[3]]
    assert [each.id for each in endpoints.listed(account, after=ids[3], limit=2)] == [ids[2], ids[1]]
    assert [each.id for each in endpoints.listed(account, after=ids[1])] == [ids[0]]


def test_their_number_is_bounded(endpoints: Endpoints, account: Account, other_account: Account) -> None:
    for _ in range(MOST_ENDPOINTS):
        last = endpoints.create(account, "https://hooks.example/").endpoint
    with pytest.raises(Conflict, match="50"):
        endpoints.create(account, "https://hooks.example/")
    endpoints.create(other_account, "https://hooks.example/")
    endpoints.delete(account, last.id)
    endpoints.create(account, "https://hooks.example/")


def test_what_is_changed_changes_and_the_rest_stays(endpoints: Endpoints, account: Account) -> None:
    made = endpoints.create(account, "https://a.example/", description="Ops", event_types=["ping"]).endpoint
    changed = endpoints.change(account, made.id, EndpointChange(url="https://b.example/"))
    assert (changed.url, changed.description, changed.event_types) == ("https://b.example/", "Ops", ("ping",))
    changed = endpoints.change(account, made.id, EndpointChange(every_type=True, description=""))
    assert (changed.url, changed.description, changed.event_types) == ("https://b.example/", "", None)
    with pytest.raises(BadRequest):
        endpoints.change(account, made.id, EndpointChange(every_type=True, event_types=["ping"]))


def test_disabling_holds_what_waits_and_enabling_makes_it_due(
    endpoints: Endpoints,
    account: Account,
    declared: Declare,
    enqueue: Enqueue,
    message_deliveries: MessageDeliveries,
    clock: MovableClock,
) -> None:
    made = declared("https://hooks.example/").endpoint
    enqueue()
    off = endpoints.change(account, made.id, EndpointChange(enabled=False))
    assert (off.enabled, off.disabled_reason, off.disabled_at) == (False, BY_OWNER, clock.now_us())
    enqueue()
    assert [each.state for each in message_deliveries.listed(account)] == ["held", "held"]
    clock.advance(60)
    on = endpoints.change(account, made.id, EndpointChange(enabled=True))
    assert (on.enabled, on.disabled_reason, on.disabled_at) == (True, None, None)
    assert [(each.state, each.due_at) for each in message_deliveries.listed(account)] == [("due", clock.now_us())] * 2


def test_deleting_takes_its_deliveries_with_it(
    endpoints: Endpoints,
    account: Account,
    declared: Declare,
    enqueue: Enqueue,
    message_deliveries: MessageDeliveries,
) -> None:
    gone, stays = declared("https://a.example/").endpoint, declared("https://b.example/").endpoint
    enqueue()
    endpoints.delete(account, gone.id)
    assert [each.endpoint_id for each in message_deliveries.listed(account)] == [stays.id]
    with pytest.raises(NotFound):
        endpoints.get(account, gone.id)

"""The rows of deliveries: claimed by one process at a time, noted once, handed back, followed through setbacks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import insert, select

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import message_deliveries as table
from airtally.database.tables import message_tries, messages, webhook_endpoints
from airtally.kit.clock import MovableClock
from airtally.webhooks.deliveries import MessageDeliveries
from airtally.webhooks.endpoints import EndpointChange, Endpoints, EndpointSecret
from airtally.webhooks.expiry import MessageExpiry
from airtally.webhooks.messages import MailText, Recipients
from airtally.webhooks.queue import EACH_ACCOUNT, EACH_ENDPOINT, LEASE_SECONDS, LeasedMessage, MessageQueue, TryOutcome
from airtally.webhooks.states import Channel
from fixtures.webhooks import Enqueue

Declare = Callable[..., EndpointSecret]
QueueOf = Callable[[str], MessageQueue]
REFUSED = TryOutcome("It answered 500", 500)


def fill(metadata: MetadataStore, account: Account, endpoint: EndpointSecret, count: int, now: int) -> None:
    message = {"account_id": account.id, "uid": f"msg_{endpoint.endpoint.id}", "event_type": "ping", "payload": "{}"}
    with metadata.begin() as connection:
        made = insert(messages).values(**message, key=message["uid"], created_at=now).returning(messages.c.id)
        row = {"message_id": connection.execute(made).scalar_one(), "account_id": account.id, "channel": "webhook"}
        row |= {"endpoint_id": endpoint.endpoint.id, "state": "due", "attempts": 0, "due_at": now, "lease_number": 0}
        connection.execute(insert(table), [row | {"created_at": now, "updated_at": now}] * count)


def claimed(queue: MessageQueue, under_way: list[LeasedMessage] | None = None, limit: int = 100) -> list[LeasedMessage]:
    return queue.claim(Channel.WEBHOOK, under_way or [], limit)


def test_six_processes_that_claim_at_once_never_take_the_same_delivery(
    metadata: MetadataStore, clock: MovableClock, account: Account, declared: Declare, queue_of: QueueOf
) -> None:
    for _ in range(8):
        fill(metadata, account, declared("https://hooks.example/"), 100, clock.now_us())
    taken: Counter[int] = Counter()
    lock, start = threading.Lock(), threading.Barrier(6)

    def claim(owner: str) -> None:
        mine, empty = queue_of(owner), 0
        start.wait()
        while empty < 5:
            got = claimed(mine, limit=7)
            empty = 0 if got else empty + 1
            with lock:
                taken.update(each.id for each in got)

    threads = [threading.Thread(target=claim, args=(f"process {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each for each, times in taken.items() if times > 1] == []
    assert len(taken) == 800


def test_six_processes_that_settle_at_once_note_each_outcome_once(
    metadata: MetadataStore, clock: MovableClock, account: Account, declared: Declare, queue_of: QueueOf,
    endpoints: Endpoints,
) -> None:  # fmt: skip
    """All of one endpoint, whose failures are counted: none is lost, and it is disabled once."""
    made = declared("https://hooks.example/")
    fill(metadata, account, made, 60, clock.now_us())
    queues = [queue_of(f"process {number}") for number in range(6)]
    shares = [claimed(each) for each in queues]
    assert [len(share) for share in shares] == [EACH_ENDPOINT] * 6
    start = threading.Barrier(6)

    def settle(queue: MessageQueue, share: list[LeasedMessage]) -> None:
        start.wait()
        for each in share:
            queue.settle(each, REFUSED)
            queue.settle(each, REFUSED)

    threads = [threading.Thread(target=settle, args=pair) for pair in zip(queues, shares, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert endpoints.get(account, made.endpoint.id).failures == 60
    with metadata.read() as connection:
        assert len(connection.execute(select(message_tries)).all()) == 60


def test_endpoints_and_accounts_take_turns(
    metadata: MetadataStore,
    clock: MovableClock,
    account: Account,
    other_account: Account,
    declared: Declare,
    queue: MessageQueue,
) -> None:
    many = [declared("https://hooks.example/") for _ in range(12)]
    for each in many:
        fill(metadata, account, each, 30, clock.now_us())
    theirs = declared("https://theirs.example/", of=other_account)
    fill(metadata, other_account, theirs, 3, clock.now_us() + 1)
    clock.advance(1)
    first = claimed(queue, limit=6)
    assert Counter(each.account_id for each in first) == {account.id: 3, other_account.id: 3}
    assert len({each.endpoint_id for each in first}) == 4, "of one account, too, another endpoint each"
    found = first
    while got := claimed(queue, found):
        found = [*found, *got]
    assert Counter(each.account_id for each in found) == {account.id: EACH_ACCOUNT, other_account.id: 3}
    assert max(Counter(each.endpoint_id for each in found).values()) <= EACH_ENDPOINT


def test_a_lease_that_was_lost_settles_nothing(
    metadata: MetadataStore,
    declared: Declare,
    enqueue: Enqueue,
    queue: MessageQueue,
    queue_of: QueueOf,
    clock: MovableClock,
    message_deliveries: MessageDeliveries,
    account: Account,
) -> None:
    declared("https://hooks.example/")
    enqueue()
    [lost] = claimed(queue)
    assert claimed(queue_of("process-2")) == []
    clock.advance(LEASE_SECONDS)
    [mine] = claimed(queue_of("process-2"))
    assert (mine.id, mine.uid, mine.attempt) == (lost.id, lost.uid, 1)
    queue.settle(lost, REFUSED)
    queue.release(lost)
    assert message_deliveries.get(account, lost.id).tries == ()
    queue_of("process-2").settle(mine, TryOutcome(None, 200))
    [done] = message_deliveries.listed(account)
    assert (done.state, done.attempts) == ("delivered", 1)


def test_deliveries_of_processes_that_are_gone_are_due_at_once(
    declared: Declare, enqueue: Enqueue, queue: MessageQueue, queue_of: QueueOf
) -> None:
    declared("https://hooks.example/")
    enqueue()
    [lost] = claimed(queue_of("gone"))
    assert queue.release_gone(lambda _: False) == 0
    assert queue.release_gone(lambda owner: owner == "gone") == 1
    [again] = claimed(queue)
    assert (again.id, again.lease_number) == (lost.id, lost.lease_number + 1)


def test_a_clock_that_goes_back_delays_no_delivery(
    declared: Declare, enqueue: Enqueue, queue: MessageQueue, clock: MovableClock
) -> None:
    declared("https://hooks.example/")
    enqueue()
    clock.advance(-3600)
    [first] = claimed(queue)
    queue.settle(first, REFUSED)
    clock.advance(-3600)
    assert claimed(queue) == []
    clock.advance(4)
    assert claimed(queue) == []
    clock.advance(2)
    [second] = claimed(queue)
    assert second.attempt == 2


def test_an_endpoint_disabled_during_a_try_holds_what_follows(
    declared: Declare,
    enqueue: Enqueue,
    queue: MessageQueue,
    endpoints: Endpoints,
    account: Account,
    message_deliveries: MessageDeliveries,
) -> None:
    made = declared("https://hooks.example/").endpoint
    enqueue()
    [under_way] = claimed(queue)
    endpoints.change(account, made.id, EndpointChange(enabled=False))
    queue.settle(under_way, REFUSED)
    assert [each.state for each in message_deliveries.listed(account)] == ["held"]


@pytest.fixture
def due_for_a_disabled_endpoint(
    metadata: MetadataStore, declared: Declare, enqueue: Enqueue, endpoints: Endpoints, account: Account
) -> Callable[[], None]:
    """A delivery as one that was added while another process disabled the endpoint."""

    def add() -> None:
        made = declared("https://hooks.example/").endpoint
        endpoints.change(account, made.id, EndpointChange(enabled=False))
        enqueue()
        with metadata.begin() as connection:
            connection.execute(table.update().values(state="due"))

    return add


def test_a_due_delivery_of_a_disabled_endpoint_is_held_instead_of_sent(
    due_for_a_disabled_endpoint: Callable[[], None],
    queue: MessageQueue,
    account: Account,
    message_deliveries: MessageDeliveries,
) -> None:
    """As one that was added while another process disabled the endpoint."""
    due_for_a_disabled_endpoint()
    assert claimed(queue) == []
    assert [each.state for each in message_deliveries.listed(account)] == ["held"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_endpoint_enabled_while_a_delivery_is_claimed_gets_it(
    due_for_a_disabled_endpoint: Callable[[], None],
    queue: MessageQueue,
    metadata: MetadataStore,
) -> None:
    """The process that claims has read that it is disabled before the other one's transaction ends."""
    due_for_a_disabled_endpoint()
    claiming = threading.Thread(target=lambda: claimed(queue))
    with metadata.begin() as connection:
        connection.execute(webhook_endpoints.update().values(enabled=True))
        claiming.start()
        claiming.join(0.5)
    claiming.join(60)
    assert len(claimed(queue)) == 1


def test_no_try_comes_before_the_moment_that_the_receiver_asks_for(
    declared: Declare,
    enqueue: Enqueue,
    queue: MessageQueue,
    account: Account,
    clock: MovableClock,
    message_deliveries: MessageDeliveries,
) -> None:
    """However slowly it answered, and whatever came of the tries beside it."""
    declared("https://hooks.example/")
    enqueue()
    enqueue()
    asked, beside = claimed(queue)
    clock.advance(15)
    queue.settle(asked, TryOutcome("It answered 503", 503, retry_after_us=60_000_000))
    queue.settle(beside, TryOutcome("No answer within 20 seconds"))
    earliest = clock.now_us() + 60_000_000
    assert [each.due_at >= earliest for each in message_deliveries.listed(account)] == [True, True]
    clock.advance(59)
    assert claimed(queue) == []


def test_mails_and_webhooks_wait_for_each_other_in_nothing(
    declared: Declare, enqueue: Enqueue, queue: MessageQueue
) -> None:
    declared("https://hooks.example/")
    enqueue(to=Recipients(addresses=("a@b.example",), every_endpoint=True), mail=MailText("s", "t"))
    [mail] = queue.claim(Channel.EMAIL, [], 100)
    assert (mail.address, mail.subject, mail.text, mail.url) == ("a@b.example", "s", "t", None)
    [post] = queue.claim(Channel.WEBHOOK, [], 100)
    assert (post.url, post.uid, post.address) == ("https://hooks.example/", mail.uid, None)


def test_old_messages_are_removed_unless_they_are_still_tried(
    metadata: MetadataStore,
    declared: Declare,
    enqueue: Enqueue,
    queue: MessageQueue,
    clock: MovableClock,
    account: Account,
    message_deliveries: MessageDeliveries,
) -> None:
    declared("https://hooks.example/")
    old, redelivered = enqueue(), enqueue()
    for each in claimed(queue):
        queue.settle(each, TryOutcome(None, 200))
    expiry = MessageExpiry(metadata, clock, days=30)
    clock.advance(30 * 86_400)
    assert expiry.step() is None
    assert {each.uid for each in message_deliveries.listed(account)} == {old, redelivered}
    newer = enqueue()
    clock.advance(1)
    message_deliveries.redeliver(
        account, next(e.id for e in message_deliveries.listed(account) if e.uid == redelivered)
    )
    expiry.step()
    assert {each.uid for each in message_deliveries.listed(account)} == {redelivered, newer}
    with metadata.read() as connection:
        assert len(connection.execute(select(message_tries)).all()) == 1
        assert len(connection.execute(select(messages)).all()) == 2


@pytest.mark.parametrize("count", [1200])
def test_removal_goes_on_in_steps(metadata: MetadataStore, clock: MovableClock, account: Account, count: int) -> None:
    row = {"account_id": account.id, "event_type": "ping", "payload": "{}", "created_at": clock.now_us()}
    with metadata.begin() as connection:
        connection.execute(insert(messages), [row | {"uid": f"m{n}", "key": f"k{n}"} for n in range(count)])
    clock.advance(31 * 86_400)
    expiry = MessageExpiry(metadata, clock, days=30)
    assert [expiry.step() for _ in range(4)] == [0.0, 0.0, None, None]
    with metadata.read() as connection:
        assert connection.execute(select(messages)).all() == []


def test_messages_of_a_closed_account_wait_until_it_is_opened_again(
    metadata: MetadataStore, clock: MovableClock, account: Account, declared: Declare, queue_of: QueueOf,
    closed: Callable[[bool], None],
) -> None:  # fmt: skip
    """They may carry its rows and links to its files."""
    fill(metadata, account, declared("https://hooks.example/"), 1, clock.now_us())
    queue = queue_of("process")
    closed(True)
    assert claimed(queue) == []
    closed(False)
    assert len(claimed(queue)) == 1

"""Messages are posted, signed, tried again by the schedule, and each try is recorded. Real HTTP, real store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from airtally.accounts.accounts import Account
from airtally.accounts.users import Users
from airtally.kit.clock import MovableClock
from airtally.kit.errors import Conflict, NotFound, TooManyRequests
from airtally.webhooks.deliveries import MOST_PINGS, DeliveryFilter, MessageDeliveries
from airtally.webhooks.endpoints import EndpointChange, Endpoints, EndpointSecret
from airtally.webhooks.mail_limit import MailLimit
from airtally.webhooks.messages import MailText, Recipients
from airtally.webhooks.queue import MOST_TRIES, MessageQueue
from airtally.webhooks.retry import STANDARD_WAITS
from airtally.webhooks.sender import MailLoop
from airtally.webhooks.states import Channel, MessageState
from fixtures.receiver import Receiver
from fixtures.smtp import Mailbox
from fixtures.webhooks import DISABLE_DAYS, Enqueue, StartWebhooks, until

Declare = Callable[..., EndpointSecret]
US = 1_000_000


def states(deliveries: MessageDeliveries, account: Account) -> list[tuple[str, int, int | None]]:
    return [(each.state, each.attempts, each.status_code) for each in reversed(deliveries.listed(account))]


def verified(
    receiver: Receiver, number: int, secret: str, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> object:
    """What the published library reads from a request, with its clock set to the test's."""

    class Now(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.fromtimestamp(clock.now_us() / US, UTC)

    monkeypatch.setattr("standardwebhooks.webhooks.datetime", Now)
    return Webhook(secret).verify(receiver.bodies[number], receiver.headers[number])


@pytest.fixture
def is_settled(message_deliveries: MessageDeliveries, account: Account) -> Callable[[int, int], bool]:
    """Whether so many deliveries have been tried so often."""

    def settled(count: int, attempts: int = 1) -> bool:
        found = message_deliveries.listed(account)
        done = [each for each in found if each.attempts >= attempts and each.state != MessageState.SENDING]
        return len(done) >= count

    return settled


def test_a_message_is_posted_once_and_verifies_with_the_published_library(
    receiver: Receiver,
    declared: Declare,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
    clock: MovableClock,
    is_settled: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = declared(receiver.url + "/hook")
    uid = enqueue()
    start_webhooks()
    receiver.wait(1)
    headers = receiver.headers[0]
    assert receiver.paths == ["/hook"]
    assert (headers["webhook-id"], headers["Content-Type"]) == (uid, "application/json")
    assert headers["webhook-timestamp"] == str(clock.now_us() // US)
    read = verified(receiver, 0, made.secret, clock, monkeypatch)
    assert read == {"type": "schedule.delivered", "timestamp": "2026-11-02T09:15:00.000000Z", "data": {"slot": 0}}
    with pytest.raises(WebhookVerificationError):
        verified(receiver, 0, "whsec_" + "A" * 43 + "=", clock, monkeypatch)
    until(lambda: is_settled(1))
    clock.advance(400_000)
    time.sleep(0.1)
    assert len(receiver.bodies) == 1
    assert states(message_deliveries, account) == [("delivered", 1, 200)]


def test_both_secrets_sign_for_a_day_after_a_rotation(
    receiver: Receiver,
    declared: Declare,
    endpoints: Endpoints,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    account: Account,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = declared(receiver.url)
    second = endpoints.rotate(account, first.endpoint.id)
    assert second.endpoint.former_secret_until == clock.now_us() + 86_400 * US
    enqueue()
    start_webhooks()
    receiver.wait(1)
    for each in (first, second):
        verified(receiver, 0, each.secret, clock, monkeypatch)
    clock.advance(86_400)
    enqueue()
    receiver.wait(2)
    verified(receiver, 1, second.secret, clock, monkeypatch)
    with pytest.raises(WebhookVerificationError):
        verified(receiver, 1, first.secret, clock, monkeypatch)


@pytest.mark.parametrize("status", [500, 302, 404, 400])
def test_what_is_not_2xx_is_tried_by_the_recommended_schedule(
    receiver: Receiver,
    declared: Declare,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
    clock: MovableClock,
    is_settled: Callable,
    status: int,
) -> None:
    receiver.answers = [status]
    declared(receiver.url)
    uid = enqueue()
    start_webhooks()
    until(lambda: is_settled(1, 1))
    for number, wait in enumerate(STANDARD_WAITS, 2):
        [waiting] = message_deliveries.listed(account)
        assert waiting.state == "due"
        assert wait * US <= waiting.due_at - clock.now_us() <= wait * 1.1 * US
        clock.advance(wait - 1)
        time.sleep(0.03)
        assert len(receiver.bodies) == number - 1
        clock.advance((waiting.due_at - clock.now_us()) / US)
        until(lambda number=number: is_settled(1, number))
    clock.advance(400_000)
    time.sleep(0.05)
    assert len(receiver.bodies) == 10
    assert {each["webhook-id"] for each in receiver.headers} == {uid}
    assert len({each["webhook-timestamp"] for each in receiver.headers}) == 10, "of the try, not of the message"
    assert states(message_deliveries, account) == [("failed", 10, status)]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_success(
    receiver: Receiver,
    declared: Declare,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
    is_settled: Callable,
    status: int,
) -> None:
    receiver.answers = [status]
    declared(receiver.url)
    enqueue()
    start_webhooks()
    until(lambda: is_settled(1))
    assert states(message_deliveries, account) == [("delivered", 1, status)]


def test_retry_after_holds_back_everything_for_the_endpoint(
    receiver: Receiver,
    declared: Declare,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
    clock: MovableClock,
    is_settled: Callable,
) -> None:
    receiver.answers, receiver.more_headers = [503, 200], {"Retry-After": "900"}
    declared(receiver.url)
    enqueue()
    start_webhooks()
    until(lambda: is_settled(1))
    enqueue()
    clock.advance(899)
    time.sleep(0.05)
    assert len(receiver.bodies) == 1
    clock.advance(1)
    receiver.wait(3)
    until(lambda: is_settled(2))
    enqueue()
    receiver.wait(4)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7200", 7200), ("0", 5), ("999999999999999", 86_400), ("-5", 5), ("soon", 5), ("\u0661", 5)],
)
def test_the_wait_that_is_asked_for_is_bounded(
    receiver: Receiver,
    declared: Declare,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
    clock: MovableClock,
    is_settled: Callable,
    value: str,
    seconds: int,
) -> None:
    receiver.answers = [429]
    receiver.more_headers = {"Retry-After": value.encode().decode("latin-1")}
    declared(receiver.url)
    enqueue()
    start_webhooks()
    until(lambda: is_settled(1))
    [waiting] = message_deliveries.listed(account)
    assert seconds * US <= waiting.due_at - clock.now_us() <= seconds * 1.1 * US


def test_retry_after_may_be_a_date(
    receiver: Receiver,
    declared: Declare,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
    clock: MovableClock,
    is_settled: Callable,
) -> None:
    until_us = clock.now_us() + 3600 * US
    date = format_datetime(datetime.fromtimestamp(until_us // US, UTC), usegmt=True)
    receiver.answers, receiver.more_headers = [503], {"Retry-After": date}
    declared(receiver.url)
    enqueue()
    start_webhooks()
    until(lambda: is_settled(1))
    [waiting] = message_deliveries.listed(account)
    assert waiting.due_at == until_us


def test_gone_disables_the_endpoint_holds_its_messages_and_tells_the_others(
    receiver: Receiver,
    declared: Declare,
    endpoints: Endpoints,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
    users: Users,
    is_settled: Callable,
) -> None:
    users.create(account, username="ana", name="Ana", email="ana@acme.example", password="long enough")
    gone = declared(receiver.url + "/gone", event_types=["schedule.delivered"]).endpoint
    declared(receiver.url + "/told", event_types=["endpoint.disabled"])
    receiver.answers = [410, 200]
    enqueue()
    start_webhooks()
    receiver.wait(2)
    until(lambda: is_settled(2))
    found = endpoints.get(account, gone.id)
    assert (found.enabled, found.disabled_reason) == (False, "It answered 410 Gone")
    assert receiver.paths == ["/gone", "/told"]
    told = json.loads(receiver.bodies[1])
    assert told["data"] == {"endpoint": gone.id, "url": gone.url, "reason": "It answered 410 Gone"}
    [mail] = message_deliveries.listed(account, DeliveryFilter(channel=Channel.EMAIL))
    assert mail.address == "ana@acme.example"
    enqueue()
    time.sleep(0.05)
    held = message_deliveries.listed(account, DeliveryFilter(endpoint_id=gone.id))
    assert [each.state for each in held] == ["held", "held"]
    with pytest.raises(Conflict):
        message_deliveries.redeliver(account, held[0].id)
    endpoints.change(account, gone.id, EndpointChange(enabled=True))
    receiver.wait(4)
    until(lambda: {each.state for each in message_deliveries.listed(account) if each.endpoint_id} == {"delivered"})
    assert receiver.headers[0]["webhook-id"] in {each["webhook-id"] for each in receiver.headers[2:]}


def test_an_endpoint_that_fails_for_days_is_disabled_once(
    receiver: Receiver,
    declared: Declare,
    endpoints: Endpoints,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
    clock: MovableClock,
) -> None:
    """Time passes only when all tries that are due have been recorded, so that a slow machine makes no fewer of them."""

    def is_quiet() -> bool:
        now, found = clock.now_us(), message_deliveries.listed(account)
        return not any(each.state == "sending" or (each.state == "due" and each.due_at <= now) for each in found)

    receiver.answers = [500]
    failing = declared(receiver.url, event_types=["schedule.delivered"]).endpoint
    start_webhooks()
    for day in range(DISABLE_DAYS):
        assert endpoints.get(account, failing.id).enabled, day
        enqueue()
        until(is_quiet)
        clock.advance(86_400)
    until(lambda: not endpoints.get(account, failing.id).enabled)
    until(is_quiet)  # tries that were under way when it was disabled
    found = endpoints.get(account, failing.id)
    assert found.disabled_reason == "Every try failed since 2026-11-02 09:15 UTC; the last: It answered 500"
    count = len(receiver.bodies)
    clock.advance(400_000)
    time.sleep(0.05)
    assert len(receiver.bodies) == count
    assert {each.state for each in message_deliveries.listed(account)} == {"held"}


def test_a_stop_of_the_server_disables_nothing(
    receiver: Receiver,
    declared: Declare,
    endpoints: Endpoints,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    account: Account,
    clock: MovableClock,
    is_settled: Callable,
) -> None:
    """One failed try before a month's stop or a jump of the clock, and one after it."""
    receiver.answers = [500]
    failing = declared(receiver.url).endpoint
    enqueue()
    before = start_webhooks()
    until(lambda: is_settled(1, 1))
    before.stop()
    clock.advance(30 * 86_400)
    start_webhooks()
    until(lambda: is_settled(1, 2))
    assert endpoints.get(account, failing.id).enabled
    receiver.answers = [200]
    clock.advance(86_400)
    until(lambda: endpoints.get(account, failing.id).failures == 0)
    assert endpoints.get(account, failing.id).failing_since is None


def test_each_try_is_recorded_with_what_was_answered(
    receiver: Receiver,
    declared: Declare,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
    clock: MovableClock,
    is_settled: Callable,
) -> None:
    receiver.answers, receiver.more_headers = [500, 200], {"X-Request-Id": "r1", "Set-Cookie": "session=secret"}
    declared(receiver.url)
    uid = enqueue()
    start_webhooks()
    until(lambda: is_settled(1, 1))
    clock.advance(6)
    until(lambda: is_settled(1, 2))
    details = message_deliveries.get(account, message_deliveries.listed(account)[0].id)
    assert details.delivery.uid == uid
    assert json.loads(details.payload)["data"] == {"slot": 0}
    assert [(each.attempt, each.status_code, each.error, each.body) for each in details.tries] == [
        (1, 500, "It answered 500", "ok"),
        (2, 200, None, "ok"),
    ]
    assert details.tries[0].headers["x-request-id"] == "r1"
    assert "set-cookie" not in details.tries[0].headers
    assert all(each.duration_us > 0 for each in details.tries)


def test_redelivery_sends_the_same_message_and_begins_the_schedule_anew(
    receiver: Receiver,
    declared: Declare,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
    other_account: Account,
    clock: MovableClock,
    is_settled: Callable,
) -> None:
    declared(receiver.url)
    enqueue()
    start_webhooks()
    until(lambda: is_settled(1))
    [done] = message_deliveries.listed(account)
    with pytest.raises(NotFound):
        message_deliveries.redeliver(other_account, done.id)
    receiver.answers = [500, 200]
    again = message_deliveries.redeliver(account, done.id)
    assert (again.state, again.attempts, again.uid) == ("due", 0, done.uid)
    receiver.wait(2)
    until(lambda: states(message_deliveries, account) == [("due", 1, 500)])
    clock.advance(6)
    receiver.wait(3)
    until(lambda: states(message_deliveries, account) == [("delivered", 2, 200)])
    assert len(set(receiver.bodies)) == 1
    assert {each["webhook-id"] for each in receiver.headers} == {done.uid}


def test_the_tries_that_are_kept_are_bounded(
    receiver: Receiver,
    declared: Declare,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
) -> None:
    declared(receiver.url)
    enqueue()
    start_webhooks()
    for number in range(1, MOST_TRIES + 4):
        receiver.wait(number)
        until(lambda: states(message_deliveries, account) == [("delivered", 1, 200)])
        message_deliveries.redeliver(account, message_deliveries.listed(account)[0].id)
    assert len(message_deliveries.get(account, message_deliveries.listed(account)[0].id).tries) == MOST_TRIES


def test_a_test_message_goes_to_its_endpoint_alone(
    receiver: Receiver,
    declared: Declare,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
    other_account: Account,
    endpoints: Endpoints,
) -> None:
    picky = declared(receiver.url + "/a", event_types=["export.done"]).endpoint
    declared(receiver.url + "/b")
    sent = message_deliveries.ping(account, picky.id)
    assert sent.event_type == "ping"
    start_webhooks()
    receiver.wait(1)
    time.sleep(0.05)
    assert receiver.paths == ["/a"]
    with pytest.raises(NotFound):
        message_deliveries.ping(other_account, picky.id)
    endpoints.change(account, picky.id, EndpointChange(enabled=False))
    with pytest.raises(Conflict):
        message_deliveries.ping(account, picky.id)


def test_test_messages_that_wait_are_bounded(
    declared: Declare, message_deliveries: MessageDeliveries, account: Account
) -> None:
    endpoint = declared("http://127.0.0.1:9/").endpoint
    for _ in range(MOST_PINGS):
        message_deliveries.ping(account, endpoint.id)
    with pytest.raises(TooManyRequests):
        message_deliveries.ping(account, endpoint.id)


def test_a_message_to_people_is_mailed_once_with_an_id_of_its_own(
    smtp_url: str,
    mailbox: Mailbox,
    enqueue: Enqueue,
    start_mails: Callable[[str], MailLoop],
    message_deliveries: MessageDeliveries,
    account: Account,
    clock: MovableClock,
    is_settled: Callable,
) -> None:
    mailbox.away = True
    uid = enqueue(to=Recipients(addresses=("ana@acme.example",)), mail=MailText("A file", "Olá, it is at https://…\n"))
    start_mails(smtp_url)
    until(lambda: is_settled(1, 1))
    [waiting] = message_deliveries.listed(account)
    assert (waiting.state, waiting.channel, waiting.status_code) == ("due", "email", None)
    assert "451" in str(waiting.error)
    mailbox.away = False
    clock.advance(6)
    until(lambda: is_settled(1, 2))
    [message] = mailbox.messages
    assert (message["To"], message["Subject"]) == ("ana@acme.example", "A file")
    assert message["Message-ID"].startswith(f"<{uid}.{waiting.id}@")
    assert states(message_deliveries, account) == [("delivered", 2, None)]


def test_e_mails_beyond_the_hours_number_wait_for_the_next_hour(
    smtp_url: str,
    mailbox: Mailbox,
    enqueue: Enqueue,
    start_mails: Callable[..., MailLoop],
    message_deliveries: MessageDeliveries,
    account: Account,
    other_account: Account,
    clock: MovableClock,
    is_settled: Callable,
) -> None:
    """Whoever may name the addresses of a schedule could flood them. Another account's mails go on."""
    to = Recipients(addresses=("a@acme.example", "b@acme.example", "c@acme.example"))
    enqueue(to=to, mail=MailText("A file", "…"))
    start_mails(smtp_url, MailLimit(clock, per_hour=2))
    until(lambda: is_settled(3))
    enqueue(other_account, to=Recipients(addresses=("eve@rival.example",)), mail=MailText("A file", "…"))
    until(lambda: len(mailbox.messages) == 3)
    [waiting] = [each for each in message_deliveries.listed(account) if each.state == "due"]
    assert waiting.error == "The account has sent its 2 e-mails of this hour"
    assert waiting.due_at >= clock.now_us() + 45 * 60_000_000  # it is 9:15
    clock.advance(45 * 60 + 1)
    until(lambda: len(mailbox.messages) == 4)


def test_without_a_mail_server_the_delivery_says_so(
    enqueue: Enqueue,
    start_mails: Callable[[str], MailLoop],
    message_deliveries: MessageDeliveries,
    account: Account,
    is_settled: Callable,
) -> None:
    enqueue(to=Recipients(addresses=("ana@acme.example",)), mail=MailText("A file", "…"))
    start_mails("")
    until(lambda: is_settled(1))
    assert "AIRTALLY_SMTP_URL" in str(message_deliveries.listed(account)[0].error)


def test_slow_endpoints_hold_up_no_other(
    receiver: Receiver,
    declared: Declare,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    account: Account,
    other_account: Account,
    message_deliveries: MessageDeliveries,
) -> None:
    """However many messages wait for the slow one: it has ten tries at a time, its account a hundred."""
    declared(receiver.url + "/hang", event_types=["schedule.delivered"])
    for _ in range(40):
        enqueue()
    start_webhooks()
    receiver.wait(10)
    time.sleep(0.1)
    assert len(receiver.bodies) == 10
    declared(receiver.url + "/quick", event_types=["export.done"])
    declared(receiver.url + "/theirs", of=other_account)
    enqueue(event_type="export.done")
    enqueue(of=other_account)
    until(lambda: {"/quick", "/theirs"} <= set(receiver.paths))
    assert receiver.paths.count("/hang") == 10
    receiver.released.set()
    until(lambda: not message_deliveries.listed(account, DeliveryFilter(state=MessageState.DUE)))


def test_stopping_hands_back_what_is_under_way(
    receiver: Receiver,
    declared: Declare,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
) -> None:
    declared(receiver.url + "/hang")
    enqueue()
    loop = start_webhooks()
    receiver.wait(1)
    loop.stop(0.1)
    assert states(message_deliveries, account) == [("due", 0, None)]


def test_an_endpoint_deleted_during_a_try_leaves_nothing(
    receiver: Receiver,
    declared: Declare,
    endpoints: Endpoints,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
) -> None:
    endpoint = declared(receiver.url + "/hang").endpoint
    enqueue()
    start_webhooks()
    receiver.wait(1)
    endpoints.delete(account, endpoint.id)
    receiver.released.set()
    time.sleep(0.1)
    assert message_deliveries.listed(account) == []


def test_a_secret_that_cannot_be_read_fails_its_own_try_alone(
    receiver: Receiver,
    declared: Declare,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
    metadata: object,
    queue: MessageQueue,
    is_settled: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after AIRTALLY_SECRET_KEY was changed."""
    from airtally.accounts.secrets import Secrets

    declared(receiver.url)
    enqueue()
    monkeypatch.setattr(queue, "_secrets", Secrets(b"another key that was set since then"))
    start_webhooks()
    until(lambda: is_settled(1))
    assert receiver.bodies == []
    assert "AIRTALLY_SECRET_KEY" in str(message_deliveries.listed(account)[0].error)

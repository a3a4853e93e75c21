"""What runs make and whom it reaches: real exports, reports, webhooks and mails."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import EmailMessage
from urllib.parse import urlsplit

import msgspec
import pytest
from sqlalchemy import select, update

from airtally.accounts.accounts import Account
from airtally.database.tables import accounts, message_deliveries, messages, schedules
from airtally.engine.child import HeavyOptions
from airtally.exports.export import ExportState
from airtally.kit.clock import MovableClock
from airtally.kit.errors import Unprocessable
from airtally.kit.mail import Mailer
from airtally.kit.time import iso_seconds
from airtally.reports.build import BuildOptions, ReportBuilder
from airtally.reports.render import ReportRenderer
from airtally.reports.report import Report, storage_name
from airtally.reports.service import Reports
from airtally.schedules import delivery
from airtally.schedules.schedule import Schedule
from airtally.schedules.states import RunState, ScheduleState
from airtally.schedules.wanted import AskedPlays, DeliverTo, Product
from airtally.vendors.fouryousee.detailed import DETAILED
from airtally.webhooks.endpoints import Endpoints
from airtally.webhooks.queue import MessageQueue
from airtally.webhooks.sender import MailLoop
from airtally.webhooks.states import MessageState
from fixtures.schedule_home import COUNTS, ROWS, ScheduleHome
from fixtures.smtp import Mailbox
from fixtures.webhooks import until

DAY = 86_400
Open = Callable[..., ScheduleHome]


@pytest.fixture
def home(schedule_home: Open) -> ScheduleHome:
    return schedule_home()


def play(home: ScheduleHome, moment: str, media_id: int = 1) -> None:
    from datetime import UTC, datetime

    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    home.exports.send("playlogs", [{"played_at": at, "player_id": 1, "media_id": media_id}])


def stored_messages(home: ScheduleHome) -> list[dict]:
    with home.exports.metadata.read() as connection:
        return [json.loads(text) for text in connection.execute(select(messages.c.payload)).scalars()]


def test_rows_of_yesterday_are_those_before_the_slot_s_day(home: ScheduleHome) -> None:
    """The process was down for three days: the run's range is that of its slot, not of the day on which it runs."""
    made = home.create()
    play(home, "2026-11-03T23:59:59")
    play(home, "2026-11-04T00:00:00", 2)
    play(home, "2026-11-04T23:59:59", 3)
    play(home, "2026-11-05T00:00:00", 4)
    home.exports.flush()
    home.clock.advance(3 * DAY)  # 2026-11-05 06:15 in São Paulo
    home.step()
    *skipped, run = home.runs(made)
    assert [each.state for each in skipped] == [RunState.SKIPPED, RunState.SKIPPED]
    assert run.state is RunState.DONE
    assert iso_seconds(run.slot_at) == "2026-11-05T09:00:00+00:00"
    lines = home.text(run).splitlines()
    assert [line.split(",")[lines[0].split(",").index("media_id")] for line in lines[1:]] == ["2", "3"]
    export = home.export(run)
    assert (export.requested_by, export.as_of) == (f"schedule {made.id}", run.slot_at)


def test_a_query_is_delivered_as_its_file(home: ScheduleHome) -> None:
    made = home.create(product=COUNTS)
    for media in (1, 1, 2):
        play(home, "2026-11-02T10:00:00", media)
    home.exports.flush()
    home.clock.advance(DAY)
    home.step()
    (run,) = home.runs(made)
    assert home.text(run) == '"media_id","count"\n1,2\n2,1\n'
    assert stored_messages(home) == []


def test_a_webhook_names_the_files(home: ScheduleHome, endpoints: Endpoints, account: Account) -> None:
    endpoint = endpoints.create(account, "http://127.0.0.1:1/").endpoint
    other = endpoints.create(account, "http://127.0.0.1:2/").endpoint
    made = home.create(deliver=DeliverTo(endpoints=(endpoint.id,)))
    home.clock.advance(DAY)
    home.step()
    (run,) = home.runs(made)
    assert run.state is RunState.DELIVERING
    (message,) = stored_messages(home)
    assert message["type"] == "schedule.delivered"
    data = message["data"]
    assert data["schedule"] == {"id": made.id, "name": "Plays of the day"}
    assert data["run"] == {"id": run.id, "slot": "2026-11-03T09:00:00+00:00", "as_of": "2026-11-03T09:00:00+00:00"}
    (file,) = data["export"]["files"]
    assert file["rows"] == 0
    assert urlsplit(file["url"]).path == f"/api/v1/downloads/exports/{run.export_id}/1"
    with home.exports.metadata.begin() as connection:
        (delivery,) = connection.execute(select(message_deliveries)).all()
        assert delivery.endpoint_id == endpoint.id != other.id
        connection.execute(update(message_deliveries).values(state=MessageState.DELIVERED))
    until(lambda: home.step() or home.runs(made)[0].state is RunState.DONE)  # the sender notes it after the mail


@pytest.mark.parametrize(
    ("state", "error", "reason"),
    [
        ("failed", "It answered 500", "webhook 1 (It answered 500)"),
        ("held", None, "webhook 1 (it is disabled, and gets the message once it is enabled)"),
    ],
)
def test_a_delivery_that_is_given_up_fails_the_run(
    home: ScheduleHome, endpoints: Endpoints, account: Account, state: str, error: str | None, reason: str
) -> None:
    endpoint = endpoints.create(account, "http://127.0.0.1:1/").endpoint
    made = home.create(deliver=DeliverTo(endpoints=(endpoint.id,)))
    home.clock.advance(DAY)
    home.step()
    with home.exports.metadata.begin() as connection:
        connection.execute(update(message_deliveries).values(state=state, error=error))
    home.step()
    (run,) = home.runs(made)
    assert (run.state, run.reason) == (
        RunState.FAILED,
        f"It is made, but was not delivered to {reason}. It can be redelivered",
    )
    assert stored_messages(home)[-1]["type"] == "schedule.failed"


def test_while_a_delivery_is_tried_the_next_slot_runs(
    home: ScheduleHome, endpoints: Endpoints, account: Account
) -> None:
    endpoint = endpoints.create(account, "http://127.0.0.1:1/").endpoint
    made = home.create(deliver=DeliverTo(endpoints=(endpoint.id,)))
    for _ in range(2):
        home.clock.advance(DAY)
        home.step()
    assert [run.state for run in home.runs(made)] == [RunState.DELIVERING, RunState.DELIVERING]


def test_endpoints_that_are_gone_are_said(home: ScheduleHome, endpoints: Endpoints, account: Account) -> None:
    endpoint = endpoints.create(account, "http://127.0.0.1:1/").endpoint
    made = home.create(deliver=DeliverTo(endpoints=(endpoint.id,)))
    endpoints.delete(account, endpoint.id)
    home.clock.advance(DAY)
    home.step()
    (run,) = home.runs(made)
    assert run.state is RunState.FAILED
    assert (
        run.reason
        == "It was delivered to nobody: the schedule's endpoints are gone, or none wants `schedule.delivered`"
    )


def test_an_export_that_is_cancelled_fails_the_run(home: ScheduleHome, account: Account) -> None:
    made = home.create()
    home.clock.advance(DAY)
    home.parts.planner.step()
    assert home.worker.step() == 0.0
    (run,) = home.runs(made)
    assert run.export_id is not None
    home.exports.exports.cancel(account, run.export_id)
    home.step()
    (run,) = home.runs(made)
    assert (run.state, run.reason) == (RunState.FAILED, f"The export {run.export_id} was {ExportState.CANCELLED}")


def test_a_report_of_yesterday(home: ScheduleHome, reports: Reports, account: Account) -> None:
    made = home.create(product=Product(report=AskedPlays("last 7 days", media_id=(1, 2), sort=1)))
    home.clock.advance(DAY)
    home.step()
    (run,) = home.runs(made)
    assert run.report_id is not None
    asked = reports.get(account, run.report_id).filter
    assert (asked.start_date, asked.start_time) == ("2026-10-27", "00:00:00")
    assert (asked.end_date, asked.end_time) == ("2026-11-02", "23:59:59")
    assert (asked.media_id, asked.sort) == ((1, 2), 1)
    fail_report(home, reports, account, reports.get(account, run.report_id))
    home.step()
    (run,) = home.runs(made)
    assert (run.state, run.reason) == (RunState.FAILED, "the disk was full")


def test_a_report_that_is_built_is_delivered(
    home: ScheduleHome, reports: Reports, endpoints: Endpoints, account: Account
) -> None:
    """From the slot to the message with the link; the file has the plays of the day before, in the order asked for."""
    endpoint = endpoints.create(account, "http://127.0.0.1:1/").endpoint
    deliver = DeliverTo(endpoints=(endpoint.id,))
    made = home.create(product=Product(report=AskedPlays("yesterday", sort=1)), deliver=deliver)
    for moment, media_id in (("2026-11-02T09:00:00", 2), ("2026-11-02T08:00:00", 1), ("2026-11-03T00:00:00", 3)):
        play(home, moment, media_id)
    home.clock.advance(DAY)
    home.step()
    assert home.runs(made)[0].state is RunState.MAKING
    assert report_builder(home, reports).step() == 0.0
    home.step()
    (run,) = home.runs(made)
    report = reports.get(account, run.report_id or 0)
    (message,) = stored_messages(home)
    (file,) = message["data"]["report"]["files"]
    assert (run.state, message["type"], file["url"]) == (
        *(RunState.DELIVERING, "schedule.delivered"),
        reports.url(account, report),
    )
    packed = b"".join(home.exports.files.read(storage_name(account.slug, report.file_name or "")))
    assert (file["rows"], file["bytes"], file["sha256"]) == (2, len(packed), hashlib.sha256(packed).hexdigest())
    assert [json.loads(line)["mediaId"] for line in gzip.decompress(packed).splitlines()] == [1, 2]
    with home.exports.metadata.begin() as connection:
        connection.execute(update(message_deliveries).values(state=MessageState.DELIVERED))
    until(lambda: home.step() or home.runs(made)[0].state is RunState.DONE)  # the sender notes it after the mail


def report_builder(home: ScheduleHome, reports: Reports) -> ReportBuilder:
    exports = home.exports
    assert exports.store is not None
    heavy_options = HeavyOptions(memory=256 << 20, temp_folder=exports.folder / "heavy")
    return ReportBuilder(
        *(reports, exports.jobs),
        ReportRenderer(DETAILED, exports.store, exports.engine, exports.heavy, heavy_options),
        *(exports.files, home.clock),
        options=BuildOptions(staging=exports.folder / "staging"),
        wait_until_visible=lambda _moment, _stop: None,
    )


def fail_report(home: ScheduleHome, reports: Reports, account: Account, report: Report) -> None:
    job = home.exports.jobs.claim(("report",))
    assert job is not None
    reports.fail(account, report, job, "the disk was full")


def fail_runs(home: ScheduleHome, made: Schedule, number: int) -> None:
    for _ in range(number):
        home.clock.advance(DAY)
        home.parts.planner.step()
        home.worker.step()
        run = home.runs(made)[-1]
        home.exports.exports.cancel(home.account, run.export_id or 0)
        home.step()


def test_failures_in_a_row_pause_the_schedule_and_its_owner_is_told(home: ScheduleHome) -> None:
    made = home.create(most_failures=3)
    fail_runs(home, made, 2)
    assert home.parts.schedules.get(home.account, made.id).failures == 2
    home.clock.advance(DAY)
    home.step()
    assert home.parts.schedules.get(home.account, made.id).failures == 0, "one that succeeds ends the row"
    fail_runs(home, made, 3)
    now = home.parts.schedules.get(home.account, made.id)
    assert now.state is ScheduleState.PAUSED
    assert now.pause_reason is not None
    assert now.pause_reason.startswith("3 runs in a row have failed, the last one so: The export")
    told = [message["data"] for message in stored_messages(home) if message["type"] == "schedule.failed"]
    assert [each["paused"] for each in told] == [False, False, False, False, True]
    assert [each["failures"] for each in told] == [1, 2, 1, 2, 3]
    home.clock.advance(3 * DAY)
    home.step()
    assert len(home.runs(made)) == 6
    home.parts.schedules.resume(home.account, made.id)
    skipped = home.runs(made)[-1]
    assert skipped.state is RunState.SKIPPED
    assert (iso_seconds(skipped.first_slot_at or 0), iso_seconds(skipped.slot_at)) == (
        "2026-11-09T09:00:00+00:00",
        "2026-11-11T09:00:00+00:00",
    )
    assert (skipped.reason or "").startswith("The schedule was paused: 3 runs in a row")


def test_what_cannot_be_made_is_refused_at_once(home: ScheduleHome) -> None:
    for product in (
        Product(),
        Product(export=ROWS.export, report=AskedPlays("yesterday")),
        Product(report=AskedPlays("the day before")),
        Product(report=AskedPlays("last 3 years")),
        Product(report=AskedPlays("yesterday", sort=0)),
    ):
        with pytest.raises(Unprocessable):
            home.create(product=product)
    with pytest.raises(Unprocessable, match="no webhook endpoint 7"):
        home.create(deliver=DeliverTo(endpoints=(7,)))
    with pytest.raises(Unprocessable, match="e-mail address"):
        home.create(deliver=DeliverTo(email=("nobody",)))


def test_an_account_with_too_many_exports_waits(home: ScheduleHome, clock: MovableClock) -> None:
    for _ in range(20):
        home.exports.create(ROWS.export)
    made = home.create()
    home.clock.advance(DAY)
    home.parts.planner.step()
    home.worker.step()
    (run,) = home.runs(made)
    assert (run.state, run.export_id) == (RunState.MAKING, None)
    home.step()
    home.clock.advance(60)
    until(lambda: home.step() or home.runs(made)[0].state is RunState.DONE)  # the sender notes it after the mail


@pytest.fixture
def send_mails(queue: MessageQueue, smtp_url: str) -> Iterator[Callable[[ScheduleHome], None]]:
    loops: list[MailLoop] = []

    def start(home: ScheduleHome) -> None:
        loops.append(MailLoop(queue, Mailer(smtp_url), files=home.exports.files, poll_seconds=0.01))
        loops[-1].start()

    yield start
    for loop in loops:
        loop.stop(1)


def wait_for(mailbox: Mailbox, number: int) -> list[EmailMessage]:
    deadline = time.monotonic() + 60
    while len(mailbox.messages) < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return list(mailbox.messages)


def test_a_small_file_is_attached_to_the_mail(
    home: ScheduleHome, mailbox: Mailbox, send_mails: Callable[[ScheduleHome], None]
) -> None:
    made = home.create(product=COUNTS, deliver=DeliverTo(email=("ana@example.com", "bo@example.com")))
    play(home, "2026-11-02T10:00:00", 7)
    home.exports.flush()
    home.clock.advance(DAY)
    home.step()
    send_mails(home)
    one, two = wait_for(mailbox, 2)
    assert sorted([one["To"], two["To"]]) == ["ana@example.com", "bo@example.com"]
    assert one["Subject"] == "Plays of the day, 2026-11-03 06:00"
    (attached,) = one.iter_attachments()
    (run,) = home.runs(made)
    assert attached.get_filename() == f"export-{run.export_id}-0001.csv.gz"
    assert gzip.decompress(attached.get_payload(decode=True)).decode() == home.text(run)
    text = one.get_body().get_content()
    assert "They are attached, and under these links, which need no password, until 2026-11-10T" in text
    assert f"https://airtally.example/api/v1/downloads/exports/{run.export_id}/1?expires=" in text
    until(lambda: home.step() or home.runs(made)[0].state is RunState.DONE)  # the sender notes it after the mail


def test_a_large_one_is_a_link(
    home: ScheduleHome, mailbox: Mailbox, send_mails: Callable[[ScheduleHome], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MOST_ATTACHED_BYTES", 10)
    home.create(product=COUNTS, deliver=DeliverTo(email=("ana@example.com",)))
    home.clock.advance(DAY)
    home.step()
    send_mails(home)
    (mail,) = wait_for(mailbox, 1)
    assert list(mail.iter_attachments()) == []
    assert "They are under these links" in mail.get_content()


def test_a_file_that_is_gone_cannot_be_attached(
    home: ScheduleHome, mailbox: Mailbox, send_mails: Callable[[ScheduleHome], None]
) -> None:
    made = home.create(product=COUNTS, deliver=DeliverTo(email=("ana@example.com",)))
    home.clock.advance(DAY)
    home.step()
    for name in home.exports.stored_names():
        home.exports.files.delete(name)
    send_mails(home)
    deadline = time.monotonic() + 60
    while home.runs(made)[0].state is RunState.DELIVERING:
        assert time.monotonic() < deadline
        home.step()
    (run,) = home.runs(made)
    assert run.state is RunState.FAILED
    assert f"The file export-{run.export_id}-0001.csv.gz, which goes with it, is no longer kept" in (run.reason or "")
    assert mailbox.messages == []


def test_a_closed_account_holds_up_no_other_and_goes_on_when_it_is_opened(
    home: ScheduleHome, account: Account, other_account: Account
) -> None:
    other = replace(home, account=other_account)
    mine, theirs = home.create(timezone="UTC"), other.create(timezone="UTC")
    home.clock.advance(DAY)
    home.parts.planner.step()
    while home.worker.step() == 0.0:
        pass
    while home.export_worker.step() == 0.0:
        pass
    set_closed(home, account, home.clock.now_us())
    other.step()
    (run,) = other.runs(theirs)
    assert run.state is RunState.DONE
    (waiting,) = home.runs(mine)
    assert waiting.state is RunState.MAKING
    set_closed(home, account, None)
    home.clock.advance(2)
    home.step()
    assert [each.state for each in home.runs(mine)] == [RunState.DONE]


def test_a_run_that_cannot_go_on_holds_up_no_other(home: ScheduleHome, other_account: Account) -> None:
    """As one whose record a later release has written."""
    other = replace(home, account=other_account)
    mine, theirs = home.create(), other.create()
    home.clock.advance(DAY)
    home.parts.planner.step()
    while home.worker.step() == 0.0:
        pass
    while home.export_worker.step() == 0.0:
        pass
    with home.exports.metadata.begin() as connection:
        connection.execute(update(schedules).where(schedules.c.id == mine.id).values(deliver='{"pigeons": 2}'))
    with pytest.raises(msgspec.ValidationError, match="pigeons"):
        home.parts.follower.step()
    assert [each.state for each in other.runs(theirs)] == [RunState.DONE]


def set_closed(home: ScheduleHome, account: Account, at: int | None) -> None:
    with home.exports.metadata.begin() as connection:
        connection.execute(update(accounts).where(accounts.c.id == account.id).values(closed_at=at))

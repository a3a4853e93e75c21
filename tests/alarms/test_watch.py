"""An alarm fires once and is over once, over restarts, jumps of the clock, stops of the server and two processes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import update

from airtally.accounts.accounts import Account
from airtally.accounts.users import Users
from airtally.alarms.alarm import AlarmRecipients, AlarmState, GrowingQuarantine, LateWork, SilentStream
from airtally.alarms.readings import LateThing
from airtally.alarms.service import Alarms
from airtally.alarms.watch import GAP_US
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts
from airtally.kit.clock import MovableClock
from airtally.kit.faults import Faults
from airtally.webhooks.deliveries import MessageDeliveries
from airtally.webhooks.endpoints import EndpointSecret
from fixtures.alarms import AlarmHome, fired, over
from fixtures.killed import Killed

HOUR = SilentStream("playlogs", 3600)
DAY = 86_400


def test_a_silent_stream_fires_once_and_is_over_with_the_next_row(
    alarm_home: AlarmHome, alarms: Alarms, account: Account, other_account: Account
) -> None:
    alarm = alarms.create(account, "Players", HOUR)
    alarm_home.run(3000)
    alarm_home.send(account)
    alarm_home.run(15 + 3600 - 15)
    assert alarm_home.told() == []
    alarm_home.send(other_account)
    alarm_home.run(15)
    assert alarm_home.told() == fired(alarm)
    found = alarms.get(account, alarm.id)
    assert (found.state, found.since) == (AlarmState.FIRING, alarm_home.clock.now_us())
    assert found.says == "No row of playlogs was received since 2026-11-02 10:05 UTC"
    alarm_home.run(2 * 3600)
    assert alarm_home.told() == fired(alarm)
    alarm_home.send(account, flush=True)
    alarm_home.run(15)
    assert alarm_home.told() == fired(alarm) + over(alarm)
    alarm_home.run(3600)
    assert alarm_home.told() == fired(alarm) + over(alarm) + fired(alarm)


def test_rows_that_keep_coming_keep_it_quiet(alarm_home: AlarmHome, alarms: Alarms, account: Account) -> None:
    alarms.create(account, "Players", SilentStream("playlogs", 300))
    for number in range(40):
        alarm_home.send(account, flush=number % 3 == 0)
        alarm_home.run(240)
    assert alarm_home.told() == []


def test_a_stop_of_the_server_is_no_silence(alarm_home: AlarmHome, alarms: Alarms, account: Account) -> None:
    """Nobody could send: the time counts neither before the first check after it nor later."""
    alarm = alarms.create(account, "Players", HOUR)
    alarm_home.send(account)
    alarm_home.run(1815)
    for _ in range(5):
        alarm_home.clock.advance(DAY)
        alarm_home.run(15)
    assert alarm_home.told() == []
    alarm_home.run(1800)
    assert alarm_home.told() == fired(alarm)


def test_while_no_process_takes_rows_there_is_no_silence(
    alarm_home: AlarmHome, alarms: Alarms, account: Account
) -> None:
    """As where only `airtally worker` runs."""
    alarm = alarms.create(account, "Players", HOUR)
    alarm_home.takes_rows = False
    alarm_home.run(3 * 3600)
    assert alarm_home.told() == []
    assert alarms.get(account, alarm.id).says == "The server does not take rows"
    alarm_home.takes_rows = True
    alarm_home.run(3585)
    assert alarm_home.told() == []
    alarm_home.run(15)
    assert alarm_home.told() == fired(alarm)
    alarm_home.takes_rows = False
    alarm_home.run(3600)
    assert alarm_home.told() == fired(alarm), "it is not over either"


@pytest.mark.parametrize("jump", [-3600, 3600, 30 * DAY, -30 * DAY])
def test_a_jump_of_the_clock_fires_nothing_and_ends_nothing(
    alarm_home: AlarmHome, alarms: Alarms, account: Account, jump: int
) -> None:
    silent = alarms.create(account, "Players", HOUR)
    alarm_home.send(account)
    alarm_home.run(600)
    alarm_home.clock.advance(jump)
    alarm_home.run(30)
    alarm_home.send(account)
    alarm_home.run(3600)
    assert alarm_home.told() == []
    alarm_home.run(30)
    assert alarm_home.told() == fired(silent)
    alarm_home.clock.advance(jump)
    alarm_home.run(60)
    assert alarm_home.told() == fired(silent)
    alarm_home.send(account)
    alarm_home.run(15)
    assert alarm_home.told() == fired(silent) + over(silent)


def test_late_work_fires_once_and_is_over_when_it_is_done(
    alarm_home: AlarmHome, alarms: Alarms, account: Account, other_account: Account
) -> None:
    alarm = alarms.create(account, "Late", LateWork(600, "schedule"))
    due = alarm_home.clock.now_us()
    alarm_home.late.things = [
        (account, LateThing("schedule", "7", "Daily", due)),
        (account, LateThing("publication", "d1", "Catalog", due - 10**12)),
        (other_account, LateThing("schedule", "8", "Theirs", due - 10**12)),
    ]
    alarm_home.run(600 + 60)
    assert alarm_home.told() == []
    alarm_home.run(30)
    assert alarm_home.told() == fired(alarm)
    assert alarms.get(account, alarm.id).says == "Late: schedule Daily (7), due at 2026-11-02 09:15 UTC"
    alarm_home.run(3600)
    alarm_home.late.things.clear()
    alarm_home.run(15)
    assert alarm_home.told() == fired(alarm) + over(alarm)


def test_one_thing_may_be_watched_alone(alarm_home: AlarmHome, alarms: Alarms, account: Account) -> None:
    one = alarms.create(account, "One", LateWork(600, "publication", "d2"))
    every = alarms.create(account, "All", LateWork(600))
    alarm_home.late.things = [(account, LateThing("publication", "d1", "Catalog", 1))]
    alarm_home.run(90)
    assert alarm_home.told() == fired(every)
    alarm_home.late.things.append((account, LateThing("publication", "d2", "Playback", 1)))
    alarm_home.run(90)
    assert alarm_home.told() == fired(every, one)


def test_what_was_missed_while_no_process_ran_is_late_only_if_it_stays_so(
    alarm_home: AlarmHome, alarms: Alarms, account: Account
) -> None:
    alarms.create(account, "Late", LateWork(600))
    alarm_home.run(30)
    alarm_home.clock.advance(7 * DAY)
    alarm_home.late.things = [(account, LateThing("schedule", "7", "Daily", alarm_home.clock.now_us() - DAY))]
    alarm_home.run(45)
    alarm_home.late.things.clear()
    alarm_home.run(600)
    assert alarm_home.told() == []


def test_a_growing_quarantine_fires_once_and_is_over_when_it_grows_no_more(
    alarm_home: AlarmHome, alarms: Alarms, account: Account, other_account: Account
) -> None:
    alarm = alarms.create(account, "Refused", GrowingQuarantine(10, 600, "playlogs"))
    alarm_home.refuse(account, 9)
    alarm_home.refuse(account, 50, "medias")
    alarm_home.refuse(other_account, 50)
    alarm_home.refuse(account, 50, source="resend of 3")
    alarm_home.run(15)
    assert alarm_home.told() == []
    alarm_home.refuse(account, 1)
    alarm_home.run(15)
    assert alarm_home.told() == fired(alarm)
    assert alarms.get(account, alarm.id).says == "10 rows of playlogs were refused since 2026-11-02 09:05 UTC"
    alarm_home.run(585)
    assert alarm_home.told() == fired(alarm) + over(alarm)
    alarm_home.run(3600)
    assert alarm_home.told() == fired(alarm) + over(alarm)


def test_who_is_told(
    alarm_home: AlarmHome,
    alarms: Alarms,
    account: Account,
    users: Users,
    declared: Callable[..., EndpointSecret],
    message_deliveries: MessageDeliveries,
) -> None:
    users.create(account, username="ana", name="Ana", email="ana@acme.example", password="long enough")
    wants = declared("https://a.example/", event_types=["alarm.fired"]).endpoint.id
    named = declared("https://b.example/", event_types=["ping"]).endpoint.id
    alarms.create(account, "All", GrowingQuarantine(1))
    alarm_home.refuse(account, 1)
    alarm_home.run(15)
    assert [(each.channel, each.endpoint_id) for each in message_deliveries.listed(account)] == [("webhook", wants)]
    alarms.create(account, "Some", GrowingQuarantine(1), AlarmRecipients((named,), ("ops@acme.example",), users=True))
    alarm_home.run(15)
    found = [(each.endpoint_id or each.address) for each in message_deliveries.listed(account, limit=3)]
    assert set(found) == {named, "ops@acme.example", "ana@acme.example"}
    mail = message_deliveries.get(account, message_deliveries.listed(account)[0].id)
    assert mail.subject == "Some (Acme)"
    assert "1 row was refused since" in str(mail.text)


def test_a_process_that_dies_at_the_change_leaves_it_to_the_next(
    alarm_home: AlarmHome, alarms: Alarms, account: Account
) -> None:
    class Dying(Faults):
        def reach(self, point: str) -> None:
            if point == "alarm.note":
                raise Killed

    alarm = alarms.create(account, "Refused", GrowingQuarantine(1))
    alarm_home.refuse(account, 1)
    alarm_home.clock.advance(15)
    with pytest.raises(Killed):
        alarm_home.watch(Dying()).step()
    assert alarm_home.told() == []
    assert alarms.get(account, alarm.id).state == AlarmState.OK
    alarm_home.watch().step()
    assert alarm_home.told() == fired(alarm)


def test_of_processes_that_check_at_once_one_tells(
    alarm_home: AlarmHome, alarms: Alarms, account: Account, clock: MovableClock
) -> None:
    made = [alarms.create(account, f"a{number}", GrowingQuarantine(1, 60)) for number in range(8)]
    for _ in range(3):
        alarm_home.refuse(account, 1)
        _all_at_once(alarm_home, clock)
        clock.advance(60)
        _all_at_once(alarm_home, clock)
    told = alarm_home.told()
    for alarm in made:
        assert [each for each in told if each[1] == alarm.id] == [*fired(alarm), *over(alarm)] * 3


def _all_at_once(alarm_home: AlarmHome, clock: MovableClock) -> None:
    clock.advance(15)
    start = threading.Barrier(4)

    def check() -> None:
        watch = alarm_home.watch()
        start.wait()
        watch.step()

    threads = [threading.Thread(target=check) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_one_that_cannot_be_read_holds_up_no_other(
    alarm_home: AlarmHome, alarms: Alarms, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarms.create(account, "Late", LateWork(600))
    good = alarms.create(account, "Refused", GrowingQuarantine(1))
    monkeypatch.delattr(alarm_home.late, "things")
    alarm_home.refuse(account, 1)
    alarm_home.run(15)
    assert alarm_home.told() == fired(good)


def test_nothing_is_told_of_a_closed_account(
    alarm_home: AlarmHome, alarms: Alarms, account: Account, metadata: MetadataStore
) -> None:
    """Nobody can send to it; once it is opened again, the time counts from then on."""
    alarm = alarms.create(account, "Players", HOUR)
    alarm_home.run(1800)
    set_closed(metadata, account, alarm_home.clock.now_us())
    alarm_home.run(3 * 3600)
    assert alarm_home.told() == []
    set_closed(metadata, account, None)
    alarm_home.run(1800 - 15)
    assert alarm_home.told() == []
    alarm_home.run(60)
    assert alarm_home.told() == fired(alarm)


def set_closed(metadata: MetadataStore, account: Account, at: int | None) -> None:
    with metadata.begin() as connection:
        connection.execute(update(accounts).where(accounts.c.id == account.id).values(closed_at=at))


def test_a_deleted_alarm_tells_nobody(alarm_home: AlarmHome, alarms: Alarms, account: Account) -> None:
    alarm = alarms.create(account, "Refused", GrowingQuarantine(1, 60))
    alarm_home.refuse(account, 1)
    alarm_home.run(15)
    alarms.delete(account, alarm.id)
    alarm_home.run(120)
    assert alarm_home.told() == fired(alarm)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", range(12))
def test_as_a_naive_account_of_the_time_that_counted(
    alarm_home: AlarmHome, alarms: Alarms, account: Account, seed: int
) -> None:
    """Whatever happens in which order: it fires where the checked time without a row reaches the limit, not before."""
    chance, limit = random.Random(seed), 300
    alarm = alarms.create(account, "Players", SilentStream("playlogs", limit))
    alarm_home.run(15)  # the first check, from which on time counts
    quiet, expected, firing = 0.0, list[tuple[str, int]](), False
    for _ in range(120):
        what = chance.choices(["check", "row", "stop"], [30, 2, 1])[0]
        if what == "row":
            alarm_home.send(account, flush=chance.random() < 0.3)
        elif what == "stop":
            alarm_home.clock.advance(chance.uniform(GAP_US / 1e6 + 1, 10 * DAY))
        seconds = chance.choice([15, 20, 60])
        alarm_home.clock.advance(seconds)
        alarm_home.watch().step()
        quiet = 0 if what == "row" else quiet + (0 if what == "stop" else seconds)
        if firing and what == "row":
            expected, firing = expected + over(alarm), False
        elif not firing and quiet >= limit:
            expected, firing = expected + fired(alarm), True
        assert alarm_home.told() == expected


def test_a_closed_account_is_told_nothing_until_it_is_opened_again(
    alarm_home: AlarmHome, alarms: Alarms, account: Account, other_account: Account, closed: Callable[[bool], None]
) -> None:
    silent = SilentStream("playlogs", 300)
    alarm, other = alarms.create(account, "Players", silent), alarms.create(other_account, "Players", silent)
    alarm_home.run(15)
    closed(True)
    alarm_home.run(400)
    assert alarm_home.told() == fired(other)
    closed(False)
    alarm_home.run(15)
    assert alarm_home.told() == fired(other)
    alarm_home.run(300)
    assert alarm_home.told() == fired(other) + fired(alarm)

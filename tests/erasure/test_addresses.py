"""An address of a person in messages, recipients, exports and the audit trail: erased, or named with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert, select

from airtally.alarms.alarm import AlarmRecipients, GrowingQuarantine
from airtally.database.tables import alarms, audit, message_deliveries, message_tries, messages, schedules
from airtally.erasure.addresses import PersonAddresses
from airtally.erasure.export_filters import names_person
from airtally.erasure.person import Person
from airtally.erasure.records import ErasureState
from airtally.exports.spec import AskedRows, ExportSpec
from airtally.kit.clock import MovableClock
from airtally.webhooks.messages import MailText, Recipients
from fixtures.erasures import NOON_US, ErasureHome

ANN, BOB = "ann@x.org", "bob@x.org"
_FILTERED = ExportSpec(rows=AskedRows("devices", filter={"email": ANN}))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ErasureHome]:
    with ExitStack() as closing:
        yield ErasureHome(tmp_path / "home", MovableClock(NOON_US), closing, smtp_url="smtp://127.0.0.1:9")


def told(home: ErasureHome, key: str, *addresses: str, text: str = "figures") -> None:
    with home.services.store.begin() as connection:
        home.services.webhooks.messages.enqueue(
            *(connection, home.account, "schedule.delivered", {}, key),
            to=Recipients(addresses=addresses),
            mail=MailText("a subject", text),
        )
        delivery = connection.execute(select(message_deliveries.c.id)).scalars().first()
        tried = {"delivery_id": delivery, "attempt": 1, "sent_at": 1, "duration_us": 1, "headers": "{}", "body": ""}
        connection.execute(insert(message_tries).values(tried))


def filled(home: ErasureHome) -> None:
    told(home, "ann alone", "Ann@x.org")
    told(home, "both", ANN, BOB)
    told(home, "about ann", BOB, text=f"A row of <{ANN}>.")
    told(home, "of another", BOB, text="joann@x.org, ann@x.org.br")
    to, now = AlarmRecipients(addresses=("ANN@x.org", BOB)), home.clock.now_us()
    home.services.alarms.alarms.create(home.account, "a", GrowingQuarantine(1), to)
    home.services.exports.exports.create(home.account, _FILTERED, requested_by="ann")
    schedule = {"account_id": home.account.id, "name": "s", "cron": "0 0 * * *", "jitter_seconds": 0}
    schedule |= {"product": msgspec.json.encode({"export": _FILTERED}).decode(), "catch_up": "latest"}
    schedule |= {"deliver": msgspec.json.encode({"email": [ANN]}).decode(), "late_minutes": 1, "most_failures": 1}
    schedule |= {"state": "paused", "failures": 0, "requested_by": "x", "planned_zone": "UTC", "planned_through": now}
    schedule |= dict.fromkeys(("planned_at", "created_at", "updated_at"), now)
    noted = {"at": now, "account_id": home.account.id, "actor_kind": "user", "actor": ANN, "address": "", "action": "a"}
    with home.services.store.begin() as connection:
        connection.execute(insert(schedules).values(schedule))
        connection.execute(insert(audit).values(noted | {"target": "x 1", "details": "{}"}))


def test_addresses_are_erased_or_named(home: ErasureHome) -> None:
    filled(home)
    looked = home.preview(email=ANN)
    expected = {"export filters": 1, "messages": 3, "recipients of schedules": 1, "recipients of alarms": 1}
    assert {part: n for (store, part), n in looked.items() if store == "metadata"} == expected | {
        "audit": 1,
        "schedules": 1,
    }
    erasure = home.erase(email=ANN)
    assert erasure.state is ErasureState.ERASED, erasure
    found = home.findings(erasure)
    assert {part: found["metadata", part].erased for part in expected} == expected
    for part in ("audit", "schedules"):
        finding = found["metadata", part]
        assert (finding.found, finding.erased, finding.remains) == (1, 0, 1)
        assert finding.why
    with home.services.store.read() as connection:
        assert set(connection.execute(select(messages.c.key)).scalars()) == {"both", "of another"}
        assert connection.execute(select(message_deliveries.c.address)).scalars().all() == [BOB, BOB]
        assert msgspec.json.decode(connection.execute(select(alarms.c.recipients)).scalar_one())["addresses"] == [BOB]
        assert msgspec.json.decode(connection.execute(select(schedules.c.deliver)).scalar_one()) == {"email": []}
    [export] = home.services.exports.exports.page(home.account)
    assert (export.state, export.spec.rows) == ("cancelled", AskedRows("devices", filter={"erased": True}))
    left = {"audit": 1, "schedules": 1}
    assert {part: n for (store, part), n in home.preview(email=ANN).items() if store == "metadata"} == left


def test_another_id_touches_no_message(home: ErasureHome) -> None:
    filled(home)
    erasure = home.erase(user_id="ann")
    assert not [part for store, part in home.findings(erasure) if store == "metadata"]


@pytest.mark.parametrize("text", ["to ann@x.org.", "<Ann@X.org>", '"ann@x.org"', "mailto:ann@x.org", "ann@x.org, b"])
def test_an_address_in_a_text(text: str) -> None:
    assert PersonAddresses(Person({"email": (ANN,)})).are_in(None, text)


@pytest.mark.parametrize("text", ["joann@x.org", "o.ann@x.org", "ann@x.org.br", "ann@x.organic", ""])
def test_another_address_in_a_text(text: str) -> None:
    assert not PersonAddresses(Person({"email": (ANN,)})).are_in(text)
    assert not PersonAddresses(Person({"user_id": ("7",)})).are_in(text)


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (ExportSpec(sql="SELECT 1 FROM devices WHERE email = 'Ann@x.org'"), True),
        (ExportSpec(sql="SELECT 1 FROM devices WHERE email = 'joann@x.org'"), False),
        (ExportSpec(query={"stream": "devices", "filter": {"email": ["b@x", ANN]}}), True),
        (ExportSpec(query={"stream": "devices", "filter": {"hwid": ANN}}), False),
        (ExportSpec(query={"stream": "no such", "filter": {"email": ANN}}), False),
    ],
)
def test_what_an_export_asks_for(spec: ExportSpec, named: bool) -> None:
    assert names_person(spec, Person({"email": (ANN,)})) is named

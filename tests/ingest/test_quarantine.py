"""Refused rows: one form to be sent again whatever they came from, and a bound for what they take."""

from __future__ import annotations

import io
import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airtally.ingest.decode import read_rows
from airtally.ingest.resend import Resent
from airtally.ingest.row_errors import Errors
from airtally.ingest.service import Batch
from airtally.kit.clock import MovableClock
from airtally.kit.errors import StorageFull
from airtally.kit.faults import Faults
from airtally.runtime import open_services
from airtally.services import Role
from airtally.settings import Settings
from airtally.streams import PLAYLOGS, STREAMS
from airtally.vendors.slate.entries import NewBusiness
from airtally.vendors.slate.services import slate_services
from fixtures.homes import unpacked
from fixtures.migrated import migrated

SUBSCRIPTIONS, AD_EVENTS = STREAMS["subscriptions"], STREAMS["ad_events"]
NDJSON, PARQUET = "application/x-ndjson", "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.stream"


class Full(Faults):
    """A disk without room, at the points that are named."""

    def __init__(self) -> None:
        self.points: set[str] = set()
        self.after = 0

    def reach(self, point: str) -> None:
        if point in self.points:
            raise StorageFull("no room")


@pytest.fixture
def faults():
    return Full()


@pytest.fixture
def opened(tmp_path, faults):
    found = []

    def start(**changes):
        services = open_services(
            migrated(Settings(home=tmp_path / "home").with_(**changes)), faults=faults, role=Role.ROWS
        )
        found.append(services)
        return services

    yield start
    for services in found:
        services.close()


def send(services, account, stream, body, media_type=NDJSON):
    return json.loads(services.intake.batches.accept(Batch(stream, account, body, media_type)))


def parquet(table):
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def arrow(table):
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def add_business(services, account, business="later"):
    datasets = {"subscription": "data999"}
    slate_services(services).register.create_business(account, NewBusiness("7890", business, "Max", datasets=datasets))


def taken(services, account):
    return services.queries.current(SUBSCRIPTIONS, account.slug).table.to_pylist()


def only_entry(services, account):
    (entry,) = services.intake.quarantine.entries(account)
    return entry


def test_rows_of_a_csv_are_taken_once_their_business_is_there(opened, tmp_path):
    services = opened()
    account = services.access.accounts.create("Acme", "acme")
    path = tmp_path / "waiting.csv"
    path.write_text(
        "business_id,subscription_event_id,offer_name,is_promo,last_update_time_utc\n"
        'later,w1,"Gold, and ""more""\nof it",1,2026-10-01T05:30:00+05:30\n'
        "later,w2,,,\n"
        "later,w3,Silver,x,\n"
    )
    result = services.intake.files.load(SUBSCRIPTIONS, account, path)
    assert (result.accepted, result.rejected, result.quarantined) == (0, 3, 3)
    add_business(services, account)
    entry = only_entry(services, account)
    assert services.intake.resend.run(account, entry.id) == Resent(2, 1)
    rows = {row["subscription_event_id"]: row for row in taken(services, account)}
    assert (rows["w1"]["offer_name"], rows["w1"]["is_promo"]) == ('Gold, and "more"\nof it', 1)
    assert rows["w1"]["last_update_time_utc"] == datetime(2026, 10, 1, tzinfo=UTC)
    assert rows["w2"]["offer_name"] is None
    left, sent = services.intake.quarantine.entries(account)
    assert (left.rows, left.resent_at) == (1, None)
    assert (sent.rows, sent.resent_at is not None) == (2, True)
    (row,) = services.intake.quarantine.rows(account, left.id)
    assert (row.line, row.field, row.error, row.raw) == (
        5,
        "is_promo",
        "expected integer, got string",
        "later,w3,Silver,x,",
    )
    assert services.intake.resend.run(account, left.id) == Resent(0, 1)
    assert services.intake.quarantine.entry(account, left.id).resent_at is None


@pytest.mark.parametrize(("pack", "media_type"), [(parquet, PARQUET), (arrow, ARROW)])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_typed_rows_are_taken_once_their_cause_is_mended(opened, pack, media_type, zone, unit):
    services = opened()
    account = services.access.accounts.create("Acme", "acme")
    moment = datetime(2026, 10, 1, 5, 30, tzinfo=ZoneInfo(zone))
    table = pa.table(
        {
            "business_id": pa.array(["later"]).dictionary_encode(),
            "subscription_event_id": ["w1"],
            "is_promo": pa.array([1.0]),
            "last_update_time_utc": pa.array([moment], pa.timestamp(unit, zone)),
        }
    )
    assert send(services, account, SUBSCRIPTIONS, pack(table), media_type)["rejected"] == 1
    add_business(services, account)
    assert services.intake.resend.run(account, only_entry(services, account).id) == Resent(1, 0)
    (row,) = taken(services, account)
    assert (row["is_promo"], row["last_update_time_utc"]) == (1, moment)


def test_money_and_whole_numbers_of_parquet(opened):
    services = opened(retain_days={"ad_events": 1})
    account = services.access.accounts.create("Acme", "acme")
    table = pa.table(
        {
            "ad_group_id": ["g1"],
            "time": pa.array([datetime(2026, 10, 1, tzinfo=UTC)], pa.timestamp("us", "Asia/Kolkata")),
            "kind": ["paid_click"],
            "count": pa.array([Decimal("3.00")], pa.decimal128(10, 2)),
            "spend": pa.array([Decimal("1.250000")], pa.decimal128(18, 6)),
        }
    )
    answer = send(services, account, AD_EVENTS, parquet(table), PARQUET)
    assert answer["errors"] == [{"line": 1, "field": "time", "error": "older than retention"}]
    later = opened(retain_days={"ad_events": 3000})
    assert later.intake.resend.run(account, only_entry(later, account).id) == Resent(1, 0)
    stored = later.storage.lake.table(AD_EVENTS).open().to_pyarrow_table().to_pylist()[0]
    assert (stored["count"], stored["spend"]) == (3, Decimal("1.25"))
    assert stored["time"] == datetime(2026, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([b"\xff\x00"], pa.binary()),
        pa.array([b"plain"], pa.binary()),
        pa.array([float("nan")]),
        pa.array([2**62], pa.timestamp("s", "UTC")),
        pa.array([None, 1.5], pa.float32()).slice(1),
        pa.array([True]),
        pa.array([[1]]),
        pa.StringArray.from_buffers(1, pa.array([0, 2], pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfe")),
    ],
    ids=["bytes", "ascii bytes", "nan", "far", "fraction", "boolean", "list", "not utf-8"],
)
@pytest.mark.parametrize("name", ["player_id", "type", "played_at", "duration_seconds", "surprise"])
def test_whatever_a_value_is_its_row_is_kept_and_never_taken_for_another(opened, column, name):
    services = opened()
    account = services.access.accounts.create("Acme", "acme")
    sent = {"player_id": pa.array([1]), "media_id": pa.array([2]), "played_at": pa.array(["2026-10-01T08:00:00"])}
    answer = send(services, account, PLAYLOGS, arrow(pa.table(sent | {name: column})), ARROW)
    if answer["accepted"]:
        return
    entry = only_entry(services, account)
    assert services.intake.resend.run(account, entry.id) == Resent(0, 1)
    (row,) = services.intake.quarantine.rows(account, entry.id)
    assert row.field == name
    assert row.received


def test_entries_of_an_earlier_release_are_sent_again(tmp_path):
    kept = unpacked("0.1.0", tmp_path)
    services = open_services(kept.settings, clock=kept.clock(), role=Role.NONE)
    try:
        account = services.access.accounts.by_slug("acme")
        add_business(services, account)
        entries = [e for e in services.intake.quarantine.entries(account) if e.stream == "subscriptions"]
        columns = ("business_id", "subscription_event_id", "offer_name")
        for entry in entries:
            if entry.source.endswith(".csv"):
                assert services.intake.resend.run(account, entry.id) == Resent(0, 2)
                assert "--columns" in services.intake.quarantine.entry(account, entry.id).first_error
            more = {"columns": columns} if entry.source.endswith(".csv") else {}
            assert services.intake.resend.run(account, entry.id, **more) == Resent(entry.rows, 0)
        ids = {row["subscription_event_id"] for row in taken(services, account)}
        assert ids >= {"w1", "w2", "w3", "w4"}
    finally:
        services.close()


# The quarantine's bounds.


def wrong(count, size=200):
    row = {"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00"}
    lines = [json.dumps(row | {"ip": os.urandom(size // 2).hex()}) for _ in range(count)]
    return ("\n".join([*lines, json.dumps(row)]) + "\n").encode()


def test_good_rows_are_taken_and_the_quarantine_stays_in_its_bounds(opened):
    services = opened(quarantine_max=20_000)
    account = services.access.accounts.create("Acme", "acme")
    other = services.access.accounts.create("Rival", "rival")
    for _ in range(6):
        answer = send(services, account, PLAYLOGS, wrong(90))
        assert (answer["accepted"], answer["rejected"]) == (1, 90)
    assert answer["quarantined"] is False
    assert [error["quarantined"] for error in answer["errors"]] == [False] * 90
    (usage,) = services.intake.quarantine.usage()
    assert 10_000 < usage.bytes <= 20_000
    assert "quarantined" not in send(services, other, PLAYLOGS, wrong(2)), "an account's quota is its own"
    for entry in services.intake.quarantine.entries(account):
        services.intake.quarantine.drop(account, entry.id)
    assert "quarantined" not in send(services, account, PLAYLOGS, wrong(2)), "what is dropped makes room"


def test_rows_are_kept_as_far_as_there_is_room(opened):
    services = opened(quarantine_max=20_000)
    account = services.access.accounts.create("Acme", "acme")
    answer = send(services, account, PLAYLOGS, wrong(2_000))
    kept = only_entry(services, account).rows
    assert 0 < kept < 2_000
    assert answer["quarantined"] is False
    assert [error.get("quarantined", True) for error in answer["errors"]] == [place < kept for place in range(100)]


def test_a_full_disk_of_the_metadata_store_takes_no_good_row(opened, faults):
    services = opened()
    account = services.access.accounts.create("Acme", "acme")
    faults.points = {"metadata.write"}
    answer = send(services, account, PLAYLOGS, wrong(3))
    faults.points = set()
    assert (answer["accepted"], answer["rejected"], answer["quarantined"]) == (1, 3, False)
    assert services.intake.quarantine.entries(account) == []


def test_a_refused_batch_leaves_no_rejected_rows(opened, faults):
    services = opened()
    account = services.access.accounts.create("Acme", "acme")
    faults.points = {"buffer.write"}
    with pytest.raises(StorageFull):
        send(services, account, PLAYLOGS, wrong(3))
    faults.points = set()
    assert services.intake.quarantine.entries(account) == []


def test_entries_leave_by_their_age(tmp_path):
    clock = MovableClock(1_790_000_000_000_000)
    services = open_services(migrated(Settings(home=tmp_path, quarantine_days=2)), clock=clock, role=Role.ROWS)
    try:
        account = services.access.accounts.create("Acme", "acme")
        send(services, account, PLAYLOGS, wrong(3))
        clock.advance(86_400)
        send(services, account, PLAYLOGS, wrong(2))
        clock.advance(86_401)
        services.intake.quarantine.expire()
        assert [entry.rows for entry in services.intake.quarantine.entries(account)] == [2]
    finally:
        services.close()


def test_an_unknown_field_may_be_called_anything(tmp_path, database_url):
    """PostgreSQL has no text with the character U+0000."""
    services = open_services(migrated(Settings(home=tmp_path / "home", database=database_url)), role=Role.ROWS)
    try:
        account = services.access.accounts.create("Acme", "acme")
        answer = send(services, account, PLAYLOGS, b'{"a\\u0000b": 1}\n{"player_id": 1, "media_id": 2}')
        assert (answer["accepted"], answer["rejected"]) == (0, 2)
        assert only_entry(services, account).first_error == "line 1: a\ufffdb: unknown field"
    finally:
        services.close()


class Counted(Errors):
    """Counts the errors that are made."""

    made = 0

    def _made(self, which):
        type(self).made += len(which)
        return super()._made(which)


def counted(body: bytes) -> Counted:
    errors = read_rows(PLAYLOGS, body, NDJSON).errors
    assert isinstance(errors, Errors)
    Counted.made = 0
    return Counted(errors._source, errors.blocks)


@pytest.mark.parametrize("room", [1, 20_000])
def test_rows_are_not_packed_for_a_quarantine_without_room(room, tmp_path):
    services = open_services(migrated(Settings(home=tmp_path).with_(quarantine_max=room)), role=Role.ROWS)
    try:
        acme = services.access.accounts.create("Acme", "acme")
        errors = counted(b"".join(b'{"x":"%032x"}\n' % (number**9) for number in range(50_000)))
        kept = services.intake.quarantine.keep(acme, "playlogs", errors, source="http")
        usage = [each.bytes for each in services.intake.quarantine.usage()]
        assert kept.rows < 5_000
        assert sum(usage) <= room
        assert Counted.made < 25_000  # of 50,000
        assert (kept.rows > 0) is (room > 1)

        services.intake.quarantine._max_bytes = sum(usage)  # now it is full
        errors = counted(b"{}\n" * 50_000)
        assert services.intake.quarantine.keep(acme, "playlogs", errors, source="http").rows == 0
        assert Counted.made <= 1  # the first one names the entry
    finally:
        services.close()

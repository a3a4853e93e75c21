"""What buffers and requests brought, added to the stored usage: exact whatever dies, on both kinds of metadata store."""

from __future__ import annotations

import random
from datetime import date

import pytest

from airtally.kit.faults import Faults
from airtally.kit.time import DAY_US, SECOND_US
from airtally.storage.buffer import Buffer, IntakeFigures
from airtally.streams import PLAYLOGS
from airtally.usage.figures import UsageFigures
from airtally.usage.metering import Metering
from airtally.usage.reading import UsageGrain, UsageInterval, UsageReader
from fixtures.killed import Killed

DAY_SECONDS = DAY_US // SECOND_US
FROM_2026 = UsageInterval(date(2026, 1, 1), date(2030, 1, 1))


class Dying(Faults):
    """Ends the run at a point, once it is told to."""

    def __init__(self):
        self.at = None

    def reach(self, point):
        if point == self.at:
            self.at = None
            raise Killed


@pytest.fixture
def opened(tmp_path, clock, metadata):
    """`opened()`: the buffer and the meter of one more process of the same home and metadata store."""
    buffers = []

    def process(faults=None):
        buffer = Buffer.open(tmp_path / "buffer", clock=clock)
        buffers.append(buffer)
        return buffer, Metering(metadata, clock, buffer, days=30, faults=faults or Faults())

    yield process
    for each in buffers:
        each.close()


def brought(buffer, account, kind="native", rows=0, refused=0, size=0):
    nothing = PLAYLOGS.row_schema.empty_table()
    buffer.append(
        PLAYLOGS, account.slug, nothing, intake=IntakeFigures(account.slug, kind, rows, refused, size)
    ).result()


def total(metadata, account):
    found = UsageReader(metadata).of(account.id, FROM_2026, UsageGrain.MONTH)
    return sum((each.figures for each in found), UsageFigures())


@pytest.mark.parametrize("seed", range(3))
def test_deaths_at_any_moment_neither_lose_nor_double(opened, metadata, account, other_account, seed):
    """Two processes on one store; each may die after it was added and before the buffer knows, or with nothing added."""
    chance, right = random.Random(seed), {account: UsageFigures(), other_account: UsageFigures()}
    running = []
    for _ in range(40):
        if len(running) < 2:
            faults = Dying()
            running.append((*opened(faults), faults))
        place = chance.randrange(len(running))
        buffer, meter, faults = running[place]
        whose = chance.choice([account, other_account])
        came = UsageFigures(chance.randrange(1000), chance.randrange(3), chance.randrange(10**6))
        brought(
            buffer,
            whose,
            chance.choice(["native", "pushwoosh"]),
            *(came.rows_accepted, came.rows_refused),
            came.bytes_in,
        )
        right[whose] += came
        moment = chance.choice(["wait", "wait", "step", "die", "step and die"])
        if moment == "step":
            meter.step()
        if moment == "step and die":
            faults.at = "usage.forget"
            with pytest.raises(Killed):
                meter.step()
        if "die" in moment:
            del running[place]
            buffer.close()  # as death leaves it: the file stays while it holds anything
    buffer, meter = opened()
    for each, _, _ in running:
        each.close()
    buffer.adopt_orphans()
    meter.step()
    assert {each: total(metadata, each) for each in right} == right
    buffer.tidy()
    assert buffer.adopted == (), "a file stays that holds nothing more"


def test_requests_are_counted_and_kept_where_the_store_is_away(opened, metadata, account, clock):
    class Away(Faults):
        gone = False

    _, meter = opened()
    meter.note_request(account.slug, "tapjoy", 0, 120)
    meter.note_request(account.slug, "tapjoy", 5, 30)
    meter.note_request("nobody", "tapjoy", 5, 30)
    broken = Metering(metadata, clock, None, days=30)
    broken.note_request(account.slug, "tapjoy", 1, 1)
    add, broken._add = broken._add, lambda *_: (_ for _ in ()).throw(OSError("away"))
    with pytest.raises(OSError, match="away"):
        broken.step()
    broken._add = add
    broken.step()
    meter.step()
    assert total(metadata, account) == UsageFigures(requests=3, rows_out=6, bytes_out=151)


def test_days_and_months_are_utc_and_expire(opened, metadata, account, clock):
    """The account's zone is west of UTC: at 23:30 UTC of a day it has the same day, and at 00:30 UTC the one before."""
    _, meter = opened()
    clock.advance(DAY_SECONDS - clock.now_us() // SECOND_US % DAY_SECONDS - 1)
    meter.note_request(account.slug, "native", 0, 1)
    clock.advance(1)
    meter.note_request(account.slug, "native", 0, 2)
    meter.step()
    reader = UsageReader(metadata)
    days = [(str(each.start), each.figures.bytes_out) for each in reader.of(account.id, FROM_2026, UsageGrain.DAY)]
    assert days == [("2026-11-02", 1), ("2026-11-03", 2)]
    months = reader.of(account.id, UsageInterval(date(2026, 11, 2), date(2026, 11, 3)), UsageGrain.MONTH)
    assert [(str(each.start), each.figures.bytes_out) for each in months] == [("2026-11-02", 1)]
    clock.advance(30 * DAY_SECONDS)
    meter.expire()
    assert total(metadata, account).bytes_out == 2
    clock.advance(DAY_SECONDS)
    meter.expire()
    assert total(metadata, account) == UsageFigures()

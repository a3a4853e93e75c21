"""Small batches are committed together, and each gets its own answer."""

from __future__ import annotations

import asyncio
import errno
import json

import pytest

from airtally.accounts.accounts import Account
from airtally.ingest.coalesce import SMALL_BODY, Coalescer
from airtally.ingest.service import Batch
from airtally.kit.errors import BadRequest, StorageFull
from airtally.kit.faults import Faults
from airtally.query.question import Metric, Question
from airtally.runtime import open_services
from airtally.services import Role
from airtally.settings import Settings
from airtally.streams import AD_EVENTS, PLAYERS, PLAYLOGS, STREAMS
from fixtures.migrated import migrated

NDJSON = "application/x-ndjson"
PLAY = b'{"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00"}'
AD = b'{"ad_group_id": "g", "kind": "install", "time": "2026-10-01T08:00:00Z"}'


class Disk(Faults):
    def __init__(self):
        self.writes = 0
        self.error = None

    def reach(self, point):
        if point == "buffer.write":
            self.writes += 1
            if self.error is not None:
                raise self.error


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def services(tmp_path, disk):
    services = open_services(migrated(Settings(home=tmp_path)), faults=disk, role=Role.ROWS)
    yield services
    services.close()


@pytest.fixture
def acme(services):
    return services.access.accounts.create("Acme", "acme")


def accept_all(services, batches):
    """What became of each batch, all sent at once."""

    async def run():
        coalescer = Coalescer(services.intake.batches)
        return await asyncio.gather(*map(coalescer.accept, batches), return_exceptions=True)

    answers = asyncio.run(run())
    return [json.loads(each) if isinstance(each, bytes) else each for each in answers]


def count(services, account, stream=PLAYLOGS):
    return services.queries.answer(Question(stream, account.slug, (Metric("n"),))).table["n"][0].as_py()


def batch(account, body, stream=PLAYLOGS, **more):
    return Batch(stream, account, body, NDJSON, **more)


def took(rows):
    return {"accepted": rows, "rejected": 0, "errors": []}


def test_many_share_few_commits(services, acme, disk):
    answers = accept_all(services, [batch(acme, (PLAY + b"\n") * (n % 3 + 1)) for n in range(60)])
    assert answers == [took(n % 3 + 1) for n in range(60)]
    assert disk.writes <= 3
    assert count(services, acme) == 120


def test_accounts_and_streams_do_not_mix(services, acme):
    rival = services.access.accounts.create("Rival", "rival")
    batches = [batch(acme, PLAY), batch(rival, PLAY + b"\n" + PLAY), batch(acme, AD, AD_EVENTS)] * 5
    assert accept_all(services, batches) == [took(1), took(2), took(1)] * 5
    assert (count(services, acme), count(services, rival)) == (5, 10)
    assert (count(services, acme, AD_EVENTS), count(services, rival, AD_EVENTS)) == (5, 0)


@pytest.mark.parametrize(
    "wrong", [b'{"player_id": 1}', b"\xff", b'{"player_id": 1,', PLAY + PLAY, b"null", b"\xef\xbb\xbf[]", b"{}\r\n{"]
)
def test_one_wrong_concerns_nobody_else(services, acme, wrong):
    """Its errors count lines from its own first one; a row cut in two joins no other."""
    answers = accept_all(
        services, [batch(acme, PLAY), batch(acme, wrong), batch(acme, b'"media_id": 3}'), batch(acme, PLAY)]
    )
    assert answers[0] == answers[3] == took(1)
    assert all(each["accepted"] == 0 and each["errors"][0]["line"] == 1 for each in answers[1:3])
    assert count(services, acme) == 2
    assert len(services.intake.quarantine.entries(acme)) == 2


def test_a_body_that_is_refused_whole(services, acme):
    answers = accept_all(services, [batch(acme, PLAY), batch(acme, b"PAR1"), batch(acme, PLAY)])
    assert isinstance(answers[1], BadRequest)
    assert answers[::2] == [took(1), took(1)]
    assert count(services, acme) == 2


def test_blank_bodies_and_byte_order_marks(services, acme):
    bodies = [b"", b"\n\n", b" \r\n", PLAY + b"\r\n\r\n" + PLAY, b"\xef\xbb\xbf" + PLAY, b"\x0b", PLAY]
    answers = accept_all(services, [batch(acme, body) for body in bodies])
    assert [each["accepted"] for each in answers] == [0, 0, 0, 2, 1, 0, 1]
    assert count(services, acme) == 4


def test_a_full_disk_is_everyones_and_nothing_is_kept(services, acme, disk):
    disk.error = OSError(errno.ENOSPC, "full")
    assert {type(each) for each in accept_all(services, [batch(acme, PLAY)] * 5)} == {StorageFull}
    disk.error = None
    assert count(services, acme) == 0
    assert accept_all(services, [batch(acme, PLAY)]) == [took(1)]


def test_whoever_goes_away_takes_nobody_along(services, acme):
    async def run():
        coalescer = Coalescer(services.intake.batches)
        tasks = [asyncio.create_task(coalescer.accept(batch(acme, PLAY))) for _ in range(6)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        return answers, await coalescer.accept(batch(acme, PLAY))

    answers, later = asyncio.run(run())
    assert [json.loads(each) for each in answers[1::2]] == [took(1)] * 3
    assert json.loads(later) == took(1)
    assert count(services, acme) == 7


def test_only_what_needs_no_look_elsewhere_is_gathered():
    account = Account(1, "acme", "Acme", "UTC", "USD")
    assert Coalescer.takes(batch(account, PLAY))
    assert not Coalescer.takes(batch(account, b" " * (SMALL_BODY + 1)))
    assert not Coalescer.takes(batch(account, PLAY, idempotency_key="k"))
    assert not Coalescer.takes(batch(account, PLAY, content_encoding="gzip"))
    assert not Coalescer.takes(batch(account, PLAY, PLAYERS))
    assert not Coalescer.takes(Batch(PLAYLOGS, account, PLAY, "application/json"))
    gathered = {name for name, stream in STREAMS.items() if Coalescer.takes(batch(account, PLAY, stream))}
    assert gathered == {name for name, stream in STREAMS.items() if not stream.key and stream.owned is None}


PLAY = b'{"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00"}'


def test_many_lines_are_not_decoded_on_the_event_loop(services, acme):
    assert Coalescer.takes(Batch(PLAYLOGS, acme, (PLAY + b"\n") * 30, NDJSON))
    for line in (b"\n", b"{}\n", b" \n"):
        assert not Coalescer.takes(Batch(PLAYLOGS, acme, line * (SMALL_BODY // len(line)), NDJSON))

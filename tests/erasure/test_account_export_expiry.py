"""Exports of whole accounts are forgotten 90 days after their files expired."""

from __future__ import annotations

from sqlalchemy import func, select

from airtally.database.tables import jobs
from airtally.erasure.account_export import JOB_KIND, AccountExport, AccountExports
from airtally.kit.time import DAY_US
from fixtures.erasures import ErasureHome

_DAY = DAY_US / 1_000_000


def under_way(home: ErasureHome) -> AccountExport:
    return home.services.privacy.account_exports.create(home.account)


def listed(found: AccountExports, home: ErasureHome) -> list[int]:
    return [each.id for each in found.page(home.account)]


def test_exports_of_accounts_expire(erasure_home: ErasureHome) -> None:
    home, found = erasure_home, erasure_home.services.privacy.account_exports
    ready = under_way(home)
    job = home.services.jobs.take(JOB_KIND, str(ready.id), 60)
    assert job is not None
    found.succeed(job, [], None, home.clock.now_us() + 7 * DAY_US)
    failed = under_way(home)
    job = home.services.jobs.take(JOB_KIND, str(failed.id), 60)
    assert job is not None
    found.fail(job, "a reason")
    waiting = under_way(home)
    home.clock.advance(89 * _DAY)
    found.expire()
    assert listed(found, home) == [waiting.id, failed.id, ready.id]
    home.clock.advance(2 * _DAY)
    found.expire()
    assert listed(found, home) == [waiting.id, ready.id]
    home.clock.advance(7 * _DAY)
    found.expire()
    assert listed(found, home) == [waiting.id]
    left = select(func.count()).where(jobs.c.kind == JOB_KIND)
    with home.services.store.read() as connection:
        assert connection.execute(left).scalar_one() == 1

"""A home of an earlier release, whose table of publications has the columns turn, marks and covered."""

from __future__ import annotations

import pytest

from airtally.runtime import open_services
from fixtures.datasets import rows_of
from fixtures.homes import RELEASES, unpacked


@pytest.fixture(params=RELEASES)
def services(request, tmp_path):
    kept = unpacked(request.param, tmp_path)
    services = open_services(kept.settings, clock=kept.clock())
    services.start()
    yield services
    services.close()


def test_only_rows_that_the_release_did_not_publish_are_published(services):
    """It published s0 to s4; then s1 was deleted, and s9 was in its buffer when it was killed."""
    account = services.access.accounts.by_slug("acme")
    services.storage.writers.step()
    [done] = services.on_demand().run(account, "data987")
    [file] = done.files
    content = b"".join(services.files.read(f"datasets/acme/{done.subject.dataset.row_id}/{file.id}"))
    rows = sorted((row["subscription_event_id"], row["is_deleted"]) for row in rows_of(content))
    assert rows == [("s1", "1"), ("s9", "0")]
    assert services.on_demand().run(account, "data987")[0].files == ()

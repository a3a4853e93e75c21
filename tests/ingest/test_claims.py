"""`Idempotency-Key` where the metadata store failed between the rows and their answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from airtally.ingest.service import Batch
from airtally.kit.errors import Conflict, Unprocessable
from airtally.runtime import Role, open_services
from airtally.settings import Settings
from airtally.streams import PLAYLOGS

ROW = b'{"player_id":2,"media_id":1,"played_at":"2026-10-01T08:00:00"}'


def test_a_repeat_is_answered_though_the_first_answer_was_never_stored(tmp_path: Path) -> None:
    services = open_services(Settings(home=tmp_path), role=Role.ROWS)
    try:
        account, batches = services.accounts.create("Acme", "acme"), services.intake.batches
        assert batches is not None
        batch = Batch(PLAYLOGS, account, ROW, "application/x-ndjson", idempotency_key="k")
        first = batches.begin(batch)  # and never completed
        assert first.on_disk is not None
        first.on_disk.result(5)
        with pytest.raises(Unprocessable):
            batches.accept(batch.with_body(ROW + b" "))
        assert batches.accept(batch) == first.answer
        assert batches.accept(batch) == first.answer
        assert [part.rows for part in services.warehouse.buffer.tail(PLAYLOGS)] == [1]  # type: ignore[union-attr]
    finally:
        services.close()


def test_a_repeat_waits_while_nothing_is_on_disk(tmp_path: Path) -> None:
    services = open_services(Settings(home=tmp_path), role=Role.ROWS)
    try:
        account, claims = services.accounts.create("Acme", "acme"), services.intake.claims
        assert claims is not None
        claims.take(account.id, "playlogs", "k", ROW)
        with pytest.raises(Conflict):
            claims.take(account.id, "playlogs", "k", ROW)
    finally:
        services.close()

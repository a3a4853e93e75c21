"""What `pg_dump` is called with, and what is said where it cannot dump."""

from __future__ import annotations

import pytest
from sqlalchemy import make_url

from airtally.backup.postgres_copy import _without_password, dump
from airtally.kit.errors import BadRequest, Unavailable


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://tally:s3cret@db.example:5433/metrics?sslmode=require",
        "postgresql://tally@db.example:5433/metrics?password=s3cret&sslmode=require",
    ],
)
def test_no_password_is_on_the_command_line(url):
    address, environment = _without_password(make_url(url))
    assert address == "postgresql://tally@db.example:5433/metrics?sslmode=require"
    assert environment == {"PGPASSWORD": "s3cret"}


def test_without_pg_dump_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadRequest, match="pg_dump is not installed") as refused:
        dump("postgresql://localhost/metrics", "1", tmp_path)
    assert "postgresql-client" in refused.value.hint


def test_what_pg_dump_says_is_passed_on(tmp_path, postgres):
    with pytest.raises(Unavailable, match=r"pg_dump failed: .*nowhere"):
        dump("postgresql://tally@/metrics?host=/nowhere", "1", tmp_path)
    assert list(tmp_path.iterdir()) == []

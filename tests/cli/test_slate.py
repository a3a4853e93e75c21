from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fixtures.postgres import on_sqlite

Run = Callable[..., Any]


@pytest.fixture
def acme(run: Run) -> Any:
    return run("account create --slug acme --name Acme")


def test_a_catalogue_made_from_the_top(run: Run, acme: Any) -> None:
    slate = run("slate account create --account acme --id 123456 --name Northwind")
    assert slate == {"id": "123456", "name": "Northwind"}
    assert run("slate account list --account acme") == [slate]
    group = run("slate group create --account acme --slate-account 123456 --id 7890 --name Channels")
    assert group == {"slate_account": "123456", "id": "7890", "name": "Channels"}
    assert run("slate group list --account acme") == run("slate group list --account acme --slate-account 123456")
    business = run(
        "slate business create --account acme --slate-account 123456 --group 7890 --business abc123 --territory US "
        "--dataset subscription=data987 --dataset playback=data986 --dataset catalog=data985 --format parquet --name",
        "Acme Max",
    )
    assert business == {
        "slate_account": "123456",
        "group": "7890",
        "id": "abc123",
        "name": "Acme Max",
        "territory": "US",
        "format": "parquet",
        "datasets": {"subscription": "data987", "playback": "data986", "catalog": "data985"},
    }
    assert run("slate business list --account acme") == [business]
    for line in ("slate account list", "slate group list", "slate business list"):
        assert "123456" in run(f"{line} --account acme", as_json=False)


def test_a_business_alone_makes_what_is_above_it(run: Run, acme: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRTALLY_SLATE_FILE_FORMAT", "zip")
    business = run("slate business create --account acme --group 7890 --business abc123 --name Max")
    assert (business["format"], business["territory"], len(set(business["datasets"].values()))) == ("zip", None, 3)
    [slate] = run("slate account list --account acme")
    [group] = run("slate group list --account acme")
    assert (slate["name"], slate["id"], group["name"]) == ("Acme", business["slate_account"], "7890")


def test_a_code(run: Run, acme: Any) -> None:
    client = run("key create --account acme --for slate")["client_id"]
    made = run(f"slate code create --account acme --client {client} --redirect-uri https://app.example/back")
    assert set(made) == {"code", "expires"}
    assert made["code"].startswith("AN")


@on_sqlite
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("slate account list --account nobody", "airtally: There is no account 'nobody'"),
        ("slate group create --account acme --id g --slate-account 9", "airtally: There is no Slate account '9'"),
        ("slate group list --account acme --slate-account 9", "airtally: There is no account '9' here"),
        ("slate business create --account acme --group g --business a/b --name B", "business id 'a/b' cannot be used"),
        ("slate business create --account acme --group g --business b --name B --dataset x=1", "no dataset 'x'"),
        ("slate business create --account acme --group g --business b --name B --dataset catalog", "KIND=ID"),
        ("slate business create --account acme --group g --business b --name B --format xlsx", "xlsx"),
        ("slate code create --account acme --client nobody --redirect-uri https://a/", "no client 'nobody'"),
    ],
)
def test_errors_are_one_clear_line(run: Run, acme: Any, line: str, says: str) -> None:
    assert says in run(line)


@on_sqlite
def test_what_is_there_already(run: Run, acme: Any) -> None:
    for line in (
        "slate account create --account acme --id 1 --name N",
        "slate group create --account acme --id g",
        "slate business create --account acme --group g --business b --name B",
    ):
        assert isinstance(run(line), dict)
        assert "already" in run(line)

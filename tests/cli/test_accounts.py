from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from airtally.accounts.kinds import KINDS
from airtally.accounts.secrets import Secrets
from airtally.accounts.users import Users
from airtally.cli.key import KindName
from airtally.database.store import MetadataStore
from airtally.kit.clock import SystemClock
from fixtures.postgres import on_sqlite

Run = Callable[..., Any]


@pytest.fixture
def acme(run: Run) -> Any:
    return run("account create --timezone America/Sao_Paulo --name", "Acme Mídia")


def test_accounts(run: Run, acme: Any) -> None:
    assert acme == {
        "id": 1,
        "slug": "acme-midia",
        "name": "Acme Mídia",
        "timezone": "America/Sao_Paulo",
        "currency": "USD",
        "closed_at": None,
    }
    assert run("account list") == [acme]
    assert "acme-midia" in run("account list", as_json=False)
    assert "Acme Mídia" in run("account create --slug second --name", "Acme Mídia", as_json=False)


def test_users(run: Run, acme: Any, metadata: MetadataStore, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run(
        "user create --account acme-midia --username ana --email ana@x.org --name Ana --password-stdin",
        stdin="correct horse\n",
    )
    assert made["group"] == "Administrators"
    assert run("user list") == [made]
    assert run("user list --account acme-midia") == [made]
    users = Users(metadata, SystemClock())
    assert users.login("ana", "correct horse") is not None
    run("user password --username ana --password-stdin", stdin="another horse", as_json=False)
    assert users.login("ana", "another horse") is not None
    link = run("user sign-in-link ana")
    assert re.fullmatch(r"http://127\.0\.0\.1:8080/sign-in\?token=\S{43}", link["url"])
    monkeypatch.setenv("AIRTALLY_PUBLIC_URL", "https://tally.example.org")
    assert run("user sign-in-link ana")["url"].startswith("https://tally.example.org/sign-in?token=")
    assert "There is no user 'eve'" in run("user sign-in-link eve")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("native --scope write --scope read", {"token"}),
        ("fouryousee", {"secret_token"}),
        ("slate --static", {"client_id", "client_secret", "refresh_token", "access_token"}),
        ("tapjoy", {"reporting_api_key"}),
        ("scaleengine --deny viewer.log", {"cdn", "api_key", "secret_key"}),
        ("pushwoosh --application A1B2C-D3E4F --application 0F1E2-D3C4B", {"auth"}),
        ("pushwoosh-device", {"auth"}),
    ],
)
def test_keys_of_every_kind(run: Run, acme: Any, kind: str, names: set[str]) -> None:
    made = run(f"key create --account acme-midia --expires 90d --for {kind}")
    assert set(made) == names
    (listed,) = run("key list")
    assert listed["state"] == "active"
    assert listed["expires"] is not None
    assert not any(str(value) in json.dumps(listed) for name, value in made.items() if name != "cdn")
    assert run(f"key revoke {listed['id']}", as_json=False) == ""
    assert run("key list --account acme-midia")[0]["state"] == "revoked"


def test_every_kind_can_be_asked_for() -> None:
    assert set(get_args(KindName)) == set(KINDS)


def test_help_names_the_fields_of_an_import(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    said = run("key create --help", as_json=False)
    for kind in KINDS.values():
        assert f"{kind.name}: {kind.import_fields()}" in said
        assert set(kind.fields) | kind.extra <= set(re.findall(r"\w+", kind.import_fields()))


def test_a_printed_key_is_imported_from_a_file_or_standard_input(run: Run, acme: Any, tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text('{"secret_token": "0123456789abcdef0123456789abcdef"}')
    assert run("key create --account acme-midia --for fouryousee --import", str(file)) == json.loads(file.read_text())
    engine = {"cdn": 4711, "api_key": "public", "secret_key": "deadbeef"}
    assert run("key create --account acme-midia --for scaleengine --import -", stdin=json.dumps(engine)) == engine
    assert run.warned == (
        "airtally: `secret_key` has 8 characters: secrets under 16 can be guessed; "
        "replace it as soon as its clients can\n"
    )
    again = run("key create --account acme-midia --for fouryousee --import", str(file))
    assert again == "airtally: This key is known already; a revoked or expired one cannot come back"


@on_sqlite
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("key create --account nobody --for tapjoy", "airtally: There is no account 'nobody'"),
        ("key create --account acme-midia --for native", "airtally: A native key needs a scope"),
        ("key create --account acme-midia --for tapjoy --expires soon", "--expires soon cannot be used"),
        (
            "key create --account acme-midia --for tapjoy --import /nowhere.json",
            "airtally: /nowhere.json: No such file",
        ),
        ("key create --account acme-midia --for tapjoy --import -", "airtally: The imported key cannot be used"),
        ("key create --account acme-midia --for letters", "letters"),
        ("key list --account nobody", "airtally: There is no account 'nobody'"),
        ("account create --name Admin", "airtally: The slug 'admin' cannot be used"),
        ("account create --name Acme --timezone Mars", "airtally: There is no time zone 'Mars'"),
        ("user create --account acme-midia --username a --email a@b --name A", "--password-stdin"),
        ("account create", "--name"),
    ],
)
def test_errors_are_one_clear_line(run: Run, acme: Any, line: str, says: str) -> None:
    assert says in run(line)


@on_sqlite
def test_settings_may_be_given_before_the_command(run: Run, acme: Any, tmp_path: Path) -> None:
    elsewhere = f"sqlite:///{tmp_path}/elsewhere.sqlite"
    assert run(f"--database {elsewhere} account list") == []
    assert run(f"--database={elsewhere} --flush-seconds never account list").startswith(
        "airtally: AIRTALLY_FLUSH_SECONDS='never' cannot be used"
    )


@on_sqlite
def test_the_secret_key_may_come_from_the_environment(
    run: Run, acme: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRTALLY_SECRET_KEY", "short")
    assert "AIRTALLY_SECRET_KEY cannot be used" in run("key list")
    monkeypatch.setenv("AIRTALLY_SECRET_KEY", "x" * 40)
    token = run("key create --account acme-midia --for native --scope read")["token"]
    assert Secrets(b"x" * 40).hashed("native", token)


def test_the_program_itself(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("airtally")
    called = subprocess.run(
        [program, "--home", tmp_path / "home", "account", "create", "--name", "Acme", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(called.stdout)["slug"] == "acme"
    assert called.stderr == ""

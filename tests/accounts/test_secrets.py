from __future__ import annotations

import threading
from pathlib import Path

import pytest

from airtally.accounts.secrets import FILE_NAME, Secrets
from airtally.settings import SettingError


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first = Secrets.open(tmp_path / "home")
    path = tmp_path / "home" / FILE_NAME
    assert path.stat().st_mode & 0o777 == 0o600
    assert Secrets.open(tmp_path / "home").subkey("x") == first.subkey("x")
    assert [each.name for each in path.parent.iterdir()] == [FILE_NAME]


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(Secrets.open(tmp_path).subkey("x"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_key_from_the_environment_leaves_no_file(tmp_path: Path) -> None:
    one, two = (Secrets.open(tmp_path, letter * 32) for letter in "ab")
    assert one.subkey("x") != two.subkey("x")
    assert not list(tmp_path.iterdir())


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="AIRTALLY_SECRET_KEY"):
        Secrets.open(tmp_path, "short")
    (tmp_path / FILE_NAME).write_text("")
    with pytest.raises(SettingError, match=FILE_NAME):
        Secrets.open(tmp_path)


def test_sealed_text_is_read_with_its_key_and_context_only(secrets: Secrets) -> None:
    sealed = secrets.seal("çã 秘密", "scaleengine")
    assert secrets.unseal(sealed, "scaleengine") == "çã 秘密"
    assert secrets.seal("çã 秘密", "scaleengine") != sealed
    for stranger, content, context in (
        (secrets, sealed, "slate"),
        (Secrets(b"other" * 8), sealed, "scaleengine"),
        (secrets, sealed[:-1] + bytes([sealed[-1] ^ 1]), "scaleengine"),
    ):
        with pytest.raises(SettingError, match="AIRTALLY_SECRET_KEY"):
            stranger.unseal(content, context)


def test_purposes_and_kinds_are_kept_apart(secrets: Secrets) -> None:
    assert secrets.subkey("links") != secrets.subkey("sessions")
    assert secrets.hashed("a", "x") != secrets.hashed("b", "x")
    assert secrets.hashed("a", "x") == secrets.hashed("a", "x")

"""What is closed to others in a home, and what is left alone because it may be somebody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from airtally.kit import private
from airtally.settings import Settings


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def put(*paths: Path, mode: int = 0o666) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=mode)


def modes(folder: Path) -> dict[str, str]:
    return {str(each.relative_to(folder)): f"{each.lstat().st_mode & 0o777:o}" for each in (folder, *folder.rglob("*"))}


def test_a_new_home_and_what_is_made_in_it(home: Path) -> None:
    private.enclose(home, shared=False)
    put(home / "lake" / "playlogs" / "part.parquet")
    assert modes(home) == {
        ".": "700",
        "lake": "700",
        "lake/playlogs": "700",
        "lake/playlogs/part.parquet": "600",
    }


def test_a_home_of_an_earlier_release_is_closed_all_through(home: Path) -> None:
    files = ("metadata.sqlite", "metadata.sqlite-wal", "secret.key", "lake/a/b.parquet", "buffer/c.sqlite")
    put(*(home / name for name in files))
    private.enclose(home, shared=False)
    assert {mode for name, mode in modes(home).items() if name in files} == {"600"}
    assert {mode for name, mode in modes(home).items() if name not in files} == {"700"}


def test_one_that_was_closed_half_way_is_closed_at_the_next_start(home: Path) -> None:
    put(home / "metadata.sqlite", home / "lake" / "a")
    private.enclose(home, shared=False)
    home.joinpath("lake").chmod(0o755)
    home.joinpath("lake", "a").chmod(0o644)
    private.enclose(home, shared=False)
    assert list(private.open_to_others(home, shared=False)) == []


def test_a_folder_with_things_of_others_stays_open_and_is_named(home: Path) -> None:
    """AIRTALLY_HOME may be a folder such as /var/lib by mistake: closing that would stop the machine."""
    put(home / "metadata.sqlite", home / "others" / "file")
    private.enclose(home, shared=False)
    assert modes(home) == {".": "777", "metadata.sqlite": "600", "others": "777", "others/file": "666"}
    found = [str(each.relative_to(home)) for each in private.open_to_others(home, shared=False)]
    assert sorted(found) == [".", "others", "others/file"]


def test_what_a_file_system_makes_itself_is_no_reason(home: Path) -> None:
    put(home / "metadata.sqlite", home / "lost+found" / "x")
    private.enclose(home, shared=False)
    assert modes(home)["."] == "700"


def test_what_a_link_leads_to_is_left_alone(home: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "part.parquet")
    home.mkdir()
    home.joinpath("lake").symlink_to(tmp_path / "elsewhere")
    private.enclose(home, shared=False)
    assert modes(tmp_path / "elsewhere") == {".": "777", "part.parquet": "666"}
    assert list(private.open_to_others(home, shared=False)) == []


def test_a_folder_of_the_operators_keeps_the_umask(home: Path, tmp_path: Path) -> None:
    """Others may be meant to read it. The home itself is closed at its top."""
    settings = Settings(home=home, lake=str(tmp_path / "lake"))
    os.umask(0o027)
    private.enclose(home, shared=settings.shares_folders)
    put(tmp_path / "lake" / "part.parquet", home / "buffer" / "a.sqlite")
    assert modes(tmp_path / "lake") == {".": "750", "part.parquet": "640"}
    assert modes(home)["."] == "700"
    assert list(private.open_to_others(home, shared=True)) == []


@pytest.mark.parametrize(
    ("lake", "files", "shares"),
    [
        ("", "", False),
        ("s3://bucket/lake", "s3://bucket/files", False),
        ("HOME/lake", "HOME/a/../files", False),
        ("/srv/lake", "", True),
        ("", "/srv/files", True),
        ("HOME-of-others", "", True),
        ("HOME/../lake", "", True),
    ],
)
def test_which_folders_are_shared(home: Path, lake: str, files: str, shares: bool) -> None:
    given = {"lake": lake.replace("HOME", str(home)), "files": files.replace("HOME", str(home))}
    assert Settings(home=home, **given).shares_folders is shares

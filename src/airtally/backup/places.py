"""Where the parts of a home lie, by its settings."""

from __future__ import annotations

from pathlib import Path

from airtally.settings import Settings


def sqlite_file(settings: Settings) -> Path | None:
    """The file of the metadata; None where they are on PostgreSQL."""
    scheme, _, path = settings.database_url.partition(":///")
    return Path(path) if scheme == "sqlite" else None


def local_folder(url: str) -> Path | None:
    """The folder of a lake or of generated files; None for a bucket."""
    path = url.removeprefix("file://")
    return None if "://" in path else Path(path).absolute()


def data_folders(settings: Settings) -> list[Path]:
    """The home, and the folders of lake and generated files, where they are on this machine's disks."""
    found = (settings.home.absolute(), local_folder(settings.lake_url), local_folder(settings.files_url))
    return [each for each in found if each is not None]

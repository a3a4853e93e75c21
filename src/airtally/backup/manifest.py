"""What a backup holds: each file with its size and hash, and which program's data it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import msgspec

from airtally.kit.durable import sync_path, write_file
from airtally.kit.errors import BadRequest, NewerHome

#: Raised when a program of before could not restore such a backup.
FORMAT = 1
HEAD, LISTING = "manifest.json", "files.ndjson"
#: Folders of a backup, and what lies at its top; nothing else is taken from one.
PARTS = ("lake", "files", "buffer", "metadata.sqlite", "metadata.pgdump", "secret.key")


class BackedUpFile(msgspec.Struct, frozen=True):
    """A file of a backup: its place in it, bytes, and SHA-256 in hex."""

    place: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What is said of a backup as a whole. `versions` are those of the home's streams and rollups, `revision` that of its
    metadata; `elsewhere` says in words what is not in the backup.
    """

    made_at: str
    program: str
    revision: str
    versions: dict[str, int]
    files: int
    size: int
    listing_sha256: str
    elsewhere: list[str]
    format: int = FORMAT


def write_listing(folder: Path, files: Iterable[BackedUpFile]) -> tuple[int, int, str]:
    """Write the files one a line, durably; returns their number, their bytes and the listing's hash."""
    count, size, digest = 0, 0, hashlib.sha256()
    path = folder / LISTING
    with path.open("wb") as listing:
        for each in files:
            line = msgspec.json.encode(each) + b"\n"
            digest.update(line)
            listing.write(line)
            count, size = count + 1, size + each.size
    sync_path(path)
    return count, size, digest.hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    write_file(folder / HEAD, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Raises BadRequest where the folder holds no finished backup, NewerHome for one of a newer program's form."""
    try:
        content = (folder / HEAD).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        unfinished = " (that of a backup under way ends in .partial)" if (folder / LISTING).exists() else ""
        raise BadRequest(f"{folder} holds no finished backup: there is no {HEAD}{unfinished}") from None
    try:
        form = msgspec.json.decode(content, type=dict[str, object]).get("format")
        if isinstance(form, int) and form > FORMAT:
            raise NewerHome(f"{folder} was made by a newer Airtally: its form is {form}, this one knows {FORMAT}")
        return msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise BadRequest(f"{folder / HEAD} cannot be read: {error}") from None


def listed_files(folder: Path, manifest: Manifest) -> Iterator[BackedUpFile]:
    """The files in order, one read at a time, once the listing is known to be whole. Raises BadRequest."""
    path = folder / LISTING
    if not path.exists():
        raise BadRequest(f"The backup is damaged: {path} is missing")
    with path.open("rb") as listing:
        if hashlib.file_digest(listing, "sha256").hexdigest() != manifest.listing_sha256:
            raise BadRequest(f"The backup is damaged: {path} is not as it was written")
        listing.seek(0)
        for line in listing:
            found = msgspec.json.decode(line, type=BackedUpFile)
            check_place(found.place)
            yield found


def check_place(place: str) -> None:
    """Raises BadRequest for a place that leads out of the parts of a backup."""
    path = PurePosixPath(place)
    if path.is_absolute() or ".." in path.parts or not path.parts or path.parts[0] not in PARTS:
        raise BadRequest(f"The backup lists a file that belongs to no part of it: {place!r}")

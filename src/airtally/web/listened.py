"""Where a home was served last, as `serve` notes it and `doctor` reads it."""

from __future__ import annotations

from pathlib import Path

import msgspec

#: In a home.
FILE_NAME = "listening.json"


class Listened(msgspec.Struct, frozen=True):
    """`local`: nobody but this machine reaches it."""

    url: str
    local: bool

    @classmethod
    def last(cls, home: Path) -> Listened | None:
        """Where a home was served last; None if it never was, or if nobody knows any more."""
        try:
            return msgspec.json.decode((home / FILE_NAME).read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None

    @classmethod
    def address_of(cls, home: Path, public_url: str) -> str:
        """What links to the pages of a home begin with: its public URL, else where it was served last."""
        last = cls.last(home)
        return public_url or ("http://127.0.0.1:8080" if last is None else last.url)

    def note(self, home: Path) -> None:
        (home / FILE_NAME).write_bytes(msgspec.json.encode(self) + b"\n")

    @property
    def warning(self) -> str:
        """Of an address that is not local, where AIRTALLY_PUBLIC_URL is not set."""
        return (
            f"AIRTALLY_PUBLIC_URL is not set: links in answers, notices and pages begin with {self.url} and will not "
            f"work for clients elsewhere; set it to the address that they use"
        )

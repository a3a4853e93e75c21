"""What keeps rows or files of persons, as erasures see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from airtally.accounts.accounts import Account
from airtally.erasure.journal import StepJournal
from airtally.erasure.person import Person
from airtally.erasure.records import ErasureFinding, ErasureTask

#: Called between the steps of long work; raises where the job was taken over or the process stops.
Check = Callable[[], None]


class ErasableStore(Protocol):
    """Each call may be repeated after a death at any point of it: what is done already is passed over."""

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """Erase what the task is about, and note in the journal what was found, erased and left."""
        ...


class PersonStore(ErasableStore, Protocol):
    """A store that can tell beforehand what it has of a person."""

    def count(self, account: Account, person: Person) -> Iterable[ErasureFinding]:
        """What names the person now, with nothing changed."""
        ...

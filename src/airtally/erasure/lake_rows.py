"""Rows in the lake: removed by rewriting files, and for published records announced as deleted first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airtally.accounts.accounts import Account
from airtally.datasets.layout import LAYOUTS
from airtally.erasure.deletions import AnnouncedDeletions
from airtally.erasure.journal import LAKE, StepJournal
from airtally.erasure.person import FOLDED, PERSON_STREAMS, Person, folded_columns
from airtally.erasure.records import ErasureFinding, ErasureTask
from airtally.erasure.store_protocol import Check
from airtally.kit.errors import LimitExceeded
from airtally.kit.runner import Runner
from airtally.storage.lake.removal import Remover
from airtally.storage.lake.removal_search import RemovalRule
from airtally.storage.store import EventStore, writer_id_of
from airtally.streams.declaration import Kind, Stream

_LATER = "received after the erasure began"
_PASSES = 10
#: A person has at most so many devices; whoever has more is no person.
MOST_LINKED = 100_000
_ALWAYS_US = 1 << 62


class LakeRows:
    """`scratch` is a folder for temporary files, `memory` what the work in the child process may use, in bytes."""

    def __init__(self, event_store: EventStore, runner: Runner, *, scratch: Path, memory: int) -> None:
        self._event_store = event_store
        self._runner = runner
        self._scratch = scratch
        self._memory = memory

    def count(self, account: Account, person: Person) -> Iterable[ErasureFinding]:
        """Rows in the lake and in this home's buffers that name the person, by stream."""
        for stream in _naming(person):
            rule = _rule(account.slug, person, stream, _ALWAYS_US)
            named = self._named(stream, rule)
            yield ErasureFinding(LAKE, stream.name, named, 0, named)
            buffered = self._event_store.snapshot(stream, account.slug).buffered
            waiting = sum(_count_named(rows, person, stream) for rows in buffered)
            yield ErasureFinding("buffer", stream.name, waiting, 0, waiting)

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """Stream by stream; rows of a file that was being loaded are found by looking again until nothing is found."""
        person = task.person
        if person is None:
            return
        for stream in _naming(person):
            rule = _rule(task.account.slug, person, stream, task.through_us, deletions_of(task))
            remover = self._remover(stream, check)
            remover.settle(journal)
            for _ in range(_PASSES):
                if not self._erase_once(task, stream, remover, rule, journal):
                    break
            later = self._named(stream, _rule(task.account.slug, person, stream, _ALWAYS_US, rule.kept[0]))
            journal.state(ErasureFinding(LAKE, f"{stream.name}/later", later, 0, later, _LATER if later else None))

    def linked(self, account: Account, person: Person, through_us: int) -> Person:
        """With the ids of the devices whose last record names the person; read it before anything is erased."""
        for stream in _naming(person):
            keys = [column for column in stream.person_columns if column.name in stream.key]
            others = tuple(pair for pair in person.wanted(stream) if pair[0] not in stream.key)
            if stream.kind is Kind.CHANGELOG and keys and others:
                rule = RemovalRule(account.slug, through_us, others, folded_columns(stream))
                person = person.with_ids(str(keys[0].identifies), self._keys(stream, rule, keys[0].name))
        return person

    def _erase_once(
        self, task: ErasureTask, stream: Stream, remover: Remover, rule: RemovalRule, journal: StepJournal
    ) -> int:
        if stream.name not in LAYOUTS:
            return sum(remover.remove(scope, rule, journal) for scope in remover.scopes(rule.account))
        deletions = AnnouncedDeletions(self._event_store, stream, task.account.slug, deletions_of(task))
        scopes = remover.scopes(rule.account)
        return sum(remover.remove(scope, rule, journal, deletions.announce) for scope in scopes)

    def _named(self, stream: Stream, rule: RemovalRule) -> int:
        remover = self._remover(stream)
        named = 0
        for scope in remover.scopes(rule.account):
            with remover.found(scope, rule) as (found, _):
                named += found.named
        return named

    def _keys(self, stream: Stream, rule: RemovalRule, column: str) -> set[str]:
        remover, found_keys = self._remover(stream), set()
        for scope in remover.scopes(rule.account):
            with remover.found(scope, rule) as (found, records):
                if found.records > MOST_LINKED:
                    raise LimitExceeded(f"{found.records} devices name this person, {MOST_LINKED} at most are erased")
                if found.records:
                    found_keys |= set(pq.read_table(records, columns=[column]).column(0).to_pylist())
        return found_keys

    def _remover(self, stream: Stream, check: Check = lambda: None) -> Remover:
        table = self._event_store.lake.table(stream)
        return Remover(table, self._runner, scratch=self._scratch, memory=self._memory, check=check)


def deletions_of(task: ErasureTask) -> str:
    """The Delta application of the rows that announce deletions."""
    return f"{task.app_id}-deletions"


def _naming(person: Person) -> Iterator[Stream]:
    return (stream for stream in PERSON_STREAMS if person.wanted(stream))


def _rule(account: str, person: Person, stream: Stream, through_us: int, deletions: str = "") -> RemovalRule:
    kept = (writer_id_of(deletions),) if deletions else ()
    return RemovalRule(account, through_us, person.wanted(stream), folded_columns(stream), kept)


def _count_named(rows: pa.Table, person: Person, stream: Stream) -> int:
    """How many buffered rows name the person."""
    named = pa.array([False] * rows.num_rows)
    for column in stream.person_columns:
        values = rows.column(column.name)
        values = pc.utf8_lower(values) if column.identifies in FOLDED else values
        wanted = pa.array(person.ids.get(str(column.identifies), ()), pa.string())
        named = pc.or_(named, pc.is_in(values, value_set=wanted))
    return int(pc.sum(named).as_py() or 0)

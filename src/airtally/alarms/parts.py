"""Puts the parts of alarms together, for a process."""

from __future__ import annotations

from dataclasses import dataclass

from airtally.alarms.readings import LatePublications, LateSchedules, Readings
from airtally.alarms.service import Alarms
from airtally.alarms.watch import AlarmWatch
from airtally.database.store import MetadataStore
from airtally.datasets.publication_store import PublicationStore
from airtally.engine.protocol import Engine
from airtally.ingest.quarantine import Quarantine
from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.query.last_row import RowWatch
from airtally.schedules.late import LateSlots
from airtally.storage.store import EventStore
from airtally.storage.writers import Writers
from airtally.webhooks.messages import Messages


@dataclass(frozen=True, slots=True)
class AlarmParts:
    """`alarms` is what handlers use; the step of `watch` is the background work."""

    alarms: Alarms
    watch: AlarmWatch


@dataclass(frozen=True, slots=True)
class Watched:
    """What alarms read."""

    event_store: EventStore
    engine: Engine
    writers: Writers
    quarantine: Quarantine
    publications: PublicationStore
    slots: LateSlots


def alarm_parts(
    store: MetadataStore, clock: Clock, watched: Watched, messages: Messages, *, faults: Faults = NO_FAULTS
) -> AlarmParts:
    """`clock` is the one that all hosts share."""
    readings = Readings(
        RowWatch(watched.event_store, watched.engine),
        watched.quarantine,
        (LateSchedules(watched.slots), LatePublications(watched.publications)),
        takes_rows=lambda: watched.writers.live() > 0,
    )
    return AlarmParts(
        alarms=Alarms(store, clock, mails=messages.mails),
        watch=AlarmWatch(store, clock, readings, messages, faults=faults),
    )

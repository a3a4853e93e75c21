"""Puts the parts of usage together, for a process."""

from __future__ import annotations

from dataclasses import dataclass

from airtally.database.store import MetadataStore
from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.storage.buffer import Buffer
from airtally.storage.store import EventStore
from airtally.usage.loads import LoadLedger
from airtally.usage.metering import Metering
from airtally.usage.reading import UsageReader


@dataclass(frozen=True, slots=True)
class UsageParts:
    """`metering` counts requests and what buffers took in, `loads` what files brought; handlers use `reader`."""

    metering: Metering
    loads: LoadLedger
    reader: UsageReader


def usage_parts(
    store: MetadataStore,
    clock: Clock,
    buffer: Buffer | None,
    event_store: EventStore,
    *,
    days: int,
    faults: Faults = NO_FAULTS,
) -> UsageParts:
    """`buffer` is None in a process that takes no rows; figures are kept for `days`."""
    metering = Metering(store, clock, buffer, days=days, faults=faults)
    return UsageParts(metering, LoadLedger(store, clock, event_store.committed, faults=faults), UsageReader(store))

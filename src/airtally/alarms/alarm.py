"""What an alarm is: its condition, who is told, and its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, TypeAlias

import msgspec
from msgspec import Meta

from airtally.accounts.accounts import ACCOUNT_COLUMNS, Account
from airtally.database.rows import AnyRow, values_of
from airtally.database.tables import alarms
from airtally.kit.time import SECOND_US

_Span = Annotated[int, Meta(ge=60, le=366 * 86_400)]
_Name = Annotated[str, Meta(min_length=1, max_length=256)]


class SilentStream(msgspec.Struct, frozen=True, tag_field="kind", tag="silent_stream", forbid_unknown_fields=True):
    """No row of the stream was received for `after_seconds`, while the server could take rows."""

    stream: _Name
    after_seconds: Annotated[int, Meta(ge=300, le=366 * 86_400)]

    @property
    def needed_us(self) -> int:
        """How long checks must find it true before the alarm fires."""
        return self.after_seconds * SECOND_US


class LateWork(msgspec.Struct, frozen=True, tag_field="kind", tag="late", forbid_unknown_fields=True):
    """A slot of a schedule or a publication is not done `after_seconds` after it was due.

    `of`: `schedule` or `publication`; None for both. `id`: of one schedule or dataset; None for all.
    """

    after_seconds: _Span = 3600
    of: _Name | None = None
    id: _Name | None = None

    #: After a start, work missed while no process ran has so long to be done before anybody is told.
    needed_us: ClassVar[int] = 60 * SECOND_US


class GrowingQuarantine(msgspec.Struct, frozen=True, tag_field="kind", tag="quarantine", forbid_unknown_fields=True):
    """`rows` rows or more were refused within the last `within_seconds`. `stream`: None for all."""

    rows: Annotated[int, Meta(ge=1, le=1 << 53)]
    within_seconds: _Span = 3600
    stream: _Name | None = None

    needed_us: ClassVar[int] = 0


AlarmCondition: TypeAlias = SilentStream | LateWork | GrowingQuarantine


class AlarmRecipients(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told. `endpoints`: webhook endpoints by id; None for all that want the types `alarm.fired` and
    `alarm.resolved`. `addresses`: e-mail. `users`: e-mail to all users of the account.
    """

    endpoints: tuple[int, ...] | None = None
    addresses: tuple[_Name, ...] = ()
    users: bool = False


class AlarmState(StrEnum):
    OK = "ok"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm. Times in microseconds UTC.

    `since`: when it came into its state. `says`: what the last check, at `checked_at`, found, for a person. `changes`
    counts changes of the state; `checks` is increased by every change of the row. `held_us`: how long checks have
    found the condition true, one after another; None if the last did not. `last_row_at`, `looked_through` and
    `positions`, the last sequences by writer, are of a silent stream.
    """

    id: int
    account: Account
    name: str
    condition: AlarmCondition
    recipients: AlarmRecipients
    state: AlarmState
    since: int
    says: str
    changes: int
    checks: int
    checked_at: int
    held_us: int | None
    last_row_at: int | None
    looked_through: int | None
    positions: Mapping[str, int] | None
    created_at: int
    updated_at: int

    @classmethod
    def from_row(cls, row: AnyRow) -> Alarm:
        """From a row with all columns of the alarm and ACCOUNT_COLUMNS."""
        values = values_of(row, _OWN)
        return cls(
            **values
            | {
                "account": Account.from_row(row),
                "condition": msgspec.json.decode(values["condition"], type=AlarmCondition),
                "recipients": msgspec.json.decode(values["recipients"], type=AlarmRecipients),
                "state": AlarmState(values["state"]),
                "positions": None if values["positions"] is None else msgspec.json.decode(values["positions"]),
            }
        )


_OWN = [column for column in alarms.c if column.name != "account_id"]
ALARM_COLUMNS = (*_OWN, *ACCOUNT_COLUMNS)


def encoded(part: AlarmCondition | AlarmRecipients) -> str:
    """As it is stored: JSON."""
    return msgspec.json.encode(part).decode()

"""The statistics that can be asked for, as they are stored until they are computed."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from airtally.accounts.declared import ValueType


class Operator(StrEnum):
    """How an attribute is compared. NOTEQ and NOTIN need an attribute that is set; NOTSET needs one that is not."""

    EQ = "EQ"
    NOTEQ = "NOTEQ"
    IN = "IN"
    NOTIN = "NOTIN"
    GTE = "GTE"
    LTE = "LTE"
    BETWEEN = "BETWEEN"
    NOTSET = "NOTSET"
    ANY = "ANY"


class Value(msgspec.Struct, frozen=True, array_like=True):
    """What an attribute is compared with: a range from `first` to `last` for a whole day, otherwise twice the same value.

    In the form that values of the type are stored in: dates as `YYYY-MM-DD HH:MM` UTC, numbers in decimal.
    """

    first: str
    last: str


class Condition(msgspec.Struct, frozen=True):
    """A condition on an attribute. BETWEEN has two values, GTE and LTE one, NOTSET and ANY none, the others one or more."""

    name: str
    type: ValueType
    operator: Operator
    values: tuple[Value, ...] = ()


class EventStatistics(msgspec.Struct, frozen=True, tag_field="method", tag="getEventStatistics"):
    """How often an event was triggered in each hour (UTC) of [start_us, end_us); both ends are whole hours."""

    application: str
    event: str
    start_us: int
    end_us: int
    conditions: tuple[Condition, ...] = ()

    @property
    def applications(self) -> tuple[str, ...]:
        return (self.application,)


class TagStatistics(msgspec.Struct, frozen=True, tag_field="method", tag="getTagStats"):
    """How many devices have each value of a tag, by application in the order given.

    A `shared` tag has one value for a device in all applications.
    """

    tag: str
    type: ValueType
    shared: bool
    applications: tuple[str, ...]


Asked = EventStatistics | TagStatistics


def kept(asked: Asked) -> str:
    """The request as JSON, for the metadata store; see `asked_of`."""
    return msgspec.json.encode(asked).decode()


def asked_of(text: str) -> Asked:
    asked: Asked = msgspec.json.decode(text, type=Asked)
    return asked

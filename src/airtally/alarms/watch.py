"""Checks alarms, and tells once when one fires and once when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, or_, select, update

from airtally.accounts.accounts import IS_OPEN
from airtally.alarms.alarm import ALARM_COLUMNS, Alarm, AlarmState, encoded
from airtally.alarms.readings import Reading, Readings, RowsSeen
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, alarms
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import Failure
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.time import MINUTE_US, SECOND_US, to_datetime
from airtally.webhooks.event_types import ALARM_FIRED, ALARM_RESOLVED
from airtally.webhooks.messages import MailText, Messages, Recipients

_log = structlog.get_logger()

CHECK_SECONDS = 15.0
#: Between two checks further apart the server stood still, or its clock jumped: that time counts for no condition.
GAP_US = 5 * MINUTE_US
_A_TIME = 500


class AlarmWatch:
    """The step of a background loop. Of several processes that check an alarm at once, one changes it."""

    def __init__(
        self,
        store: MetadataStore,
        clock: Clock,
        readings: Readings,
        messages: Messages,
        *,
        faults: Faults = NO_FAULTS,
    ) -> None:
        """`clock` is the one that all hosts share."""
        self._store = store
        self._clock = clock
        self._readings = readings
        self._messages = messages
        self._faults = faults

    def step(self) -> None:
        """Check every alarm that was last checked CHECK_SECONDS ago. One that cannot be read is logged and left."""
        for alarm in self._due(self._clock.now_us()):
            try:
                self._check(alarm)
            except Failure as failure:
                metrics.ALARM_FAILURES.inc()
                _log.warning("an alarm could not be checked", alarm=alarm.id, error=failure.message)
            except Exception:  # noqa: BLE001 (one alarm's trouble is not another's)
                metrics.ALARM_FAILURES.inc()
                _log.exception("an alarm could not be checked", alarm=alarm.id)

    def _due(self, now: int) -> Iterator[Alarm]:
        """Of open accounts, in pages by id, so that memory is bounded."""
        early = now - round(CHECK_SECONDS * SECOND_US)
        due = or_(alarms.c.checked_at <= early, alarms.c.checked_at > now)
        query = (
            select(*ALARM_COLUMNS).join_from(alarms, accounts).where(due, IS_OPEN).order_by(alarms.c.id).limit(_A_TIME)
        )
        after = 0
        while True:
            with self._store.read() as connection:
                rows = connection.execute(query.where(alarms.c.id > after)).all()
            yield from map(Alarm.from_row, rows)
            if len(rows) < _A_TIME:
                return
            after = rows[-1].id

    def _check(self, alarm: Alarm) -> None:
        now = self._clock.now_us()
        reading = self._readings.of(alarm, now)
        held = _held_us(alarm, reading, now)
        state = alarm.state if reading.true is None else _state(alarm, reading, held)
        changed = state is not alarm.state
        values: dict[str, Any] = {
            "checks": alarm.checks + 1,
            "checked_at": now,
            "held_us": held,
            "says": reading.says,
        }
        if reading.rows is not None:
            values |= _seen_columns(reading.rows)
        if changed:
            values |= {"state": state, "since": now, "changes": alarm.changes + 1}
        mine = alarms.c.id == alarm.id, alarms.c.checks == alarm.checks
        with self._store.begin() as connection:
            first = connection.execute(update(alarms).where(*mine).values(values)).rowcount == 1
            if first and changed:
                self._tell(connection, alarm, state, reading.says, now)
                self._faults.reach("alarm.note")
        if first and changed:
            metrics.ALARM_CHANGES.labels(state).inc()
            _log.info("alarm changed", alarm=alarm.id, account=alarm.account.slug, state=state, says=reading.says)

    def _tell(self, connection: Connection, alarm: Alarm, state: AlarmState, says: str, now: int) -> None:
        """Enqueue the notice in the transaction of the change, so that there is one for each change."""
        told = {
            "alarm": alarm.id,
            "name": alarm.name,
            "condition": msgspec.json.decode(encoded(alarm.condition)),
            "state": state,
            "since": to_datetime(now).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "says": says,
        }
        to = alarm.recipients
        self._messages.enqueue(
            *(connection, alarm.account, ALARM_FIRED if state is AlarmState.FIRING else ALARM_RESOLVED, told),
            f"alarm {alarm.id} change {alarm.changes + 1}",
            to=Recipients(to.endpoints or (), to.addresses, every_endpoint=to.endpoints is None, users=to.users),
            mail=_mail(alarm, state, says),
        )


def _held_us(alarm: Alarm, reading: Reading, now: int) -> int | None:
    """How long checks have found the condition true, with this one: only time in which the server ran counts."""
    if reading.true is False:
        return None
    if reading.begins_anew or alarm.held_us is None:
        return 0 if reading.true or reading.begins_anew else None
    passed = now - alarm.checked_at
    return alarm.held_us + (passed if reading.true and 0 < passed <= GAP_US else 0)


def _seen_columns(rows: RowsSeen) -> dict[str, Any]:
    positions = msgspec.json.encode(rows.positions).decode()
    return {"last_row_at": rows.last_row_at, "looked_through": rows.looked_through, "positions": positions}


def _state(alarm: Alarm, reading: Reading, held: int | None) -> AlarmState:
    """One that fires goes on until its condition was untrue."""
    if reading.true is False or reading.begins_anew or held is None:
        return AlarmState.OK
    fires = alarm.state is AlarmState.FIRING or held >= alarm.condition.needed_us
    return AlarmState.FIRING if fires else AlarmState.OK


def _mail(alarm: Alarm, state: AlarmState, says: str) -> MailText:
    over = state is AlarmState.OK
    return MailText(
        f"{'Over: ' if over else ''}{alarm.name} ({alarm.account.name})",
        f"The alarm {alarm.name!r} of {alarm.account.name} {'is over' if over else 'fires'}.\n\n{says}.\n\n"
        + ("" if over else "You will get one more message, when it is over.\n"),
    )

"""Tells once of a publication that is an hour late: in the log, a metric, `/readyz` and by e-mail."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

import structlog

from airtally.accounts.accounts import Account
from airtally.accounts.notices import Notices
from airtally.datasets.publication_store import LatePublication, PublicationStore
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.time import SECOND_US, to_datetime

#: At most so many notices wait for the mail server; further ones are dropped.
_MOST_UNSENT = 1000

_log = structlog.get_logger()

LATE_US = 3600 * SECOND_US
#: After a start, slots missed while no process ran have so long to be published before anybody is told.
GRACE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _UnsentNotice:
    """A notice and the addresses it has not been sent to."""

    account: Account
    to: list[str]
    subject: str
    text: str


class LateNotices:
    """The step of a background loop, called by one thread. Of several processes, one tells of each slot.

    Of a closed account's publications nobody is told until it is opened again, if they are late then.
    """

    def __init__(
        self,
        publication_store: PublicationStore,
        notices: Notices,
        clock: Clock,
        *,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._publication_store = publication_store
        self._notices = notices
        self._clock = clock
        self._grace_seconds = grace_seconds
        self._seen: dict[tuple[int, int], float] = {}
        self._unsent: list[_UnsentNotice] = []

    def step(self) -> None:
        every = self._publication_store.late(self._clock.now_us() - LATE_US)
        late = [each for each in every if each.subject.account.closed_at is None]
        now = time.monotonic()
        self._seen = {each.slot: self._seen.get(each.slot, now) for each in late}
        told = defaultdict(list)
        for each in late:
            waited = now - self._seen[each.slot] >= self._grace_seconds
            if waited and self._publication_store.note_notice(each):
                _log_late(each)
                told[each.subject.account].append(each)
        for account, some in told.items():
            to = self._notices.addresses(account)
            self._unsent.append(_UnsentNotice(account, to, _notice_subject(account.name), _notice_text(some)))
        self._send()

    def _send(self) -> None:
        """Send what waits; what the mail server does not take is tried again at the next step.

        Whoever is no user any more gets nothing, and nobody of an account that was closed meanwhile.
        """
        for message in self._unsent.copy():
            users = set(self._notices.addresses(message.account))
            to = [address for address in message.to if address in users]
            left = self._notices.tell(to, message.subject, message.text)
            self._unsent.remove(message)
            if left and len(self._unsent) < _MOST_UNSENT:
                self._unsent.append(replace(message, to=left))


def described(late: LatePublication) -> str:
    dataset = late.subject.dataset
    due = f"{to_datetime(late.due_at):%Y-%m-%d %H:%M} UTC"
    return f"{dataset.name} ({dataset.id}) of business {dataset.business}: due {due}"


def _log_late(late: LatePublication) -> None:
    dataset = late.subject.dataset
    metrics.PUBLICATIONS_LATE.labels(dataset.stream).inc()
    _log.warning(
        "a publication is late",
        account=late.subject.account.slug,
        dataset=dataset.id,
        due=to_datetime(late.due_at).isoformat(),
    )


def _notice_subject(account: str) -> str:
    return f"Dataset files of {account} are late"


def _notice_text(late: Iterable[LatePublication]) -> str:
    lines = "\n".join(f"  - {described(each)}" for each in late)
    return (
        f"These datasets have not been published an hour after they were due:\n\n{lines}\n\n"
        "Nothing is lost: the next publication contains all rows that wait. You will get no other message "
        "about these publications.\n"
    )

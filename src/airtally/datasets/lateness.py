"""A publication that is not done an hour after its turn is told once: log, metric, `/readyz` and e-mail."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from airtally.accounts.notices import Notices
from airtally.datasets.publication_store import Late, PublicationStore
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.time import SECOND_US, to_datetime

#: Notices that wait for the mail server; more than so many are dropped.
_MOST_UNSENT = 1000

_log = structlog.get_logger()

LATE_US = 3600 * SECOND_US
#: A turn missed while nobody ran is first given so long to be made good.
GRACE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Message:
    """Still to be sent to `to`."""

    to: list[str]
    subject: str
    text: str


class LateNotices:
    """The step of a background loop; of several processes one tells."""

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
        self._unsent: list[_Message] = []

    def step(self) -> None:
        late = self._publication_store.late(self._clock.now_us() - LATE_US)
        now = time.monotonic()
        self._seen = {each.turn: self._seen.get(each.turn, now) for each in late}
        told = defaultdict(list)
        for each in late:
            waited = now - self._seen[each.turn] >= self._grace_seconds
            if waited and self._publication_store.notice(each):
                _tell(each)
                told[each.subject.account].append(each)
        for account, some in told.items():
            self._unsent.append(_Message(self._notices.addresses(account), _subject(account.name), _text(some)))
        self._send()

    def _send(self) -> None:
        """What the mail server did not take is tried again at the next step."""
        for message in self._unsent.copy():
            left = self._notices.tell(message.to, message.subject, message.text)
            self._unsent.remove(message)
            if left and len(self._unsent) < _MOST_UNSENT:
                self._unsent.append(_Message(left, message.subject, message.text))


def described(late: Late) -> str:
    dataset = late.subject.dataset
    due = f"{to_datetime(late.due_at):%Y-%m-%d %H:%M} UTC"
    return f"{dataset.name} ({dataset.id}) of business {dataset.business}: due {due}"


def _tell(late: Late) -> None:
    dataset = late.subject.dataset
    metrics.PUBLICATIONS_LATE.labels(dataset.stream).inc()
    _log.warning(
        "a publication is late",
        account=late.subject.account.slug,
        dataset=dataset.id,
        due=to_datetime(late.due_at).isoformat(),
    )


def _subject(account: str) -> str:
    return f"Dataset files of {account} are late"


def _text(late: Iterable[Late]) -> str:
    lines = "\n".join(f"  - {described(each)}" for each in late)
    return (
        f"These datasets have not been published an hour after their turn:\n\n{lines}\n\n"
        "Nothing is lost: what waits is in the files of the next publication. You will get no other message "
        "about these turns.\n"
    )

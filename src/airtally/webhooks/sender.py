"""Sends the deliveries that are due: webhooks by HTTP, messages to people by SMTP."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import structlog

from airtally.files.store import FileStore
from airtally.jobs.sending import SendingLoop
from airtally.kit.clock import Clock
from airtally.kit.errors import Failure, NotFound, Unavailable
from airtally.kit.excerpts import BODY_BYTES, excerpt_of_body, excerpt_of_headers
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.mail import Mailer, MailFile, MailRefused
from airtally.kit.outgoing import Outgoing, OutgoingFailed, Reply
from airtally.webhooks.mail_limit import MailLimit
from airtally.webhooks.messages import MailAttachment
from airtally.webhooks.queue import LeasedMessage, MessageQueue, TryOutcome
from airtally.webhooks.retry import retry_after_us
from airtally.webhooks.signing import signed_headers
from airtally.webhooks.states import Channel

_log = structlog.get_logger()

WEBHOOK_SECONDS = 20.0
MAIL_SECONDS = 60.0


class _MessageLoop(SendingLoop[LeasedMessage, TryOutcome]):
    """What the two loops share: they take deliveries of one channel."""

    channel: ClassVar[Channel]

    def __init__(self, queue: MessageQueue, *, faults: Faults = NO_FAULTS, poll_seconds: float = 1.0) -> None:
        super().__init__(poll_seconds=poll_seconds)
        self._queue = queue
        self._faults = faults

    def claim(self, under_way: Sequence[LeasedMessage], limit: int) -> list[LeasedMessage]:
        return self._queue.claim(self.channel, under_way, limit)

    def settle(self, item: LeasedMessage, outcome: TryOutcome) -> None:
        self._faults.reach("message.note")
        self._queue.settle(item, outcome)

    def release(self, item: LeasedMessage) -> None:
        self._queue.release(item)

    async def send(self, item: LeasedMessage) -> TryOutcome:
        began = time.monotonic()
        try:
            outcome = await self.attempt(item)
        except Exception as error:  # noqa: BLE001 (whatever a receiver makes a library raise, the try is over)
            _log.exception("a try failed unexpectedly", channel=self.channel, delivery=item.id)
            outcome = TryOutcome(f"The try failed: {type(error).__name__}")
        _log.info(
            "message tried",
            channel=self.channel,
            delivery=item.id,
            message=item.uid,
            attempt=item.attempt,
            status=outcome.status_code,
            error=outcome.error,
        )
        return replace(outcome, duration_us=round((time.monotonic() - began) * 1_000_000))

    @abstractmethod
    async def attempt(self, item: LeasedMessage) -> TryOutcome:
        """One try; any exception is its failure."""


class WebhookLoop(_MessageLoop):
    """Posts messages, signed. Each holds a socket and no thread."""

    name = "webhooks"
    most_at_once = 500
    channel = Channel.WEBHOOK

    def __init__(
        self,
        queue: MessageQueue,
        outgoing: Outgoing,
        clock: Clock,
        *,
        faults: Faults = NO_FAULTS,
        poll_seconds: float = 1.0,
    ) -> None:
        super().__init__(queue, faults=faults, poll_seconds=poll_seconds)
        self._outgoing = outgoing
        self._clock = clock

    async def attempt(self, item: LeasedMessage) -> TryOutcome:
        if not item.signing:
            return TryOutcome(
                "It cannot be signed: the server's AIRTALLY_SECRET_KEY is not what it was. Rotate the secret"
            )
        headers = signed_headers(item.uid, item.sent_at, item.payload, item.signing)
        try:
            reply = await self._outgoing.post(
                str(item.url),
                item.payload.encode(),
                headers,
                excerpt=BODY_BYTES,
            )
        except OutgoingFailed as failure:
            return TryOutcome(failure.message)
        return self._outcome(reply)

    def _outcome(self, reply: Reply) -> TryOutcome:
        accepted = 200 <= reply.status < 300
        return TryOutcome(
            None if accepted else f"It answered {reply.status}",
            status_code=reply.status,
            headers=excerpt_of_headers(reply.headers),
            body=excerpt_of_body(reply.body),
            retry_after_us=None if accepted else retry_after_us(reply.headers.get("retry-after"), self._clock.now_us()),
        )


class AttachmentGone(Failure):
    """A file that goes with an e-mail was deleted; no later try can send it."""

    code = "attachment_gone"


class MailLoop(_MessageLoop):
    """Sends e-mail, each on a thread while it lasts. `files` has what goes with them, `limit` counts them."""

    name = "mails"
    most_at_once = 4
    channel = Channel.EMAIL

    def __init__(
        self,
        queue: MessageQueue,
        mailer: Mailer | None,
        *,
        files: FileStore | None = None,
        limit: MailLimit | None = None,
        faults: Faults = NO_FAULTS,
        poll_seconds: float = 1.0,
    ) -> None:
        super().__init__(queue, faults=faults, poll_seconds=poll_seconds)
        self._mailer = mailer
        self._files = files
        self._limit = limit

    async def attempt(self, item: LeasedMessage) -> TryOutcome:
        if self._mailer is None:
            return TryOutcome("The server has no mail server: AIRTALLY_SMTP_URL is not set")
        wait = None if self._limit is None else self._limit.take(item.account_id)
        if self._limit is not None and wait is not None:
            return TryOutcome(
                f"The account has sent its {self._limit.per_hour} e-mails of this hour", retry_after_us=wait
            )
        try:
            async with asyncio.timeout(MAIL_SECONDS):
                await asyncio.to_thread(self._send, self._mailer, item)
        except (MailRefused, AttachmentGone) as failure:
            return TryOutcome(failure.message[:500], final=True)
        except Unavailable as failure:
            return TryOutcome(failure.message[:500])
        except TimeoutError:
            return TryOutcome(f"The mail server was not done within {MAIL_SECONDS:g} seconds")
        return TryOutcome(None)

    def _send(self, mailer: Mailer, item: LeasedMessage) -> None:
        uid = f"{item.uid}.{item.id}"
        files = [self._read(each) for each in item.attachments]
        mailer.send(str(item.address), str(item.subject), str(item.text), uid=uid, files=files)

    def _read(self, attachment: MailAttachment) -> MailFile:
        try:
            content = b"".join(self._files.read(attachment.stored_name)) if self._files is not None else b""
        except NotFound:
            raise AttachmentGone(f"The file {attachment.name}, which goes with it, is no longer kept") from None
        return MailFile(attachment.name, attachment.media_type, content)

"""The messages by which runs deliver what they have made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from airtally.accounts.accounts import Account
from airtally.database.rows import AnyRow
from airtally.database.tables import webhook_endpoints
from airtally.kit.errors import Unprocessable
from airtally.kit.time import to_datetime
from airtally.schedules.endings import described
from airtally.schedules.outcomes import MadeFile, MadeFiles
from airtally.schedules.schedule import Schedule, ScheduleRun
from airtally.schedules.wanted import DeliverTo
from airtally.webhooks.messages import MOST_ATTACHED_BYTES, MailAttachment, MailText, Recipients
from airtally.webhooks.states import Channel, MessageState

DELIVERED_EVENT = "schedule.delivered"
#: Recipients that a reason names.
_MOST_NAMED = 3
#: Files that an e-mail has attached at most.
_MOST_ATTACHED = 5


def contents_of(
    account: Account, schedule: Schedule, run: ScheduleRun, made: MadeFiles
) -> tuple[Mapping[str, Any], MailText | None]:
    """The body of a message for webhooks, and the e-mail if the schedule sends any."""
    files = [
        {"name": each.name, "url": each.url, "rows": each.rows, "bytes": each.bytes, "sha256": each.sha256}
        for each in made.files
    ]
    about = {**made.about, "rows": made.rows, "bytes": made.bytes, "parts": made.number, "files": files}
    payload = {**described(schedule, run), made.kind: about}
    return payload, _mail(account, schedule, run, made) if schedule.deliver.email else None


def check_recipients(connection: Connection, account: Account, deliver: DeliverTo, *, mails: bool) -> None:
    """Raises Unprocessable for endpoints that the account does not have, and for e-mail without a mail server."""
    if deliver.email and not mails:
        raise Unprocessable("The server sends no e-mail", hint="Its operator sets AIRTALLY_SMTP_URL")
    mine = select(webhook_endpoints.c.id).where(webhook_endpoints.c.account_id == account.id)
    found = connection.execute(mine.where(webhook_endpoints.c.id.in_(deliver.endpoints))).scalars()
    unknown = sorted(set(deliver.endpoints).difference(found))
    if unknown:
        raise Unprocessable(f"There is no webhook endpoint {unknown[0]}")


def recipients(deliver: DeliverTo) -> Recipients:
    return Recipients(endpoints=deliver.endpoints, addresses=deliver.email, every_endpoint=deliver.webhooks)


def why_undelivered(deliveries: Sequence[AnyRow]) -> str | None:
    """Why a message whose deliveries have ended did not reach everybody, in words; None if it did."""
    if not deliveries:
        return "It was delivered to nobody: the schedule's endpoints are gone, or none wants `schedule.delivered`"
    missed = [each for each in deliveries if each.state != MessageState.DELIVERED]
    if not missed:
        return None
    told = "; ".join(_why(each) for each in missed[:_MOST_NAMED])
    more = f"; and {len(missed) - _MOST_NAMED} more" if len(missed) > _MOST_NAMED else ""
    return f"It is made, but was not delivered to {told}{more}. It can be redelivered"


def _why(delivery: AnyRow) -> str:
    to = delivery.address if delivery.channel == Channel.EMAIL else f"webhook {delivery.endpoint_id}"
    held = "it is disabled, and gets the message once it is enabled" if delivery.state == MessageState.HELD else None
    return f"{to} ({held or delivery.error or 'no answer'})"


def _mail(account: Account, schedule: Schedule, run: ScheduleRun, made: MadeFiles) -> MailText:
    at = to_datetime(run.as_of).astimezone(account.zone)
    lines = "\n".join(_line(each) for each in made.files)
    left = made.number - len(made.files)
    more = f"\n  … and {left} more, listed under {made.kind} {made.about['id']}" if left else ""
    attached = _attachments(made)
    words = "They are attached, and under these links" if attached else "They are under these links"
    text = (
        f"The schedule {schedule.name!r} of {account.name} has made {made.rows} rows "
        f"as of {at:%Y-%m-%d %H:%M} ({account.timezone}).\n"
        f"{words}, which need no password, until {made.about['expires_at']}:\n\n{lines}{more}\n"
    )
    return MailText(f"{schedule.name}, {at:%Y-%m-%d %H:%M}", text, attached)


def _attachments(made: MadeFiles) -> tuple[MailAttachment, ...]:
    """The files, if they are few and small."""
    if made.number > _MOST_ATTACHED or made.number != len(made.files) or made.bytes > MOST_ATTACHED_BYTES:
        return ()
    return tuple(MailAttachment(each.name, each.media_type, each.stored_name) for each in made.files)


def _line(file: MadeFile) -> str:
    return f"  {file.name}: {file.rows} rows, {file.bytes} bytes\n  {file.url}\n  SHA-256 {file.sha256}"

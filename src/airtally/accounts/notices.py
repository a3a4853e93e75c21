"""Sends notices by e-mail to an account's users, as of a late publication."""

from __future__ import annotations

import structlog

from airtally.accounts.accounts import Account
from airtally.accounts.users import Users
from airtally.kit.errors import Unavailable
from airtally.kit.mail import Mailer, MailRefused

_log = structlog.get_logger()


class Notices:
    """Without a mailer, no notice is sent."""

    def __init__(self, users: Users, mailer: Mailer | None) -> None:
        self._users = users
        self._mailer = mailer

    def addresses(self, account: Account) -> list[str]:
        """The users' addresses, each once; none of a closed account."""
        return [] if self._mailer is None else self._users.addresses(account)

    def tell(self, to: list[str], subject: str, text: str) -> list[str]:
        """Send a message to each address. Returns those for which it can be tried again later."""
        left = []
        for number, address in enumerate(to):
            try:
                if self._mailer is not None:
                    self._mailer.send(address, subject, text)
            except MailRefused as failure:
                _log.warning("a notice was refused", subject=subject, reason=failure.message)
            except Unavailable as failure:
                _log.warning("a notice could not be sent", subject=subject, reason=failure.message)
                left.append(address)
                if not number:
                    return to  # the first failed: the mail server is unreachable, and each try takes up to 15 seconds
        return left

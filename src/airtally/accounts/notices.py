"""What an account's people are told by e-mail: a publication that is late, a schedule that failed."""

from __future__ import annotations

import structlog

from airtally.accounts.accounts import Account
from airtally.accounts.users import Users
from airtally.kit.errors import Unavailable
from airtally.kit.mail import Mailer, MailRefused

_log = structlog.get_logger()


class Notices:
    """Without a mailer nothing is sent."""

    def __init__(self, users: Users, mailer: Mailer | None) -> None:
        self._users = users
        self._mailer = mailer

    def addresses(self, account: Account) -> list[str]:
        """Each once, whoever shares it."""
        return [] if self._mailer is None else list(dict.fromkeys(user.email for user in self._users.all(account)))

    def tell(self, to: list[str], subject: str, text: str) -> list[str]:
        """A message to each address; the answer is those that may be told later."""
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
                    return to  # the first one failed: the server is away, and each try takes its time
        return left

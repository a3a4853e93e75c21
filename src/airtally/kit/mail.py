"""Sending e-mail through one SMTP server."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import SplitResult, unquote, urlsplit

from airtally.kit import metrics
from airtally.kit.errors import Failure, Unavailable

SECONDS = 15.0
#: Without what separates or groups addresses in a header: `a,b@x.org` would be two.
_ADDRESS = re.compile(r"[^\s@<>\"(),:;\[\]\\]{1,64}@[^\s@<>\"(),:;\[\]\\]{1,190}")


def is_address(text: str) -> bool:
    """Whether a text can be an e-mail address, and one alone."""
    return _ADDRESS.fullmatch(text) is not None and text.isprintable()


class MailRefused(Failure):
    """The server rejected the message for good; sending it again will not help."""

    status = 502
    code = "mail_refused"


@dataclass(frozen=True, slots=True)
class MailFile:
    """A file that goes with a message."""

    name: str
    media_type: str
    content: bytes


class Mailer:
    """`url`: `smtp://[user:password@]host[:port]`, with STARTTLS where the server offers it, or `smtps://…`.

    The sender is the user if it is an e-mail address, else `airtally@` and this machine's name. `seconds` is the
    time limit of each network operation. Raises ValueError for another URL.
    """

    def __init__(self, url: str, *, seconds: float = SECONDS) -> None:
        self._url: SplitResult = urlsplit(url)
        self._seconds = seconds
        if self._url.scheme not in {"smtp", "smtps"} or not self._url.hostname:
            raise ValueError("smtp://[user:password@]host[:port] or smtps://…")
        self._port = self._url.port or (465 if self._url.scheme == "smtps" else 25)
        user = unquote(self._url.username or "")
        self._sender = user if "@" in user else f"airtally@{socket.getfqdn()}"

    def send(self, to: str, subject: str, text: str, *, uid: str | None = None, files: Sequence[MailFile] = ()) -> None:
        """Send one message to one address. Raises MailRefused, or Unavailable if the server may accept it later.

        An address that was declared before `is_address` was as strict is refused, not taken for several.

        `uid`: the same for every try at the same message, from which readers see that it came twice.
        """
        if not is_address(to):
            metrics.MAILS.labels("failed").inc()
            raise MailRefused(f"{to[:64]!r} is no single e-mail address")
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, to, subject
        domain = self._sender.rpartition("@")[2]
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=domain) if uid is None else f"<{uid}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        for file in files:
            kind, _, form = file.media_type.partition("/")
            message.add_attachment(file.content, maintype=kind, subtype=form, filename=file.name)
        try:
            with self._connected() as server:
                server.send_message(message, to_addrs=[to])
        except (OSError, smtplib.SMTPException) as error:
            metrics.MAILS.labels("failed").inc()
            failure = MailRefused if _is_final(error) else Unavailable
            raise failure(f"The mail server {self._url.hostname} did not take a message ({error})") from error
        metrics.MAILS.labels("sent").inc()

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        host, context = str(self._url.hostname), ssl.create_default_context()
        if self._url.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, self._port, timeout=self._seconds, context=context)
        else:
            server = smtplib.SMTP(host, self._port, timeout=self._seconds)
        with server:
            server.ehlo()
            if self._url.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            if self._url.username:
                self._check_secret(server)
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
            yield server

    def _check_secret(self, server: smtplib.SMTP) -> None:
        """Refuse to send a password without TLS, except to this machine."""
        local = self._url.hostname == "localhost" or str(self._url.hostname).startswith("127.")
        if not isinstance(server.sock, ssl.SSLSocket) and not local:
            raise smtplib.SMTPNotSupportedError("no TLS to send the password over; use smtps://")


def _is_final(error: Exception) -> bool:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError) and error.smtp_code >= 500

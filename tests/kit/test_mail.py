from __future__ import annotations

import socket

import pytest

from airtally.kit.errors import Unavailable
from airtally.kit.mail import Mailer
from fixtures.smtp import Mailbox


def test_a_message_arrives_as_it_was_written(smtp_url: str, mailbox: Mailbox) -> None:
    Mailer(smtp_url).send("ana@example.com", "Relatório atrasado", "Olá, ação\n")
    [message] = mailbox.messages
    assert message["To"] == "ana@example.com"
    assert message["Subject"] == "Relatório atrasado"
    assert message["From"].startswith("airtally@")
    assert message.get_content().replace("\r\n", "\n") == "Olá, ação\n"


def test_the_sender_is_the_user_where_that_is_an_address() -> None:
    assert Mailer("smtp://reports%40acme.example:secret@mail.example")._sender == "reports@acme.example"


def test_a_server_that_refuses(smtp_url: str, mailbox: Mailbox) -> None:
    mailbox.away = True
    with pytest.raises(Unavailable, match="did not take"):
        Mailer(smtp_url).send("ana@example.com", "s", "t")


def test_a_server_that_says_nothing() -> None:
    """The wait has an end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(Unavailable):
            Mailer(f"smtp://127.0.0.1:{port}", seconds=0.2).send("ana@example.com", "s", "t")


def test_a_header_cannot_be_smuggled_in(smtp_url: str, mailbox: Mailbox) -> None:
    with pytest.raises(ValueError, match="Header"):
        Mailer(smtp_url).send("ana@example.com", "one\nBcc: eve@example.com", "t")
    assert mailbox.messages == []


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "mail.example:25"])
def test_what_is_no_mail_server(url: str) -> None:
    with pytest.raises(ValueError, match="smtp"):
        Mailer(url)

from __future__ import annotations

import socket

import pytest

from airtally.kit.errors import Unavailable
from airtally.kit.mail import Mailer, MailRefused, is_address
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


@pytest.mark.parametrize(
    "address", ["a,b@x.com", "a@x.com,b@x.com", "a;b@x.com", "g:a@x.com", "a(b)@x.com", "a@[1.2.3.4]"]
)
def test_what_would_be_several_recipients_is_no_address(smtp_url: str, mailbox: Mailbox, address: str) -> None:
    assert not is_address(address)
    with pytest.raises(MailRefused, match="no single"):
        Mailer(smtp_url).send(address, "s", "t")
    assert mailbox.messages == []


@pytest.mark.parametrize(
    "address", ["ana@example.com", "o'neil+reports@x.co.uk", "jos\u00e9@ex\u00e9mple.org", "a_b-c.d@x"]
)
def test_what_is_an_address(address: str) -> None:
    assert is_address(address)

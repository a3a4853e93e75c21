"""What each API says of its clients: what they need, a program, and a call that can be tried."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from airtally.accounts.keys import KeyOptions
from airtally.accounts.kinds import Credentials
from airtally.connect.account_view import AccountView
from airtally.connect.checklist import ChecklistItem
from airtally.connect.exchange import ClientCalls

#: The values of a program: texts, numbers, and a `Placeholder` for what is not declared yet.
ProgramValues = dict[str, Any]


class ApiConnection(ABC):
    """One API. `base_path` follows the server's address; `replaces` is the address that clients have now.

    `key_kinds`: the kinds of keys, the one of the program first. `guide`: the page about moving a client.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    base_path: ClassVar[str]
    replaces: ClassVar[str]
    key_kinds: ClassVar[tuple[str, ...]]
    guide: ClassVar[str]
    #: Options of a key that is made for one call.
    key_options: ClassVar[KeyOptions] = KeyOptions()

    @abstractmethod
    def items(self, view: AccountView) -> list[ChecklistItem]:
        """The check-list, in the order in which things are declared."""

    @abstractmethod
    def values(self, view: AccountView) -> ProgramValues:
        """Of the account, for the program: without secrets and `base_url`."""

    @abstractmethod
    def calls(self, values: Mapping[str, Any], credentials: Credentials) -> ClientCalls:
        """What the program does, with paths below the server's address."""

    @abstractmethod
    def secrets(self) -> Mapping[str, str]:
        """The values of the program that are fields of a key: their names, and the fields."""


class Placeholder(str):
    """A value of a program that the reader replaces: `YOUR_AD_GROUP` of `ad group`."""

    __slots__ = ()

    def __new__(cls, words: str) -> Self:
        return super().__new__(cls, "YOUR_" + words.upper().replace(" ", "_"))


def undeclared(values: Mapping[str, Any]) -> list[str]:
    """The placeholders among values: what is to be declared before the program works."""
    return sorted({str(each) for each in values.values() if isinstance(each, Placeholder)})

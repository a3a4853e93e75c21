"""How pages and forms of the console are declared: a method says its path, and its route and checks follow from that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypeVar

H = TypeVar("H", bound=Callable[..., Any])


class Place(StrEnum):
    """What a page is about, and the beginning of its path. Pages of the server are for operators alone."""

    ACCOUNT = "/accounts/{slug}"
    SERVER = "/status"
    SITE = ""


@dataclass(frozen=True, slots=True)
class DeclaredPage:
    """What the decorators say of a handler."""

    method: Literal["GET", "POST"]
    place: Place
    path: str
    again: str | None = None


@dataclass(frozen=True, slots=True)
class ConsolePage:
    """A declaration with its handler, a bound method. `again` shows the page anew on which a form failed."""

    declared: DeclaredPage
    handler: Callable[..., Any]
    again: Callable[..., Any] | None

    @property
    def path(self) -> str:
        """With parameters as `{name}`."""
        return (self.declared.place + self.declared.path) or "/"


def console_page(path: str, place: Place = Place.ACCOUNT) -> Callable[[H], H]:
    """Declare a method as a page: it takes a `Visit` and returns a `View`, or a response as it is.

    `path` follows that of the place, with parameters as `{name}`.
    """
    return _declare(DeclaredPage("GET", place, path))


def console_form(path: str, place: Place = Place.ACCOUNT, *, again: str) -> Callable[[H], H]:
    """Declare a method as what takes a form. It does what is asked and returns `Moved`, a `View` or a response.

    If it raises a Failure, the method named `again` shows its page with it and with the form's fields as they were sent.
    """
    return _declare(DeclaredPage("POST", place, path, again))


def pages_of(owners: Iterable[object]) -> list[ConsolePage]:
    """The pages and forms that the objects' classes declare."""
    return [
        ConsolePage(each.declared_page, getattr(owner, name), _again(owner, each.declared_page))
        for owner in owners
        for name, each in vars(type(owner)).items()
        if hasattr(each, "declared_page")
    ]


def _declare(declared: DeclaredPage) -> Callable[[H], H]:
    def declare(handler: H) -> H:
        handler.declared_page = declared  # type: ignore[attr-defined]
        return handler

    return declare


def _again(owner: object, declared: DeclaredPage) -> Callable[..., Any] | None:
    return None if declared.again is None else getattr(owner, declared.again)

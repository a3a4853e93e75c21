"""What handlers of pages return: a template with what it shows, or where to go next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class View:
    """A template of `templates/` and its variables. `fragment`: the block that htmx gets alone.

    `status` is that of a page that says what is wrong with its own fields; of a refused form it is the failure's.
    """

    template: str
    context: Mapping[str, Any]
    fragment: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moved:
    """Go to a path of the console, which shows the note once."""

    path: str
    note: str = ""


def view(template: str, *, fragment: str | None = None, **context: Any) -> View:
    return View(template, context, fragment)

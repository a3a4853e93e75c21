"""Options whose values are JSON: the text itself, `@FILE`, or `-` for standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from airtally.kit.errors import BadRequest

#: How the options say what they take.
JSON_HELP = "JSON, @FILE with JSON, or - for standard input"


def read_argument(given: str) -> str:
    """Raises OSError for a file that cannot be read."""
    if given == "-":
        return sys.stdin.read()
    return Path(given[1:]).read_text(encoding="utf-8") if given.startswith("@") else given


def read_json(given: str | None, option: str) -> Any:
    """The value, None without one. Raises BadRequest, which names the option, and OSError."""
    if given is None:
        return None
    try:
        return json.loads(read_argument(given))
    except ValueError as error:
        raise BadRequest(f"{option} cannot be used: it is no JSON ({error})", hint=f"It takes {JSON_HELP}") from None

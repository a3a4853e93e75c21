"""Programs that call this server, with an account's values, in the languages that clients are written in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from airtally.kit.errors import BadRequest


class Language(StrEnum):
    """What a program is written in."""

    CURL = "curl"
    PYTHON = "python"
    PHP = "php"
    RUBY = "ruby"
    JAVASCRIPT = "javascript"


class Program(msgspec.Struct, frozen=True):
    """`file`: a name for it; `run`: the command that runs it. It needs nothing but the language itself."""

    language: Language
    file: str
    run: str
    text: str


def rendered(connection: str, values: Mapping[str, Any]) -> list[Program]:
    """The programs of a connection, in every language."""
    return [
        Program(each, file, run, _environment(each).get_template(f"{connection}/{each}.j2").render(values))
        for each, (file, run) in _FILES.items()
    ]


def with_key(text: str, placeholders: Mapping[str, str], credentials: Mapping[str, object]) -> str:
    """A program with a key's fields in place of their placeholders; those that the key does not have stay.

    Raises BadRequest for a secret with characters that languages write in different ways.
    """
    for placeholder, field in placeholders.items():
        if field not in credentials:
            continue
        secret = str(credentials[field])
        if not _PLAIN.fullmatch(secret):
            raise BadRequest(
                f"`{field}` has characters that programs must escape", hint=f"Replace {placeholder} yourself"
            )
        text = text.replace(placeholder, secret)
    return text


#: Characters that stand for themselves between quotes of every language.
_PLAIN = re.compile(r"[A-Za-z0-9+/=_|.:~@,-]+")
_FILES = {
    Language.CURL: ("call.sh", "sh call.sh"),
    Language.PYTHON: ("call.py", "python3 call.py"),
    Language.PHP: ("call.php", "php call.php"),
    Language.RUBY: ("call.rb", "ruby call.rb"),
    Language.JAVASCRIPT: ("call.mjs", "node call.mjs"),
}


@lru_cache(8)
def _environment(language: Language) -> Environment:
    """Whatever a template names is written as a literal of the language, so that no value can be more than a value."""
    return Environment(  # noqa: S701 (no page is made here)
        loader=PackageLoader("airtally.connect", "examples"),
        undefined=StrictUndefined,
        finalize=_LITERALS[language],
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _in_shell(value: object) -> str:
    """Always between quotes, so that what replaces a placeholder is, too."""
    text = value if isinstance(value, str) else json.dumps(value)
    return "'" + text.replace("'", """'"'"'""") + "'"


def _in_python(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _in_single_quotes(value: object) -> str:
    """Of PHP and Ruby, which read an escaped backslash and quote in such a text and nothing else."""
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return json.dumps(value)


def _in_javascript(value: object) -> str:
    return json.dumps(value)


_LITERALS: Mapping[Language, Callable[[object], str]] = {
    Language.CURL: _in_shell,
    Language.PYTHON: _in_python,
    Language.PHP: _in_single_quotes,
    Language.RUBY: _in_single_quotes,
    Language.JAVASCRIPT: _in_javascript,
}

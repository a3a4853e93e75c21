"""What the commands share: settings, the parts they need, and errors in one line."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Annotated, ParamSpec, TypeVar

from cyclopts import Parameter

from airtally.accounts.acting import acting, command_actor
from airtally.cli.remote import FLAGS, refuse_remote
from airtally.kit import private
from airtally.kit.errors import Failure
from airtally.settings import SettingError, Settings

P = ParamSpec("P")
R = TypeVar("R")

#: Options that many commands have.
Json = Annotated[bool, Parameter(name="--json", negative=(), help="Print JSON.")]
AccountSlug = Annotated[str, Parameter(name="--account", help="The account's slug.")]
OwnAccountSlug = Annotated[
    str | None,
    Parameter(name="--account", help="The account's slug; with --url it may be left out for the token's own account."),
]
AnyAccountSlug = Annotated[
    str | None, Parameter(name="--account", help="The account's slug; if not given, all accounts.")
]


def command(function: Callable[P, R]) -> Callable[P, R]:
    """A command whose failures end the program with one clear line on standard error and status 1."""

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with acting(command_actor()):
                return function(*args, **kwargs)
        except (Failure, SettingError, OSError) as error:
            print(f"airtally: {_error_line(error)}", file=sys.stderr)
            raise SystemExit(1) from None
        except KeyboardInterrupt:
            raise SystemExit(130) from None

    return guarded


def settings_from_environment() -> Settings:
    """Of this machine: what the command makes from here on is for its user only.

    Raises BadRequest where another server is named, and SettingError, naming the setting.
    """
    refuse_remote()
    settings = Settings.from_env()
    private.keep_private(shared=settings.shares_folders)
    return settings


def with_settings_flags(arguments: Sequence[str]) -> list[str]:
    """Take `--home DIR`, `--url URL` and their like, given before the command, into the environment.

    The rest is the command.
    """
    known = {f"--{item.name.replace('_', '-')}": str(item.metadata["env"]) for item in fields(Settings)}
    known.pop("--retain-days")
    known |= FLAGS
    rest = list(arguments)
    while rest:
        flag, given, value = rest[0].partition("=")
        if flag not in known or not (given or len(rest) > 1):
            break
        os.environ[known[flag]] = value if given else rest[1]
        del rest[: 1 if given else 2]
    return rest


def _error_line(error: Exception) -> str:
    if isinstance(error, Failure):
        return error.message + (f" ({error.hint})" if error.hint else "")
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)

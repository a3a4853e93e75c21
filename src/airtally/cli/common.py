"""What the commands share: settings, the parts they need, and errors in one line."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from typing import Annotated, ParamSpec, TypeVar

from cyclopts import Parameter

from airtally.accounts.accounts import Account, Accounts
from airtally.accounts.acting import acting, command_actor
from airtally.accounts.keys import Keys
from airtally.accounts.owners import Owners
from airtally.accounts.secrets import Secrets
from airtally.accounts.users import Users
from airtally.cli.remote import FLAGS, refuse_remote
from airtally.database.store import MetadataStore
from airtally.kit import private
from airtally.kit.clock import Clock, SystemClock
from airtally.kit.errors import Failure
from airtally.settings import SettingError, Settings

P = ParamSpec("P")
R = TypeVar("R")

#: Options that many commands have.
Json = Annotated[bool, Parameter(name="--json", negative=(), help="Print JSON.")]
AccountSlug = Annotated[str, Parameter(name="--account", help="The account's slug.")]
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
    """What the command makes from here on is for its user only. Raises SettingError, naming the setting."""
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


@dataclass(frozen=True, slots=True)
class DatabaseServices:
    """Accounts and what belongs to them, without the rest of the server."""

    settings: Settings
    clock: Clock
    store: MetadataStore
    accounts: Accounts
    keys: Keys
    users: Users
    owners: Owners

    def account(self, slug: str | None) -> Account | None:
        """Raises NotFound for a slug that nobody has."""
        return None if slug is None else self.accounts.by_slug(slug)


@contextmanager
def opened_database() -> Iterator[DatabaseServices]:
    """The metadata store of the environment's settings, closed at the end."""
    refuse_remote()
    settings, clock = settings_from_environment(), SystemClock()
    private.enclose(settings.home, shared=settings.shares_folders)
    with ExitStack() as closing:
        store = MetadataStore.open(settings.database_url)
        closing.callback(store.close)
        secrets = Secrets.open(settings.home, settings.secret_key)
        keys = Keys(store, secrets, clock)
        closing.callback(keys.close)
        yield DatabaseServices(settings, clock, store, Accounts(store, clock), keys, Users(store, clock), Owners(store))


def _error_line(error: Exception) -> str:
    if isinstance(error, Failure):
        return error.message + (f" ({error.hint})" if error.hint else "")
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)

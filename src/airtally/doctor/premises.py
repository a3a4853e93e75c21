"""What checks look at: the parts of a home, opened for a moment, or those of the process that runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext

from airtally.accounts.keys import Keys
from airtally.accounts.secrets import Secrets
from airtally.database.store import MetadataStore
from airtally.engine import open_engine
from airtally.engine.protocol import Engine
from airtally.files.store import FileStore
from airtally.kit import private
from airtally.kit.clock import Clock, SystemClock
from airtally.services import Services
from airtally.settings import Settings
from airtally.storage.lake import Lake


class Premises(ABC):
    """Each part raises what stands in the way of opening it."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock

    @abstractmethod
    def store(self) -> AbstractContextManager[MetadataStore]: ...
    @abstractmethod
    def keys(self) -> AbstractContextManager[Keys]: ...
    @abstractmethod
    def engine(self) -> AbstractContextManager[Engine]: ...
    @abstractmethod
    def lake(self) -> Lake: ...
    @abstractmethod
    def files(self) -> FileStore: ...


class HomePremises(Premises):
    """A home whose server may run or not. Raises Unavailable for one that a restore has not finished."""

    def __init__(self, settings: Settings) -> None:
        private.check_restored(settings.home)
        super().__init__(settings, SystemClock())

    def store(self) -> AbstractContextManager[MetadataStore]:
        return closing(MetadataStore.open(self.settings.database_url))

    @contextmanager
    def keys(self) -> Iterator[Keys]:
        secrets = Secrets.open(self.settings.home, self.settings.secret_key)
        with self.store() as store, closing(Keys(store, secrets, self.clock)) as keys:
            yield keys

    def engine(self) -> AbstractContextManager[Engine]:
        settings = self.settings
        limits = (settings.engine_memory, settings.query_seconds, settings.home / "tmp")
        return closing(open_engine(settings.engine, *limits))

    def lake(self) -> Lake:
        return Lake(self.settings.lake_url, clock=self.clock)

    def files(self) -> FileStore:
        return FileStore.open(self.settings.files_url)


class ServerPremises(Premises):
    """Those of this process."""

    def __init__(self, services: Services) -> None:
        super().__init__(services.settings, services.clock)
        self._services = services

    def store(self) -> AbstractContextManager[MetadataStore]:
        return nullcontext(self._services.store)

    def keys(self) -> AbstractContextManager[Keys]:
        return nullcontext(self._services.access.keys)

    def engine(self) -> AbstractContextManager[Engine]:
        return nullcontext(self._services.engines.engine)

    def lake(self) -> Lake:
        return self._services.storage.lake

    def files(self) -> FileStore:
        return self._services.files

"""All settings: environment variable, default, meaning and parser of each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from airtally.kit.setting_values import (
    Network,
    days,
    interval,
    link_life,
    networks,
    one_of,
    origins,
    parse_duration,
    parse_size,
    positive,
    seconds_list,
    switch,
)
from airtally.streams import ROLLUPS, STREAMS

DATASET_FORMATS = ("csv", "csv.gz", "zip", "parquet")


class SettingError(ValueError):
    """A setting has an invalid value; the message names the setting and what was expected."""


def _setting(env: str, default: Any, doc: str, parse: Any = str) -> Any:
    metadata = {"env": env, "doc": doc, "parse": parse, "default": default}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of all settings. `Settings.from_env` reads them once, at start."""

    home: Path = _setting(
        "AIRTALLY_HOME", Path("airtally-data"), "everything local: buffer, metadata, lake, files, secret key", Path
    )
    lake: str = _setting("AIRTALLY_LAKE", "", "folder or `s3://bucket/prefix`; default `lake` in the home")
    files: str = _setting("AIRTALLY_FILES", "", "generated files: folder or bucket; default `files` in the home")
    database: str = _setting("AIRTALLY_DATABASE", "", "SQLite in the home, or `postgresql://…`")
    engine: str = _setting("AIRTALLY_ENGINE", "duckdb", "`duckdb`, or `sc://host:port` of a Spark Connect server")
    public_url: str = _setting("AIRTALLY_PUBLIC_URL", "", "base of every link in an answer; default `http://HOST:PORT`")
    outgoing_allow: tuple[Network, ...] = _setting(
        "AIRTALLY_OUTGOING_ALLOW",
        (),
        "private networks that webhooks may reach, e.g. `127.0.0.0/8`",
        networks,
    )
    rate_limits: bool = _setting(
        "AIRTALLY_RATE_LIMITS",
        True,
        "`off` for tests and trusted networks; log-ins and guesses of keys stay limited",
        switch,
    )
    calls_per_minute: int = _setting(
        "AIRTALLY_CALLS_PER_MINUTE",
        1200,
        "calls of the native API that one key may make in a minute, batches of rows not counted; pages of the console that "
        "one user may ask for",
        positive,
    )
    mails_per_hour: int = _setting(
        "AIRTALLY_MAILS_PER_HOUR",
        500,
        "e-mails that schedules and alarms of one account may send in an hour; others wait for the next one",
        positive,
    )
    cors_origins: tuple[str, ...] = _setting(
        "AIRTALLY_CORS_ORIGINS",
        (),
        "web pages that may call the native API from a browser: origins such as `https://example.org`, or `*`",
        origins,
    )
    audit_days: int = _setting("AIRTALLY_AUDIT_DAYS", 730, "how long entries of the audit trail are kept", positive)
    usage_days: int = _setting("AIRTALLY_USAGE_DAYS", 1096, "how long the usage of a day is kept", positive)
    fouryousee_retry_seconds: tuple[float, ...] = _setting(
        "AIRTALLY_FOURYOUSEE_RETRY_SECONDS",
        (120.0, 360.0, 1080.0),
        "seconds to wait before webhook tries 2, 3 and 4",
        seconds_list,
    )
    waiting_jobs: int = _setting(
        "AIRTALLY_WAITING_JOBS",
        1000,
        "how many reports and statistics of one account may wait; more are refused with 429",
        positive,
    )
    dataset_interval: float = _setting(
        "AIRTALLY_DATASET_INTERVAL", 14_400.0, "how often dataset files are published, on the UTC clock", interval
    )
    slate_offset_mode: str = _setting(
        "AIRTALLY_SLATE_OFFSET_MODE",
        "page",
        "what `offset` counts in Slate listings: `page` or `item`",
        one_of("page", "item"),
    )
    slate_file_format: str = _setting(
        "AIRTALLY_SLATE_FILE_FORMAT",
        "csv",
        "file format of new datasets: `csv`, `csv.gz`, `zip` or `parquet`; a dataset keeps its format",
        one_of(*DATASET_FORMATS),
    )
    slate_link_seconds: float = _setting(
        "AIRTALLY_SLATE_LINK_SECONDS", 3600.0, "how long a link to a dataset file is valid: 1h to 7d", link_life
    )
    scaleengine_window: float = _setting(
        "AIRTALLY_SCALEENGINE_WINDOW",
        300.0,
        "how far a request's timestamp may differ from the server's clock",
        parse_duration,
    )
    scaleengine_strict_replay: bool = _setting(
        "AIRTALLY_SCALEENGINE_STRICT_REPLAY", False, "accept each signed request only once", switch
    )
    scaleengine_empty_is_success: bool = _setting(
        "AIRTALLY_SCALEENGINE_EMPTY_IS_SUCCESS", False, "answer `success` where there are no viewers", switch
    )
    pushwoosh_strict_device_token: bool = _setting(
        "AIRTALLY_PUSHWOOSH_STRICT_DEVICE_TOKEN", False, "require a known device token for device calls", switch
    )
    smtp_url: str = _setting(
        "AIRTALLY_SMTP_URL",
        "",
        "mail server for notices to an account's users: `smtp://[user:password@]host:port` or `smtps://…`",
    )
    secret_key: str = _setting(
        "AIRTALLY_SECRET_KEY",
        "",
        "signs links and encrypts secrets, the same on every machine; default `secret.key` in the home, made at first start",
    )
    operations_token: str = _setting(
        "AIRTALLY_OPERATIONS_TOKEN",
        "",
        "bearer token for `/metrics` and the details of `/readyz`; requests from this machine itself need none",
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        "AIRTALLY_TRUSTED_PROXIES", (), "networks of the proxies whose `X-Forwarded-…` headers are trusted", networks
    )
    report_file_days: int = _setting("AIRTALLY_REPORT_FILE_DAYS", 90, "how long report files are kept", positive)
    closed_days: int = _setting(
        "AIRTALLY_CLOSED_DAYS", 30, "days from the closing of an account to its deletion", positive
    )
    retain_days: dict[str, int | None] = _setting(
        "AIRTALLY_RETAIN_<STREAM>",
        {},
        "days that the rows of a stream or the segments of a rollup are kept, or `forever`; defaults in the streams' reference",
    )
    buffer_max: int = _setting(
        "AIRTALLY_BUFFER_MAX",
        1 << 30,
        "bytes of rows in the buffer; above it, batches are refused with 429",
        parse_size,
    )
    flush_seconds: float = _setting(
        "AIRTALLY_FLUSH_SECONDS", 30.0, "age at which buffered rows are flushed to the lake", parse_duration
    )
    flush_rows: int = _setting(
        "AIRTALLY_FLUSH_ROWS", 1_000_000, "number of buffered rows at which they are flushed", positive
    )
    late_flush_seconds: float = _setting(
        "AIRTALLY_LATE_FLUSH_SECONDS", 600.0, "age at which buffered rows of past days are flushed", parse_duration
    )
    body_max: int = _setting("AIRTALLY_BODY_MAX", 64 << 20, "largest batch as sent", parse_size)
    unpacked_max: int = _setting("AIRTALLY_UNPACKED_MAX", 512 << 20, "largest batch unpacked", parse_size)
    bodies_max: int = _setting(
        "AIRTALLY_BODIES_MAX",
        512 << 20,
        "memory for the bodies of running requests, at most half of it for one address; more are refused with 429",
        parse_size,
    )
    connections: int = _setting(
        "AIRTALLY_CONNECTIONS",
        4096,
        "open connections, at most half of them from one address; fewer where the process may open few files; "
        "above it, a new connection closes the one that was idle longest",
        positive,
    )
    idle_seconds: float = _setting(
        "AIRTALLY_IDLE_SECONDS",
        10.0,
        "how long a connection may be idle; behind a proxy, longer than the proxy's own limit",
        parse_duration,
    )
    quarantine_max: int = _setting(
        "AIRTALLY_QUARANTINE_MAX",
        64 << 20,
        "compressed bytes of an account's quarantine; refused rows above it are not kept",
        parse_size,
    )
    quarantine_days: int = _setting("AIRTALLY_QUARANTINE_DAYS", 90, "how long refused rows are kept", positive)
    waiting_exports: int = _setting(
        "AIRTALLY_WAITING_EXPORTS",
        20,
        "how many exports of one account may be under way; more are refused with 429",
        positive,
    )
    exports_max: int = _setting(
        "AIRTALLY_EXPORTS_MAX", 64 << 30, "bytes of files that the exports of one account may have", parse_size
    )
    export_days: int = _setting("AIRTALLY_EXPORT_DAYS", 7, "how long the files of exports are kept", positive)
    export_part_rows: int = _setting(
        "AIRTALLY_EXPORT_PART_ROWS", 1_000_000, "rows of one file of an export that asks for no other number", positive
    )
    export_part_bytes: int = _setting(
        "AIRTALLY_EXPORT_PART_BYTES", 128 << 20, "about how large one file of an export may be", parse_size
    )
    export_link_seconds: float = _setting(
        "AIRTALLY_EXPORT_LINK_SECONDS",
        86_400.0,
        "how long a link to a file of an export is valid: 1h to 7d",
        link_life,
    )
    engine_memory: int = _setting(
        "AIRTALLY_ENGINE_MEMORY", 512 << 20, "memory limit of one DuckDB instance", parse_size
    )
    version_index: int = _setting(
        "AIRTALLY_VERSION_INDEX",
        1 << 30,
        "memory for the indexes of changelogs' keys and versions, by which large batches are loaded quickly; 0 turns them off",
        parse_size,
    )
    maps: int = _setting(
        "AIRTALLY_MAPS",
        2 << 30,
        "disk for stored figures as memory maps, which are made again as needed; 0: every query uses the engine",
        parse_size,
    )
    answer_cache: int = _setting(
        "AIRTALLY_ANSWER_CACHE", 64 << 20, "memory for cached answers; 0 turns the cache off", parse_size
    )
    query_seconds: float = _setting("AIRTALLY_QUERY_SECONDS", 30.0, "time limit of one query", parse_duration)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Raises SettingError for a value that cannot be used and for a retention of an unknown stream."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for item in fields(cls):
            env, parse = item.metadata["env"], item.metadata["parse"]
            if item.name == "retain_days":
                values[item.name] = _retention(environ)
            elif environ.get(env, ""):
                values[item.name] = _parsed(env, environ[env], parse)
        return cls(**values)

    def with_(self, **changes: Any) -> Settings:
        return replace(self, **changes)

    def shared_by(self, processes: int) -> Settings:
        """The share of one of several processes that serve together, of what the settings allow to all of them.

        Bodies of the largest allowed size fit into each share.
        """
        bodies = max(self.bodies_max // processes, min(self.bodies_max, 2 * self.body_max))
        return self.with_(
            buffer_max=self.buffer_max // processes,
            bodies_max=bodies,
            connections=-(-self.connections // processes),
            version_index=self.version_index // processes,
            answer_cache=self.answer_cache // processes,
        )

    @property
    def lake_url(self) -> str:
        return self.lake or str(self.home.absolute() / "lake")

    @property
    def files_url(self) -> str:
        return self.files or str(self.home.absolute() / "files")

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.home.absolute() / 'metadata.sqlite'}"

    @property
    def shares_folders(self) -> bool:
        """Whether the lake or the files lie in a local folder outside of the home, whose mode the operator sets."""
        home, *given = (
            Path(os.path.abspath(place))  # noqa: PTH100 (pathlib leaves .. as it is)
            for place in (self.home, self.lake, self.files)
            if place and "://" not in str(place)
        )
        return any(home not in (place, *place.parents) for place in given)

    @property
    def local_folders(self) -> list[Path]:
        """All folders on this machine's disks that the server writes to, the home first."""
        scheme, _, database = self.database_url.partition(":///")
        places = [str(self.home), self.lake_url, self.files_url, *([str(Path(database).parent)] * (scheme == "sqlite"))]
        return list(dict.fromkeys(Path(place).absolute() for place in places if "://" not in place))

    @property
    def retention(self) -> dict[str, int | None]:
        """Days that the rows of each stream and the segments of each rollup are kept, by its name; None: for ever."""
        streams = {name: stream.retention_days for name, stream in STREAMS.items()}
        rollups = {name: rollup.retention_days for name, rollup in ROLLUPS.items()}
        return streams | rollups | self.retain_days


def _parsed(env: str, text: str, parse: Any) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise SettingError(f"{env}={text!r} cannot be used: expected {error}") from None


def _retention(environ: Mapping[str, str]) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for env, text in environ.items():
        if env.startswith("AIRTALLY_RETAIN_") and text:
            stream = env.removeprefix("AIRTALLY_RETAIN_").lower()
            if stream not in STREAMS and stream not in ROLLUPS:
                raise SettingError(f"{env}: there is no stream or rollup {stream!r}")
            found[stream] = None if text == "forever" else _parsed(env, text, days)
    return found

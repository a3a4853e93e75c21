"""Writes pages of docs/reference from the code: `python -m airtally.reference PAGE`, for `make docs`.

`airtally.streams.reference` writes the page of the streams.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from cyclopts import App
from prometheus_client.metrics import MetricWrapperBase

import airtally
from airtally.api.native import RESOURCES
from airtally.api.operation import PREFIX, Declared
from airtally.cli.program import app
from airtally.kit import metrics
from airtally.kit.errors import Failure
from airtally.settings import Settings
from airtally.vendors.apis import APIS
from airtally.vendors.openapi import WireOperation

#: Needs an extra of the package, and has no error codes.
_OPTIONAL = "airtally.dlt"
_SETTINGS = """# Settings

The program reads its settings from environment variables, once, at start. An invalid value stops it with a message
that names the setting and what was expected. Durations are `300`, `300s`, `5m`, `4h` or `90d`; sizes are `1048576`, `64MiB` or `2GiB`; switches are `on` or `off`.

| setting | default | meaning |
|---|---|---|
"""
_METRICS = """# Metrics

`GET /metrics` returns these metrics in the Prometheus text format, together with those of the Python process. Who may read them, and which
are worth an alert, is in [Running a server](../guides/operate.md#what-to-watch). A histogram has `_bucket`, `_sum` and
`_count` behind its name.

| metric | kind | labels | meaning |
|---|---|---|---|
"""
_ERRORS = """# Error codes

Every failure has a code. The native API sends it as `code` of its `application/problem+json` body, with `title`,
`status`, `detail` (the reason) and often `hint` (what to do). The vendors' APIs answer the same failures in the vendor's
form: [docs/vendors](../vendors/).

| code | status | `Retry-After` | when | hint |
|---|---|---|---|---|
"""
_UNSENT = """
These codes appear in logs and on the command line only, never in an answer of the native API:

| code | when | hint |
|---|---|---|
"""
_COMMANDS = """# Commands

`airtally COMMAND --help` lists the options. Every command that lists or creates takes `--json`. A setting can be given
before the command: `airtally --home DIR key list` is `AIRTALLY_HOME=DIR airtally key list`.

| command | what it does |
|---|---|
"""
_OPERATIONS = """# Operations

Every operation of the native API, generated from its declaration. The permission is one of those in
[Security](../guides/security.md#who-may-what); [Resources](resources-api.md) says more about most of them. Rows are written by
`POST /api/v1/streams/{stream}/events`, which needs `write` ([Sending rows](../guides/ingest.md)).
"""
_OPERATIONS_TABLE = """
## {tag}

| operation | permission | what it does |
|---|---|---|
"""
_DOCUMENTS = """# OpenAPI documents

The server describes everything that programs call in OpenAPI 3.1 documents; anybody may read them. `GET /api/v1/openapi`
lists them, and `GET /api/v1/openapi.json` is that of [the native API](operations.md), with rows on their way in, probes
and metrics. Below are those of the vendors' wires.

They are made of what the handlers themselves use: names and choices of parameters are those that are parsed, and each
failure is written by the code that answers it. Calls drawn from each document are made against a server in the tests.
What the pages for people answer (the console, 4YouSee's `/admin/reports_api.php`) is in none. What browsers ask by `OPTIONS` is in the documents only.

```sh
curl -s "$URL/api/v1/openapi/tapjoy.json"
```
"""
_DOCUMENTS_TABLE = """
## {title}

`GET /api/v1/openapi/{name}.json`; the sections are those of [the vendor's page](../vendors/{name}.md).

| call | section | what it does |
|---|---|---|
"""
#: Statuses of failures of commands, jobs and outgoing requests. No answer of the native API has them, except `internal`.
_UNSENT_STATUSES = (500, 502)


def settings_page() -> str:
    return _SETTINGS + "".join(_setting_line(item.metadata) for item in fields(Settings))


def _setting_line(setting: Any) -> str:
    return f"| `{setting['env']}` | {_default(setting['default'])} | {setting['doc']} |\n"


def _default(default: object) -> str:
    if default in ("", (), {}):
        return ""
    if isinstance(default, bool):
        return "`on`" if default else "`off`"
    if isinstance(default, tuple):
        return f"`{','.join(format(each, 'g') for each in default)}`"
    if isinstance(default, Path):
        return f"`./{default}`"
    if isinstance(default, int) and default >= 1 << 20 and default % (1 << 20) == 0:
        return f"`{default >> 20}MiB`"
    return f"`{default:g}s`" if isinstance(default, float) else f"`{default}`"


def metrics_page() -> str:
    return _METRICS + "".join(_metric_line(each) for each in declared_metrics())


def declared_metrics() -> list[MetricWrapperBase]:
    """Every metric of the program, in the order of `kit/metrics.py`."""
    return [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]


def metric_name(metric: MetricWrapperBase) -> str:
    """As `/metrics` writes it: the library keeps a counter's name without its `_total`."""
    [family] = metric.describe()
    return f"{family.name}_total" if family.type == "counter" else family.name


def _metric_line(metric: MetricWrapperBase) -> str:
    [family] = metric.describe()
    labels = ", ".join(f"`{each}`" for each in metric._labelnames)  # noqa: SLF001 (the library has no public name for them)
    return f"| `{metric_name(metric)}` | {family.type} | {labels} | {family.documentation} |\n"


def errors_page() -> str:
    sent, unsent = [], []
    for each in failures():
        code, when, hint = f"| `{each.code}` |", _first_paragraph(each), each.hint
        if each.status in _UNSENT_STATUSES and each.code != Failure.code:
            unsent.append(f"{code} {when} | {hint} |\n")
        else:
            sent.append(f"{code} {each.status} | {each.retry_after or ''} | {when} | {hint} |\n")
    return _ERRORS + "".join(sent) + _UNSENT + "".join(unsent)


def failures() -> list[type[Failure]]:
    """The class of every error code in the package, sorted by status and code."""
    for module in pkgutil.walk_packages(airtally.__path__, "airtally."):
        if not module.name.endswith(".__main__") and ".migrations." not in module.name and module.name != _OPTIONAL:
            importlib.import_module(module.name)
    internal = next(each for each in Failure.__subclasses__() if each.__name__ == "Internal")
    own = {each.code: each for each in _below(Failure) if "code" in vars(each)} | {internal.code: internal}
    return sorted(own.values(), key=lambda each: (each.status, each.code))


def _below(kind: type[Failure]) -> Iterator[type[Failure]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def _first_paragraph(kind: type[Failure]) -> str:
    return " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())


def commands_page() -> str:
    return _COMMANDS + "".join(f"| `airtally {name}` | {summary} |\n" for name, summary in commands(app))


def commands(group: App, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The full name and the one-sentence summary of each command; for a group, those of its commands."""
    for name in group:
        if not name.startswith("-"):
            below = list(commands(group[name], f"{prefix}{name} "))
            yield from below or [(prefix + name, group[name].help.partition("\n")[0])]


def operations_page() -> str:
    sections = (
        _OPERATIONS_TABLE.format(tag=tag) + "".join(map(_operation_line, declared))
        for tag, declared in declared_by_tag().items()
    )
    return _OPERATIONS + "".join(sections)


def declared_by_tag() -> dict[str, list[Declared]]:
    """The declarations of the native API, in the order of the OpenAPI document."""
    return {
        tag: [each.declared for resource in resources for each in vars(resource).values() if hasattr(each, "declared")]
        for tag, resources in RESOURCES.items()
    }


def _operation_line(declared: Declared) -> str:
    permission = "none" if declared.permission is None else f"`{declared.permission}`"
    return f"| `{declared.method} {PREFIX}{declared.path}` | {permission} | {declared.summary} |\n"


def openapi_page() -> str:
    sections = (
        _DOCUMENTS_TABLE.format(title=api.wire.title, name=api.name) + "".join(map(_call_line, api.wire.operations))
        for api in APIS
    )
    return _DOCUMENTS + "".join(sections)


def _call_line(call: WireOperation) -> str:
    """Nothing of what browsers ask before they call, which needs no explanation for each path."""
    if call.method == "OPTIONS":
        return ""
    return f"| `{call.method} {call.path}` | {call.section} | {call.summary} |\n"


PAGES: dict[str, Callable[[], str]] = {
    "operations": operations_page,
    "openapi": openapi_page,
    "settings": settings_page,
    "metrics": metrics_page,
    "errors": errors_page,
    "commands": commands_page,
}

if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())

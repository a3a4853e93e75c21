"""The settings' reference page, from their declarations: `python -m airtally.reference`."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from airtally.settings import Settings

_HEAD = """# Settings

Read from the environment once, at start. A value that cannot be used stops the program with its name and what would
do. Durations are `300`, `300s`, `5m`, `4h` or `90d`; sizes are `1048576`, `64MiB` or `2GiB`; switches are `on` or `off`.

| setting | default | meaning |
|---|---|---|
"""


def settings_page() -> str:
    return _HEAD + "".join(_line(item.metadata) for item in fields(Settings))


def _line(setting: Any) -> str:
    return f"| `{setting['env']}` | {_shown(setting['default'])} | {setting['doc']} |\n"


def _shown(default: object) -> str:
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


if __name__ == "__main__":
    sys.stdout.write(settings_page())

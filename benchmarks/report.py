"""`python -m benchmarks.report`: docs/benchmarks.md from the stored results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, Aim, plain
from benchmarks.server import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
_ORDER = (
    "ingest_batches_10k",
    "ingest_batches_500",
    "ingest_file",
    "single_rows",
    "visible",
    "report_file",
    "report_small",
    "tapjoy_insights",
    "tapjoy_growth",
    "tapjoy_mixed",
    "viewer_log",
    "players",
    "query_rollup",
    "query_rows",
    "sql_rows",
    "event_statistics",
    "rollup_rebuild",
    "publication",
    "console_overview",
    "idle",
)
_HEAD = """# Benchmarks

Written by `make bench` from the results under `benchmarks/results/`; do not edit by hand. Server, client and what
they are compared with share the machine named below each result. A reference is measured in the same run.

| benchmark | reached | aim | |
|---|---|---|---|
"""


def page(results: Path = RESULTS) -> str:
    """The text of the page."""
    stored = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))]
    stored.sort(key=lambda one: _ORDER.index(one["name"]) if one["name"] in _ORDER else len(_ORDER))
    rows = [row for one in stored for row in _aim_rows(one)]
    return _HEAD + "\n".join(rows) + "\n" + "".join(_section(one) for one in stored) + _how()


def write(results: Path = RESULTS) -> None:
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(results), encoding="utf-8")


def _aim_rows(stored: dict[str, Any]) -> list[str]:
    rows = []
    for fields in stored["aims"]:
        aim = Aim(**fields)
        word = "at most" if aim.at_most else "at least"
        name = f"[{stored['name']}](#{stored['name']})"
        value = f"{aim.what}: {plain(aim.value)} {aim.unit}".strip()
        bound = f"{word} {plain(aim.bound)} {aim.unit}".strip()
        rows.append(f"| {name} | {value} | {bound} | {'reached' if aim.reached else '**not reached**'} |")
    return rows


def _section(stored: dict[str, Any]) -> str:
    lines = [f"\n## {stored['name']}\n", stored["title"][0].upper() + stored["title"][1:] + ".\n"]
    lines += ["| figure | value |", "|---|---|"]
    lines += [f"| {what} | {plain(value)} |" for what, value in stored["figures"].items()]
    lines += [f"| reference: {what} | {plain(value)} |" for what, value in stored["reference"].items()]
    if stored["ratio"] is not None:
        lines.append(f"| ratio to the reference | {stored['ratio']:.2f} |")
    lines.append("")
    lines += [f"- {note}" for note in stored["notes"]]
    sizes = ", ".join(f"{name} {plain(value)}" for name, value in stored["parameters"].items())
    machine, versions = stored["machine"], stored["versions"]
    lines.append(f"- sizes: {sizes}")
    lines.append(
        f"- measured {stored['measured'][:10]} at commit {stored['commit']} on {machine['cores']} cores "
        f"({machine['processor']}), {machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}; "
        + ", ".join(f"{name} {number}" for name, number in versions.items())
    )
    return "\n".join(lines) + "\n"


def _how() -> str:
    return """
## How to run them

`make bench` runs all, `make bench NAMES="idle single_rows"` some; `python -m benchmarks.run --small` takes seconds
and keeps nothing. Rows come from the demo's generators (`airtally.demo`), so a run can be repeated elsewhere. Homes
at scale (100 million ad events, 50 million app events, ten million subscription rows) are made at their first use and
kept for a week in the folder that `AIRTALLY_BENCHMARK_DATA` names, else in `./benchmark-data`: about 10 GB. `--scale
0.1` makes them ten times smaller. dlt is installed into an environment of its own, `.venv-bench`.
"""


if __name__ == "__main__":
    write()

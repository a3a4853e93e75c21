"""`python -m benchmarks.run [NAME…]`: run, print, store, write the page. `--help` names the options."""

from __future__ import annotations

import argparse
import sys
import traceback
from pathlib import Path

from benchmarks import report
from benchmarks.answers import queries_answer
from benchmarks.client_send import client_send
from benchmarks.console_overview import console_overview
from benchmarks.event_statistics import event_statistics
from benchmarks.exports import exports
from benchmarks.fairness import fairness
from benchmarks.harness import RESULTS, Benchmark, Place
from benchmarks.idle import idle
from benchmarks.ingest_file import ingest_file
from benchmarks.ingest_http import large_batches, small_batches, two_workers
from benchmarks.many_accounts import many_accounts
from benchmarks.new_versions import new_versions
from benchmarks.players import players
from benchmarks.publication import publication
from benchmarks.query import query_rollup, query_rows
from benchmarks.report_file import report_file
from benchmarks.report_small import report_small
from benchmarks.rollup_rebuild import rollup_rebuild
from benchmarks.server import ROOT
from benchmarks.single_rows import single_rows
from benchmarks.sql import sql_rows
from benchmarks.tapjoy import tapjoy_growth, tapjoy_insights, tapjoy_mixed
from benchmarks.tapjoy_earlier import tapjoy_mixed_earlier
from benchmarks.tapjoy_live import tapjoy_live
from benchmarks.viewer_log import viewer_log
from benchmarks.visible import visible

BENCHMARKS: dict[str, Benchmark] = {
    "ingest_batches_10k": large_batches,
    "ingest_batches_500": small_batches,
    "ingest_workers": two_workers,
    "client_send": client_send,
    "ingest_file": ingest_file,
    "new_versions": new_versions,
    "single_rows": single_rows,
    "visible": visible,
    "report_file": report_file,
    "report_small": report_small,
    "exports": exports,
    "queries_answer": queries_answer,
    "tapjoy_insights": tapjoy_insights,
    "tapjoy_growth": tapjoy_growth,
    "tapjoy_mixed": tapjoy_mixed,
    "tapjoy_mixed_earlier": tapjoy_mixed_earlier,
    "tapjoy_live": tapjoy_live,
    "viewer_log": viewer_log,
    "players": players,
    "query_rollup": query_rollup,
    "query_rows": query_rows,
    "sql_rows": sql_rows,
    "event_statistics": event_statistics,
    "rollup_rebuild": rollup_rebuild,
    "many_accounts": many_accounts,
    "publication": publication,
    "console_overview": console_overview,
    "idle": idle,
    "fairness": fairness,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.run", description="Measure what Airtally reaches.")
    parser.add_argument("names", nargs="*", help=", ".join(BENCHMARKS))
    parser.add_argument("--small", action="store_true", help="seconds instead of minutes; nothing is kept")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes; nothing is kept below 1")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    unknown = set(asked.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    place = Place(asked.work.absolute(), asked.small, asked.scale)
    failed = [name for name in asked.names or BENCHMARKS if not _run(name, place, asked.results)]
    if place.whole and asked.results == RESULTS:
        report.write(asked.results)
    return 1 if failed else 0


def _run(name: str, place: Place, results: Path) -> bool:
    try:
        result = BENCHMARKS[name](place)
    except Exception:  # noqa: BLE001 (the other benchmarks go on; the exit code tells)
        print(f"{name}: failed", file=sys.stderr)
        traceback.print_exc()
        return False
    print(result.show(), flush=True)
    if place.whole or results != RESULTS:
        result.store(results)
    return True


if __name__ == "__main__":
    sys.exit(main())

"""`python -m fuzz`: what `make fuzz` runs, and single cases again.

python -m fuzz all --requests 100000 --bodies 30000 [--seed N]
python -m fuzz cases requests:2026-11-27:2:834 bodies:2026-11-27:2:17
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from uuid import uuid4

from airtally.kit import logs
from fixtures.postgres import NOT_INSTALLED, PostgresServer
from fixtures.tls import certificate_in
from fuzz import bodies, home, requests
from fuzz.case import Case
from fuzz.decoding import child
from fuzz.decoding.body import Body
from fuzz.findings import Finding, kept
from fuzz.grammar import draw_case
from fuzz.program import Server, serving

#: Of a whole run; those of `make test` share the machine with other tests.
CONNECTIONS = 16
_SHOWN = 60


@contextmanager
def fuzzed_server(folder: Path, *, database: str = "", tls: bool = False) -> Iterator[Server]:
    """A server on a new home in the folder."""
    place = folder / uuid4().hex
    place.mkdir()
    home.make(place / "home", database, today())
    with serving(place / "home", database, certificate_in(place) if tls else None) as server:
        yield server


def ask(
    server: Server, cases: Iterable[tuple[str, Case]], connections: int, *, lenient: bool = False
) -> requests.Outcome:
    run = requests.Run(server, iter(cases), today(), connections, requests.paths_of(server.home), lenient)
    return run.go()


def today() -> date:
    return datetime.now(UTC).date()


def kept_requests() -> list[tuple[str, Case]]:
    return [(name, case) for name in kept() if isinstance(case := named(name), Case)]


def kept_bodies() -> list[tuple[str, Body]]:
    return [(name, body) for name in kept() if isinstance(body := named(name), Body)]


def named(name: str) -> Case | Body:
    """The case that a finding or a line of seeds.txt names."""
    if name.startswith("requests="):
        return Case.read(name.removeprefix("requests="))
    if name.startswith("bodies="):
        return Body.read(name.removeprefix("bodies="))
    kind, day, seed, number = name.split(":")
    drawn = {"requests": draw_case, "bodies": child.draw_body}[kind]
    return drawn(int(seed), int(number), date.fromisoformat(day))


def check_bodies(cases: Sequence[tuple[str, Body]]) -> list[Finding]:
    """In this process: for single ones."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [(name, body, child.judged(body, Path(folder))[1]) for name, body in cases]
    return [Finding(name, wrong, body.shown()) for name, body, wrong in outcomes if wrong]


def all_(count: int, of_bodies: int, seed: int) -> list[Finding]:
    """Bodies first, then a quarter of the requests at each kind of server."""
    print(f"seed {seed} (again: make fuzz FUZZ_SEED={seed}), day {today()}", flush=True)
    found = check_bodies(kept_bodies())
    decoded = bodies.run(today(), seed, of_bodies, os.cpu_count() or 2)
    print(
        f"{of_bodies:,} bodies in {decoded.seconds:.0f} s, {decoded.memory >> 20} MiB: {dict(decoded.came)}", flush=True
    )
    found += decoded.findings
    with tempfile.TemporaryDirectory(prefix="airtally-fuzz-") as folder, ExitStack() as closing:
        postgres = PostgresServer.start()
        assert postgres, NOT_INSTALLED
        closing.callback(postgres.stop)
        for place, (database, tls) in enumerate(
            (kind, tls) for kind in ("SQLite", "PostgreSQL") for tls in (False, True)
        ):
            url = postgres.new_database() if database == "PostgreSQL" else ""
            numbers = range(place * count // 4, (place + 1) * count // 4)
            with fuzzed_server(Path(folder), database=url, tls=tls) as server:
                outcome = ask(server, chain(kept_requests(), requests.drawn(seed, numbers, today())), CONNECTIONS)
            print(f"{database}{', TLS' if tls else ''}: {outcome.told()}", flush=True)
            found += outcome.findings
    return found


def single(names: Sequence[str]) -> list[Finding]:
    """Cases again, each alone, the requests at a server on SQLite."""
    cases = [(name, named(name)) for name in names]
    found = check_bodies([(name, case) for name, case in cases if isinstance(case, Body)])
    sent = [(name, case) for name, case in cases if isinstance(case, Case)]
    for name, case in cases:
        print(f"{name}: {case.shown()}")
    if sent:
        with tempfile.TemporaryDirectory() as folder, fuzzed_server(Path(folder)) as server:
            outcome = ask(server, sent, 1)
        print(outcome.told())
        found += outcome.findings
    return found


def main() -> None:
    arguments = _arguments()
    if arguments.what == "child":
        progress, day, seed, *numbers = arguments.words
        child.run(Path(progress), date.fromisoformat(day), int(seed), range(*map(int, numbers)))
        return
    logs.configure("error")
    if arguments.what == "cases":
        found = single(arguments.words)
    else:
        seed = arguments.seed or random.SystemRandom().randrange(1, 10**9)
        found = all_(arguments.requests, arguments.bodies, seed)
    for each in found[:_SHOWN]:
        print(f"\n{each.told()}")
    print(f"\n{len(found)} findings" + (f", the first {_SHOWN} of them shown" if len(found) > _SHOWN else ""))
    sys.exit(1 if found else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("what", choices=["all", "cases", "child"])
    parser.add_argument("words", nargs="*")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--bodies", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()

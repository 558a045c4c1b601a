"""`make prove`: faults on the running stack of this clone, while people write and listen."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx

from local.settings import ROOT
from local.state import State
from local.supervisor import Supervisor
from prove import away
from prove.compose_parts import ComposeParts
from prove.faults import Fault, all_faults
from prove.local_parts import LocalParts
from prove.own import NAMES as OWN
from prove.own import run_own
from prove.report import Row, Table
from prove.run import chosen, clean_up, run
from prove.traffic import Load, Traffic

RESULTS = ROOT / "prove" / "results"
START = (
    "nothing of this clone runs; `make up` starts it, or with APP=http://127.0.0.1:5000 around your own app"
)


class Refused(Exception):
    """It cannot begin; the message says what to do."""


def main() -> int:
    """Runs the faults. 0 when all held, 1 when something broke, 2 when it could not run."""
    parser = argparse.ArgumentParser(prog="python -m prove", description=__doc__)
    parser.add_argument("where", choices=("local", "docker"), help="what the stack runs as")
    parser.add_argument("--state", type=Path, default=ROOT / ".corkboard", help="the folder of a local stack")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        parts = _compose() if arguments.where == "docker" else _local(State(arguments.state.resolve()))
        return _prove(parts)
    except (Refused, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _prove(parts: LocalParts | ComposeParts) -> int:
    rounds = _number("ROUNDS", 1, 1000)
    state = parts.state if isinstance(parts, LocalParts) else None
    app = state.app if state else ""
    faults = {fault.name: fault for fault in all_faults()}
    names = chosen([*faults, away.NAME, *OWN], os.environ.get("ONLY", ""))
    _ask(parts.base_url, [name for name in names if name in faults], rounds)
    if state and app:
        os.environ["CORKBOARD_ENV_FILE"] = str(state.app_env)
    load, table = Load(sockets=_number("SOCKETS", 200, 800)), Table()
    print(
        f"{load.sockets} sockets, {load.streams} streams and {load.polls} polls listen; "
        f"{load.keyed + load.plain:g} writes and {load.reads:g} reads a second\n",
        flush=True,
    )
    table.head()
    try:
        if any(name in faults for name in names):
            traffic = Traffic(parts.base_url, load, own_app=bool(app))
            try:
                with traffic:
                    for name in names:
                        if name in faults and (reason := _missing(faults[name], app)):
                            table.add(Row(name, reason=reason))
                        elif name in faults:
                            run(faults[name], rounds, traffic, parts, table)
            finally:  # when nobody writes any more
                clean_up(parts, traffic.topic)
        if away.NAME in names:
            away.run(rounds, parts, table, own_app=bool(app))
        if own := [name for name in names if name in OWN]:
            run_own(own, rounds, table)
    finally:
        if table.rows:
            saved = table.save(RESULTS, parts.base_url).relative_to(ROOT)
            print(f"\n{table.verdict()}\nThe table as a file: {saved}", flush=True)
    return 0 if table.rows and all(row.holds for row in table.rows) else 1


def _missing(fault: Fault, app: str) -> str:
    if app and any(part.startswith("wsgi") for part in fault.parts):
        return f"{app} is your own app: whoever started it ends it"
    return ""


def _ask(url: str, faults: list[str], rounds: int) -> None:
    if not faults or os.environ.get("CONFIRM") == "yes":
        return
    counted = f"{_counted(len(faults), 'fault')}, {_counted(rounds, 'round')}"
    print(
        f"This kills, freezes, cuts off and restarts parts of what runs at {url}: {counted}. Whoever uses it "
        "notices.",
        flush=True,
    )
    if not sys.stdin.isatty():
        raise Refused("to do that without being asked: CONFIRM=yes make prove")
    if input("Go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise Refused("nothing was done")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")


def _number(name: str, default: int, most: int) -> int:
    given = os.environ.get(name) or str(default)
    if not (given.isdecimal() and 1 <= int(given) <= most):
        raise Refused(f"{name} is invalid: expected a whole number from 1 to {most}, not {given!r}")
    return int(given)


def _local(state: State) -> LocalParts:
    if not Supervisor(state).is_running():
        raise Refused(START)
    # A deploy must not move it, whatever is set by now.
    os.environ["HTTP_PORT"] = port = (state.run / "http_port").read_text()
    return LocalParts(state, _serving(f"http://127.0.0.1:{port}"))


def _compose() -> ComposeParts:
    compose: Callable[..., str] = partial(_docker_compose)
    if not compose("ps", "--quiet", "nginx"):
        raise Refused(START)
    if not compose("ps", "--quiet", "wsgi"):
        raise Refused(
            "in containers `make prove` writes through the demo, and here is an app of your own instead"
        )
    os.environ["HTTP_PORT"] = port = compose("port", "nginx", "8080").strip().rpartition(":")[2]
    return ComposeParts(compose, _serving(f"http://127.0.0.1:{port}"), ROOT)


def _docker_compose(*arguments: str, check: bool = True) -> str:
    answer = subprocess.run(
        ["docker", "compose", *arguments],
        cwd=ROOT,
        check=check,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return answer.stdout


def _serving(url: str) -> str:
    try:
        ready = httpx.get(f"{url}/ws/readyz", timeout=10, trust_env=False).status_code == 200
    except httpx.HTTPError:
        ready = False
    if not ready:
        raise Refused(f"{url} is not ready; `make status` and `make logs` say why")
    return url


if __name__ == "__main__":
    sys.exit(main())

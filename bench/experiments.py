"""What is measured: each experiment asks the same question of several servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

from bench import comeback, fanout, http, jitter, limit, machine, subjects
from bench.beside import Beside
from bench.results import Numbers
from bench.servers import Target
from bench.stack import Stack, stack

OURS = "Corkboard"
RUNS, FEW_RUNS = 5, 3  # few, where runs differ little or take long
SECONDS = 4.0
JITTER_SECONDS = 34.0

# Given seconds, measures once.
Measure = Callable[[float], Numbers]
Opener = Callable[[], AbstractContextManager[Target]]


@dataclass(frozen=True)
class Experiment:
    """One question: who is asked, and which of the numbers is the answer."""

    name: str
    key: str
    subjects: dict[str, Measure]
    runs: int = RUNS
    seconds: float = SECONDS


def _sidecar() -> AbstractContextManager[Target]:
    return _of_stack(Stack.sidecar)


def _behind_nginx() -> AbstractContextManager[Target]:
    return _of_stack(Stack.behind_nginx)


@contextmanager
def _of_stack(target: Callable[[Stack], Target]) -> Iterator[Target]:
    with stack() as running:
        yield target(running)


EVERYBODY: dict[str, Opener] = {
    OURS: _sidecar,
    "FastAPI loop": subjects.fastapi_loop,
    "Flask-SocketIO": subjects.flask_socketio,
    "Nchan": subjects.nchan,
}
PEERS = EVERYBODY.keys() - {OURS}
THROUGH_NGINX: dict[str, Opener] = {
    OURS: _behind_nginx,
    "FastAPI loop": subjects.fastapi_behind_nginx,
}


def _measure(opener: Opener, generator: Callable[..., Numbers], *arguments: float) -> Measure:
    """A server of its own, alone on its core, and a generator on the others; `SECONDS` is replaced."""

    def run(seconds: float) -> Numbers:
        with opener() as target:
            machine.pin(target.all_pids, machine.SERVER_CORES)
            given = [seconds if each is SECONDS else each for each in arguments]
            return machine.on_other_cores(generator, target, *given)

    return run


def _each(
    name: str,
    key: str,
    openers: dict[str, Opener],
    generator: Callable[..., Numbers],
    *arguments: float,
    runs: int = RUNS,
    seconds: float = SECONDS,
) -> Experiment:
    subjects = {who: _measure(opener, generator, *arguments) for who, opener in openers.items()}
    return Experiment(name, key, subjects, runs, seconds)


def _beside(seconds: float, rate: float) -> Numbers:
    with stack() as running:
        target = running.sidecar()
        machine.pin(target.all_pids, machine.SERVER_CORES)
        beside = Beside(running.asgi_port())
        return machine.on_other_cores(fanout.delay, target, 1000, rate, seconds, beside)


def _http(request: Callable[..., Numbers], subject: str) -> Measure:
    def run(seconds: float) -> Numbers:
        http.program()  # before anything is started for it
        with http.subject(subject) as (port, pids):
            http.fill(port)
            return request(port, pids, seconds)

    return run


def _limit(frames: int, clients: int = 1000) -> Measure:
    return lambda _seconds: limit.send_cost(frames, clients)


def all_experiments() -> list[Experiment]:
    """In the order of the report."""
    rate = "deliveries_per_cpu_second"
    found = []
    for flight in (4, 64):
        one = _each(f"fan-out, {flight} in flight", rate, EVERYBODY, fanout.throughput, 1000, flight, SECONDS)
        one.subjects["the kernel alone"] = _limit(flight)
        found.append(one)
    for flight in (4, 64):
        name = f"through nginx, {flight} in flight"
        found.append(_each(name, rate, THROUGH_NGINX, fanout.throughput, 1000, flight, SECONDS))
    for events in (20, 100):
        one = _each(
            f"delay, {events} events a second", "p99_ms", EVERYBODY, fanout.delay, 1000, events, SECONDS
        )
        one.subjects[f"{OURS}, streams and polls beside"] = partial(_beside, rate=events)
        found.append(one)
    found.append(_each("memory", "bytes_per_connection", EVERYBODY, fanout.idle_memory, 2000))
    found.append(_each("handshakes", "per_second", EVERYBODY, fanout.handshakes, 4000))
    found.append(_each("coming back", "seconds", {OURS: _sidecar}, comeback.come_back, 5000))
    found.append(
        _each(
            "jitter", "delivered_percent", EVERYBODY, jitter.jitter, 200, 10, SECONDS,
            runs=FEW_RUNS, seconds=JITTER_SECONDS,
        )
    )  # fmt: skip
    topics = {
        "the topic alone": _measure(_sidecar, comeback.many_topics, 1000, 0, 0, SECONDS),
        "among 2,000 others": _measure(_sidecar, comeback.many_topics, 1000, 2000, 10, SECONDS),
    }
    found.append(Experiment("hot topic", rate, topics, FEW_RUNS))
    sizes = {
        f"{size:,} subscribers": _measure(_sidecar, fanout.throughput, size, 4, SECONDS)
        for size in (100, 1000, 8000)
    }
    for size in (100, 1000, 8000):
        sizes[f"the kernel alone, {size:,}"] = _limit(4, size)
    found.append(Experiment("audience", rate, sizes))
    for word, request in (("POST", http.post), ("GET", http.get), ("304", http.not_modified)):
        subjects = {who: _http(request, who) for who in http.SUBJECTS}
        found.append(Experiment(f"HTTP {word}", "requests_per_second", subjects))
    return found


def baseline() -> Experiment:
    """The same small thing at the beginning and at the end: whether the machine stayed the same."""
    return Experiment(
        "machine", "nanoseconds_per_send", {when: _limit(1) for when in ("at the beginning", "at the end")}
    )

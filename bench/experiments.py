"""The experiments: each asks the same question of several servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from bench import (
    browser,
    fanout,
    http,
    http_floor,
    idle,
    kernel_floor,
    lossy_network,
    machine,
    page_opens,
    peer_servers,
    reconnect_storm,
    servers,
)
from bench.results import Numbers
from bench.servers import Target
from bench.stack import Stack, stack

OURS = "Corkboard"
KERNEL = "the kernel alone"
WITH_OTHERS = f"{OURS}, with streams and polls"
STREAMS, POLLS = 100, 200
BROWSERS = 1000
IN_MEMORY = "FastAPI in memory"
RUNS, FEW_RUNS = 5, 3  # few where runs differ little or take long
SECONDS, LOSSY_SECONDS, IDLE_SECONDS, BROWSER_SECONDS = 4.0, 34.0, 20.0, 10.0
ENDS = ("at the beginning", "at the end")
RATE = "deliveries_per_cpu_second"

# Measures once, for so many seconds where the experiment takes a time.
Measure = Callable[[float], Numbers]
Opener = Callable[[], AbstractContextManager[Target]]


@dataclass(frozen=True)
class Experiment:
    """One question. `key` names the number that answers it."""

    name: str
    key: str
    subjects: dict[str, Measure]
    runs: int = RUNS
    seconds: float = SECONDS


def _opener(target: Callable[[Stack], Target], **settings: str) -> Opener:
    @contextmanager
    def opened() -> Iterator[Target]:
        with stack(**settings) as running:
            yield target(running)

    return opened


SIDECAR = _opener(Stack.sidecar)
EVERYBODY: dict[str, Opener] = {
    OURS: SIDECAR,
    "FastAPI loop": peer_servers.fastapi_loop,
    "Flask-SocketIO": peer_servers.flask_socketio,
    "Nchan": peer_servers.nchan,
}
BY_TOPIC = {who: EVERYBODY[who] for who in (OURS, "FastAPI loop", "Nchan")}
PEERS = (EVERYBODY.keys() | {IN_MEMORY, *http.DURABLE}) - {OURS}
THROUGH_NGINX: dict[str, Opener] = {
    OURS: _opener(Stack.behind_nginx),
    "by TCP ports": _opener(Stack.behind_nginx, UPSTREAM_SOCKETS="tcp"),
    "FastAPI loop": peer_servers.fastapi_behind_nginx,
}


def _measure(opener: Opener, function: Callable[..., Numbers], *arguments: float | None) -> Measure:
    """Runs the server on a core of its own and `function` on the others. A None stands for the seconds."""

    def run(seconds: float) -> Numbers:
        with opener() as target:
            machine.pin(target.all_pids, machine.SERVER_CORES)
            given = [seconds if each is None else each for each in arguments]
            return machine.on_other_cores(function, target, *given)

    return run


def _each(
    openers: dict[str, Opener], function: Callable[..., Numbers], *arguments: float | None
) -> dict[str, Measure]:
    return {who: _measure(opener, function, *arguments) for who, opener in openers.items()}


def _kernel(frames: int, clients: int = 1000) -> Measure:
    return lambda _seconds: kernel_floor.measure(frames, clients)


def _our_opens(_seconds: float) -> Numbers:
    with stack() as running:
        http.fill(running.port)
        before = running.flask_requests()
        found = page_opens.measure(page_opens.OURS, running.port, BROWSERS)
        return {**found, "flask_requests": running.flask_requests() - before}


def _browser(events: float, scrolls: bool) -> Measure:
    def run(seconds: float) -> Numbers:
        with stack() as running:
            return browser.measure(f"http://127.0.0.1:{running.port}", events, scrolls, seconds)

    return run


def _fastapi_opens(_seconds: float) -> Numbers:
    with servers.uvicorn("bench.peers.memory_fastapi:app", {}, "--ws", "websockets-sansio") as (port, _):
        http.fill(port)
        return page_opens.measure(page_opens.FASTAPI, port, BROWSERS)


def _beside_the_floor(request: http_floor.Request, of_bare_flask: bool = False) -> Measure:
    return lambda seconds: http_floor.measure(request, seconds, of_bare_flask)


def _http(request: Callable[..., Numbers], subject: str) -> Measure:
    def run(seconds: float) -> Numbers:
        http.find_wrk()  # before anything is started for it
        with http.serving(subject) as (port, pids):
            http.fill(port)
            return request(port, pids, seconds)

    return run


def all_experiments() -> list[Experiment]:
    """All experiments, in the order of the report."""
    found = []
    for flight in (4, 64):
        subjects = _each(EVERYBODY, fanout.throughput, 1000, flight, None) | {KERNEL: _kernel(flight)}
        found.append(Experiment(f"fan-out, {flight} in flight", RATE, subjects))
    for flight in (4, 64):
        subjects = _each(THROUGH_NGINX, fanout.throughput, 1000, flight, None)
        found.append(Experiment(f"through nginx, {flight} in flight", RATE, subjects))
    for events in (20, 100):
        subjects = _each(EVERYBODY, fanout.delay, 1000, events, None)
        subjects[WITH_OTHERS] = _measure(SIDECAR, fanout.delay, 1000, events, None, STREAMS, POLLS)
        found.append(Experiment(f"delay, {events} events per second", "p99_ms", subjects))
    sizes = (100, 1000, 8000)
    audience = {
        f"{size:,} subscribers": _measure(SIDECAR, fanout.throughput, size, 4, None) for size in sizes
    }
    topics = {
        "the topic alone": _measure(SIDECAR, reconnect_storm.many_topics, 1000, 0, 0, None),
        "among 2,000 others": _measure(SIDECAR, reconnect_storm.many_topics, 1000, 2000, 10, None),
    }
    lossy = _each(EVERYBODY, lossy_network.share_delivered, 200, 10, None)
    found += [
        Experiment("memory", "bytes_per_connection", _each(EVERYBODY, fanout.idle_memory, 2000)),
        Experiment("idle", "topics_cpu", _each(BY_TOPIC, idle.cost, 2000, None), FEW_RUNS, IDLE_SECONDS),
        Experiment("handshakes", "per_second", _each(EVERYBODY, fanout.handshakes, 4000)),
        Experiment("reconnect storm", "seconds", {OURS: _measure(SIDECAR, reconnect_storm.reconnect, 5000)}),
        Experiment("lossy network", "delivered_percent", lossy, FEW_RUNS, LOSSY_SECONDS),
        Experiment("hot topic", RATE, topics, FEW_RUNS),
        Experiment("audience", RATE, audience | {f"{KERNEL}, {size:,}": _kernel(4, size) for size in sizes}),
    ]
    for word, request in (("POST", http.post), ("GET", http.get), ("304", http.not_modified)):
        requests = {who: _http(request, who) for who in http.SUBJECTS}
        found.append(Experiment(f"HTTP {word}", "requests_per_second", requests))
    durable = {who: _http(http.post, who) for who in (OURS, *http.DURABLE)}
    shared = {OURS: _http(http.shared_list, OURS), IN_MEMORY: _http(http.get, IN_MEMORY)}
    answers = {
        "the demo's own empty answer": http_floor.empty,
        "304": http.not_modified,
        "list of 50": http.get,
        "POST": http.post,
    }
    floor = {
        "bare Flask that reads one position": _beside_the_floor(http_floor.position, of_bare_flask=True),
        "bare Flask that publishes one event": _beside_the_floor(http.post, of_bare_flask=True),
        **{what: _beside_the_floor(request) for what, request in answers.items()},
    }
    found += [
        Experiment("HTTP POST that is on the disk", "requests_per_second", durable),
        Experiment("HTTP beside the floor", "times_the_floor", floor),
        Experiment("HTTP GET of the shared list", "requests_per_second", shared),
        Experiment("a thousand open a board", "seconds", {OURS: _our_opens, IN_MEMORY: _fastapi_opens}),
    ]
    wall = {
        f"{events} events per second{', scrolling' if scrolls else ''}": _browser(events, scrolls)
        for events in (0.1, browser.RATE)
        for scrolls in (False, True)
    }
    found.append(Experiment("2,000 notes in a browser", "frames_per_second", wall, FEW_RUNS, BROWSER_SECONDS))
    return found


def baseline(*ends: str) -> Experiment:
    """The same small measurement at both `ENDS`: did the machine change meanwhile?"""
    return Experiment("machine", "nanoseconds_per_send", {when: _kernel(1) for when in ends})

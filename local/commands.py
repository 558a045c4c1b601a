"""What `python -m local` can do."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

from asgi_app.client import joining
from local import foreign, health, logs, processes, redis_cli, render, services, successor, watching
from local.binaries import nginx as nginx_binary
from local.errors import LocalError
from local.services import STATIC, Service
from local.settings import ROOT, Settings
from local.state import State, is_free
from local.supervisor import Supervisor
from wsgi_app.notes.version import version_of

# Of the demo's static files, as in nginx/14-static.envsh.
KEPT_VERSIONS = 10


def deploy(settings: Settings, state: State, only: Collection[str]) -> None:
    """Brings some services of a running stack, or without any all of them, up to date.

    Raises:
        LocalError: nothing runs, or the new version is unfit; then the old one serves on.
    """
    names = {each.name.split("-")[0] for each in Supervisor(state).processes()}
    if not names:
        raise LocalError("Corkboard is not running; `make up` starts it")
    for service in only:
        if service not in names:
            raise LocalError(f"there is no service {service}; there are: {', '.join(sorted(names))}", code=2)
    https_port = settings.https_port if settings.tls_cert_file else ""
    for name, file, now in (
        ("HTTP_PORT", "http_port", settings.http_port),
        ("HTTPS_PORT, by TLS_CERT_FILE,", "https_port", https_port),
    ):
        before = (state.run / file).read_text()
        if before != str(now):
            raise LocalError(
                f"{name} was {before or 'unset'} when this was started, and is {now or 'unset'} now: "
                "set it as before, best in .env, or apply the change with `make up`",
                code=2,
            )
    up(settings, state, only=only)


def up(settings: Settings, state: State, dev: bool = False, only: Collection[str] = ()) -> None:
    """Starts the stack, or brings a running one up to date, or `only` some services; returns when it serves.

    Raises:
        LocalError: it does not start. What this call started is stopped again.
    """
    supervisor = Supervisor(state)
    was_running = supervisor.is_running()
    if not was_running:
        supervisor.stop()  # what a killed supervisord may have left behind
        shutil.rmtree(state.temporary, ignore_errors=True)
    elif not settings.app:
        settings = settings.model_copy(update={"app": state.app})
    state.make()
    ports = state.ports(services.port_names(settings), running=was_running)
    for name in ("wsgi", *services.sidecars(settings)):
        (state.sockets / name).mkdir(mode=0o700, exist_ok=True)
    _check_port("HTTP_PORT", settings.http_port, settings, state)
    if settings.tls_cert_file:
        _check_port("HTTPS_PORT", settings.https_port, settings, state)
    if settings.app:
        foreign.check(settings)
    wanted = services.build(settings, state, ports, dev)
    _make_secrets(settings, state, ports["redis"])
    if was_running:
        # Before an app that needs them starts.
        redis_cli.reload_users(state, ports["redis"])
    # The pages of a new demo name static files that nginx must have.
    joined = ""
    if not settings.app and (not only or {"nginx", "wsgi"}.intersection(only)):
        joined = _join(state)
    conf_changed = (not only or "nginx" in only) and _render(settings, state, ports)
    log_starts = {service.name: _size(state, service.name) for service in wanted}
    (state.run / "http_port").write_text(str(settings.http_port))
    (state.run / "https_port").write_text(str(settings.https_port if settings.tls_cert_file else ""))
    (state.run / "app").write_text(settings.app)
    watching.write_targets(state, ports)

    if was_running:
        _update(wanted, state, supervisor, log_starts, conf_changed, only)
        _take(state, joined)
    else:
        _take(state, joined)
        if settings.app:
            print(f"Local processes, because a container could not reach {settings.app}", flush=True)
        print(
            f"Starting {', '.join(each.name for each in wanted)}; data and logs are in {state.root}",
            flush=True,
        )
        supervisor.start(wanted)
        try:
            health.wait(wanted, supervisor, state, log_starts, lives=1)
        except BaseException:
            supervisor.stop()
            raise
    url = f"http://localhost:{settings.http_port}"
    if settings.tls_cert_file:
        url = f"https://{(settings.site_name or 'localhost').split(',')[0].strip()}:{settings.https_port}"
    (state.run / "url").write_text(url)
    in_front = f", in front of {settings.app}" if settings.app else ""
    print(
        f"\n{url} is ready{in_front}.   make logs: what it does   make down: stop it, keep the data",
        flush=True,
    )
    if settings.app:
        print(foreign.next_steps(settings, state), flush=True)


def check(settings: Settings) -> None:
    """Renders nginx's configuration into a folder of its own and lets nginx check it; starts nothing."""
    with tempfile.TemporaryDirectory() as folder:
        state = State(Path(folder))
        state.run.mkdir()
        values = services.nginx_values(settings, state, dict.fromkeys(services.port_names(settings), 1))
        render.render(state.run / "nginx", values)
        render.check(nginx_binary(), state.run / "nginx")
    print("The settings and nginx's configuration are fine.")


def down(state: State) -> None:
    """Stops everything and keeps the data; harmless when nothing runs."""
    if not state.root.exists():
        print("Nothing is running.")
        return
    print("Stopping ...", flush=True)
    ran = Supervisor(state).stop()
    print(f"Stopped; the data stays in {state.redis}." if ran else "Nothing was running.")


def status(state: State) -> None:
    """Prints one line per service.

    Raises:
        LocalError: not everything runs and is ready.
    """
    found = Supervisor(state).processes()
    if not found:
        raise LocalError("Corkboard is not running; `make up` starts it")
    edge = (state.run / "http_port").read_text()
    ports = state.ports([process.name for process in found if process.name != "nginx"], running=True)
    words = []
    for process in found:
        probe = services.probe(process.name, ports.get(process.name, int(edge)))
        # One that ends again and again runs whenever somebody looks, and never answers.
        is_unready = process.state == "RUNNING" and not health.answers(probe)
        words.append("unready" if is_unready else process.state.lower())
        print(f"{process.name:<8} {words[-1]:<9} pid {process.pid:<8} {process.seconds} s")
    if state.app:
        print(f"{'app':<8} {'answers' if foreign.answers(state.app) else 'is away':<9} {state.app}")
    print((state.run / "url").read_text())
    if not {"starting", "running"}.issuperset(words):
        raise LocalError("not every service runs and is ready; `make logs` shows why")


def show_logs(state: State, names: list[str], follow: bool) -> None:
    """Prints the logs of the named services, or of all."""
    known = sorted(path.stem for path in state.logs.glob("*.log"))
    unknown = [name for name in names if name not in known]
    if unknown or not known:
        raise LocalError(
            f"no log of {unknown[0]}; there are: {', '.join(known)}" if unknown else "no logs yet"
        )
    shown = names or [name for name in known if name != "supervisor"]
    # Of a stack that does not run, nothing more will come.
    follow = follow and Supervisor(state).is_running()
    with suppress(KeyboardInterrupt):
        logs.show([state.log(name) for name in shown], follow)


def dev(settings: Settings, state: State) -> None:
    """Both apps start again when their code changes; shows the logs until interrupted, then stops."""
    if find_spec("watchfiles") is None:
        raise LocalError("watchfiles is missing; `make dev` installs it")
    up(settings, state, dev=True)
    Thread(target=_join_again, args=[state], daemon=True).start()
    print("Reloading on changes; Ctrl-C stops everything.", flush=True)
    try:
        show_logs(state, [], follow=True)
    finally:
        down(state)


def run_redis_cli(state: State, arguments: list[str]) -> None:
    """Talks to the running Redis as the operator."""
    if not Supervisor(state).is_running():
        raise LocalError("Corkboard is not running; `make up` starts it")
    redis_cli.run(state, state.ports(["redis"], running=True)["redis"], arguments)


def _check_port(name: str, port: int, settings: Settings, state: State) -> None:
    had = state.run / name.lower()
    if processes.members(state.run / "nginx.pid") and had.exists() and had.read_text() == str(port):
        return
    try:
        free = is_free("0.0.0.0", port)
    except PermissionError:
        raise LocalError(f"{name}={port} needs root; choose one above 1023", code=2) from None
    if not free:
        raise LocalError(
            f"{name}={port} is taken by another program; choose another, as in: "
            f"{name}={port % 65535 + 1} make up" + (f" APP={settings.app}" if settings.app else ""),
            code=2,
        )


def _make_secrets(settings: Settings, state: State, redis_port: int) -> None:
    script = str(ROOT / "redis" / "secrets.sh")
    command = ["sh", script, str(state.secrets), f"127.0.0.1:{redis_port}", str(state.app_env)]
    answer = subprocess.run(command, env=settings.environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise LocalError(f"redis/secrets.sh failed: {answer.stderr.strip()}")


def _render(settings: Settings, state: State, ports: dict[str, int]) -> bool:
    """Replaces nginx's configuration once nginx accepts the new one; returns whether it differs."""
    values = services.nginx_values(settings, state, ports)
    new, current = state.run / "nginx.new", state.run / "nginx"
    shutil.rmtree(new, ignore_errors=True)
    render.render(new, values)
    current.mkdir(mode=0o700, exist_ok=True)
    render.check(nginx_binary(), new)
    differs = False
    for file in sorted(new.glob("*.conf")):
        target = current / file.name
        differs = differs or not target.exists() or target.read_bytes() != file.read_bytes()
        file.replace(target)
    shutil.rmtree(new)
    return differs


def _join(state: State) -> str:
    """Writes what nginx serves of the demo's scripts and styles; returns their version."""
    version = version_of(STATIC)
    joining.write(STATIC, state.static / version, "main.js")
    return version


def _take(state: State, version: str) -> None:
    """Has nginx serve this version where an address names none. With "" nothing changes."""
    if not version:
        return
    new = state.static / "current.new"
    new.unlink(missing_ok=True)
    new.symlink_to(version)
    new.replace(state.static / "current")
    # Pages that are open ask for the files of their own version.
    kept = [folder for folder in state.static.iterdir() if folder.is_dir() and not folder.is_symlink()]
    for folder in sorted(kept, key=lambda one: one.stat().st_mtime)[:-KEPT_VERSIONS]:
        shutil.rmtree(folder)


def _join_again(state: State) -> None:
    """The same after each change, for ever."""
    from watchfiles import watch

    for _ in watch(STATIC):
        with suppress(ValueError):
            _take(state, _join(state))


def _size(state: State, name: str) -> int:
    log = state.log(name)
    return log.stat().st_size if log.exists() else 0


def _update(
    wanted: list[Service],
    state: State,
    supervisor: Supervisor,
    log_starts: dict[str, int],
    conf_changed: bool,
    only: Collection[str],
) -> None:
    stale = supervisor.stale(wanted)
    chosen = [service for service in wanted if not only or service.name.split("-")[0] in only]
    if os.environ.get("FORCE"):
        stale |= {service.name for service in chosen} - {"nginx"}
        conf_changed = conf_changed or "nginx" in only
    changing = [service for service in chosen if service.name in stale]
    running = {process.name for process in supervisor.processes() if process.state == "RUNNING"}
    kinds = {service.name.split("-")[0]: service for service in changing if service.name in running}
    for service in kinds.values():
        successor.rehearse(service, state)
    touched = supervisor.update(wanted, stale - {service.name for service in changing})
    sidecars = [service.name for service in wanted if service.name.startswith("asgi")]
    for service in changing:
        if service.name in touched:
            continue
        # One after the other: other sidecars, or a stand-in, serve meanwhile.
        print(f"  {service.name:<8} restarting", flush=True)
        if service.name == "wsgi" or [service.name] == sidecars:
            with successor.stand_in(service, state):
                own = replace(service, probes=[service.own_probe or service.probes[0]])
                _restart(own, state, supervisor, log_starts)
        else:
            _restart(service, state, supervisor, log_starts)
        touched.append(service.name)
    if conf_changed and "nginx" not in touched:
        successor.reload_nginx(state, supervisor)
        touched.append("nginx")
    changes = (
        f"this run applied changes to {', '.join(sorted(touched))}" if touched else "nothing has changed"
    )
    print(f"Corkboard was running; {changes}.", flush=True)
    health.wait(wanted, supervisor, state, log_starts, lives=2)


def _restart(service: Service, state: State, supervisor: Supervisor, log_starts: dict[str, int]) -> None:
    supervisor.restart(service.name)
    health.wait([service], supervisor, state, log_starts, lives=2)

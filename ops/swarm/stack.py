"""The stack that says to a Docker Swarm what docker-compose.yml says to Compose. No I/O.

docker-compose.swarm.yml adds what only a Swarm needs. What Swarm says in other words is translated here, and
what it does not know is left out, with the reason.
"""

from __future__ import annotations

import json

from ops.composed import Options

# What Swarm takes as it is.
KEPT = {
    *("image", "command", "entrypoint", "user", "working_dir", "hostname", "labels", "extra_hosts"),
    *("environment", "networks", "secrets", "configs", "deploy", "healthcheck", "init", "read_only"),
    *("logging", "cap_add", "cap_drop", "ulimits", "sysctls", "stop_signal", "stop_grace_period"),
}
# What another key says with it.
SEEN = {"cpu_period"}
# What it does not know.
LEFT_OUT = {
    "build": "a Swarm only pulls: `make stack` builds the image and pushes it",
    "depends_on": "a Swarm starts everything at once; the apps wait for Redis by themselves",
    "security_opt": 'a Swarm has none; `"no-new-privileges": true` in each node\'s daemon.json says the same',
}

TMPFS = "a Swarm's is root's, with the mode that the folder has in the image"

# In a container, in memory: that it was ready.
MARK = "/tmp/was-ready"  # noqa: S108


class Refused(Exception):
    """The stack cannot be derived; the message says why."""


def derive(config: Options) -> tuple[Options, list[str]]:
    """The stack, and what it leaves out, a line each.

    Args:
        config: as ops/composed.py reads it.

    Raises:
        Refused: something in it would not work on several machines.
    """
    out: list[str] = []
    services = {}
    for name, service in config["services"].items():
        if "restart" in service or "image" in service:
            services[name] = _service(name, service, out)
        else:
            out.append(f"service {name}: it runs once and ends, and a Swarm would start it again")
    used = {
        "volumes": {
            mount["source"]
            for service in services.values()
            for mount in service["volumes"]
            if mount["type"] == "volume"
        }
    }
    for kind in ("networks", "secrets", "configs"):
        lists = (service.get(kind, ()) for service in services.values())
        used[kind] = {each if isinstance(each, str) else each["source"] for some in lists for each in some}
    stack: Options = {"services": services}
    for kind, names in used.items():
        for name, what in config.get(kind, {}).items():
            if name in names:
                stack.setdefault(kind, {})[name] = _named(what, f"{config['name']}_{name}")
            else:
                out.append(f"{kind[:-1]} {name}: no service of the stack uses it")
    return stack, out


def _named(what: Options, usual: str) -> Options:
    """Without the name that Compose gives, because a Swarm gives the same."""
    return {key: value for key, value in what.items() if (key, value) != ("name", usual)}


def _service(name: str, service: Options, out: list[str]) -> Options:
    found: Options = {key: value for key, value in service.items() if key in KEPT and value is not None}
    # What nobody has set is unset in Compose, and empty for a Swarm.
    environment = {key: value for key, value in service.get("environment", {}).items() if value is not None}
    deploy, volumes = json.loads(json.dumps(service.get("deploy", {}))), []
    limits = deploy.setdefault("resources", {}).setdefault("limits", {})
    for key, value in service.items():
        if key in KEPT or key in SEEN or value is None:
            continue
        if key in LEFT_OUT:
            out.append(f"{name}.{key}: {LEFT_OUT[key]}")
        elif key == "volumes":
            volumes += [mount for mount in value if not _is_elsewhere(name, mount, service, out)]
        elif key == "tmpfs":
            volumes += [_tmpfs(name, text, out) for text in value]
        elif key == "ports":
            # At each node itself: the routing mesh would hide who asks.
            found["ports"] = [{**port, "mode": "host", "published": int(port["published"])} for port in value]
        elif key == "mem_limit":
            limits["memory"] = str(value)
        elif key == "pids_limit":
            limits["pids"] = value
        elif key == "cpu_quota":
            limits["cpus"] = f"{int(value) / int(service['cpu_period']):.2f}"
        elif key == "restart":
            deploy.setdefault("restart_policy", {"condition": "any"})
        elif key == "dns_opt":
            # The C library reads the same words from here.
            environment["RES_OPTIONS"] = " ".join(value)
        else:
            raise Refused(f"{name}.{key}: ops/swarm/stack.py does not know what a Swarm makes of it")
    if not service.get("image"):
        raise Refused(f"{name}: a Swarm pulls its images, so it needs `image:`")
    if "healthcheck" in service:
        found["healthcheck"] = {**service["healthcheck"], "test": _alive(service["healthcheck"]["test"])}
    return {**found, "environment": environment, "volumes": volumes, "deploy": deploy}


def _is_elsewhere(name: str, mount: Options, service: Options, out: list[str]) -> bool:
    where = f"{name}.volumes {mount.get('source', '')}:{mount['target']}"
    deploy = service.get("deploy", {})
    is_pinned = deploy.get("mode") != "global" and deploy.get("placement", {}).get("constraints")
    if mount["type"] == "bind":
        raise Refused(f"{where}: the other machines do not have it; make it a secret or a config")
    if mount["type"] != "volume":
        return False
    if service.get("secrets") and mount["target"] == "/run/secrets":
        out.append(f"{where}: Swarm's secrets stand there")
    elif not is_pinned:
        out.append(f"{where}: a volume stays on its machine, and this service does not")
    else:
        return False
    return True


def _tmpfs(name: str, text: str, out: list[str]) -> Options:
    target, _, words = text.partition(":")
    options = dict(word.split("=") for word in words.split(",") if word)
    mount: Options = {"type": "tmpfs", "target": target}
    if size := options.pop("size", None):
        mount["tmpfs"] = {"size": int(size.rstrip("kmg")) << {"k": 10, "m": 20, "g": 30}.get(size[-1], 0)}
    if options:
        out.append(f"{name}.tmpfs {target}: {', '.join(options)}; {TMPFS}")
    return mount


def _alive(test: list[str]) -> list[str]:
    """The test of a service that is ready, once it was: that it is alive. Others are as they were.

    A Swarm sends to what is healthy, and ends what no longer is. No app must be ended because Redis is away.
    """
    if not test[-1].endswith("/readyz"):
        return test
    *words, script, port, path = test
    once = f"[ ! -e {MARK} ] || set -- {path.replace('readyz', 'healthz')}\n{script} && : > {MARK}"
    return [*words, once, port, path]

"""The stack for a Docker Swarm says what docker-compose.yml says; what it does not say, it names."""

from __future__ import annotations

import json
import subprocess

import pytest

from ops.composed import Options, read
from ops.swarm.stack import SEEN, Refused, derive

# What is said in other words, and how one finds it.
WORDS = {
    "mem_limit": lambda found, value: found["deploy"]["resources"]["limits"]["memory"] == value,
    "pids_limit": lambda found, value: found["deploy"]["resources"]["limits"]["pids"] == value,
    "cpu_quota": lambda found, value: float(found["deploy"]["resources"]["limits"]["cpus"]) * 1e5 == value,
    "restart": lambda found, _: found["deploy"]["restart_policy"]["condition"] == "any",
    "dns_opt": lambda found, value: found["environment"]["RES_OPTIONS"].split() == value,
    "ports": lambda found, value: [port["target"] for port in found["ports"]] == [8080] and value,
}


@pytest.fixture(scope="module")
def config() -> Options:
    return read("docker-compose.swarm.yml", settings={"REGISTRY": "registry.example.com/corkboard"})


def test_every_service_volume_and_setting_is_in_the_stack_or_named_in_what_it_leaves_out(
    config: Options,
) -> None:
    stack, out = derive(config)
    left = {line.partition(": ")[0] for line in out}
    assert all(line.partition(": ")[2] for line in out)
    for name, service in config["services"].items():
        if f"service {name}" in left:
            continue
        found = stack["services"][name]
        for key, value in service.items():
            if value is None or key in SEEN or f"{name}.{key}" in left:
                continue
            if key == "volumes":
                wanted = {f"{mount['source']}:{mount['target']}" for mount in value}
                kept = {f"{mount.get('source')}:{mount['target']}" for mount in found["volumes"]}
                assert all(each in kept or f"{name}.volumes {each}" in left for each in wanted)
            elif key == "tmpfs":
                targets = {mount["target"] for mount in found["volumes"] if mount["type"] == "tmpfs"}
                assert {text.partition(":")[0] for text in value} <= targets
            elif key == "environment":
                assert {k: v for k, v in value.items() if v is not None}.items() <= found[key].items()
            elif key == "healthcheck":
                assert {**found[key], "test": value["test"]} == value
            elif key == "deploy":
                assert {k: v for k, v in value.items() if k != "resources"}.items() <= found[key].items()
            elif key in WORDS:
                assert WORDS[key](found, value), f"{name}.{key}"
            else:
                assert found[key] == value, f"{name}.{key}"
    for kind in ("volumes", "networks", "secrets"):
        for name in config[kind]:
            assert name in stack[kind] or f"{kind[:-1]} {name}" in left


def test_readiness_counts_once_and_only_redis_keeps_a_volume_on_the_one_node_that_it_is_pinned_to(
    config: Options,
) -> None:
    stack, _ = derive(config)
    for name, alive in (("wsgi", "/healthz"), ("asgi", "/ws/healthz")):
        script = stack["services"][name]["healthcheck"]["test"][3]
        assert f"set -- {alive}\n" in script
    assert set(stack["volumes"]) == {"redis-data"}
    assert stack["services"]["redis"]["deploy"]["placement"]["constraints"]
    assert {port["mode"] for port in stack["services"]["nginx"]["ports"]} == {"host"}


def test_what_a_swarm_cannot_do_is_refused_and_not_forgotten(config: Options) -> None:
    mount = {"type": "bind", "source": "/etc/here", "target": "/there"}
    for change, named in (
        ({"volumes": [mount]}, "/etc/here:/there"),
        ({"privileged": True}, "wsgi.privileged"),
        ({"image": None}, "image"),
    ):
        changed = json.loads(json.dumps(config))
        changed["services"]["wsgi"] |= change
        with pytest.raises(Refused, match=named):
            derive(changed)


def test_docker_accepts_the_stack(config: Options) -> None:
    stack, _ = derive(config)
    command = ["docker", "stack", "config", "-c", "-"]
    said = subprocess.run(command, input=json.dumps(stack), check=True, capture_output=True, text=True).stdout
    # What Docker does not know is dropped without a word.
    for service in stack["services"].values():
        assert service["image"] in said
    for word in ("failure_action: rollback", "order: start-first", "mode: host", "start_interval", "dnsrr"):
        assert word in said

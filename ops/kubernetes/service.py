"""One service of the Compose file, and what of it Kubernetes does not get."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ops import composed

Manifest = dict[str, Any]

LEFT_OUT = {
    "build": "an overlay names the registry that has the images",
    "logging": "the node bounds the logs",
    "pids_limit": "the node bounds processes: podPidsLimit of the kubelet",
    "restart": "what a Deployment or StatefulSet starts is always restarted",
    "sysctls": "a pod may not set them by itself; the node, or a kubelet that allows them",
    "ulimits": "the node bounds open files; they must be at least as many",
    "service secrets": "redis/secrets.sh is run by hand; the overlay makes Secrets of its files",
    "volume nginx-deployed": "a new configuration is a new image",
    "volume asgi-sockets": "pods are on different machines, so nginx asks over TCP",
    "volume wsgi-sockets": "the same",
}
USED = {
    *("cap_drop", "command", "cpu_period", "cpu_quota", "depends_on", "deploy", "dns_opt", "entrypoint"),
    *("environment", "healthcheck", "init", "mem_limit", "networks", "ports", "read_only", "security_opt"),
    *("stop_grace_period", "tmpfs", "volumes"),
}

# How long nginx may still know a pod that has left, and not know a new one: CoreDNS says that a name is valid
# for 30 s at most, and the news takes a little to get there.
FOLLOW_SECONDS = 35
# The same for what stands in front of nginx, which is told.
TELL_SECONDS = 5


@dataclass
class Service:
    """One service.

    Args:
        name: its name in the Compose file.
        everything: all of that file.

    Raises:
        SystemExit: it has an option that is neither used nor left out on purpose.
    """

    name: str
    everything: composed.Options = field(repr=False)

    def __post_init__(self) -> None:
        self.options: composed.Options = self.everything["services"][self.name]
        unknown = sorted(self.options.keys() - USED - LEFT_OUT.keys())
        unknown += [name for name in ("entrypoint", "command") if self.options[name]]
        if unknown:
            raise SystemExit(
                f"ops/kubernetes/service.py does not know what to do with {unknown} of {self.name}"
            )
        volumes = [
            each for each in self.options.get("volumes", []) if f"volume {each['source']}" not in LEFT_OUT
        ]
        self.secrets = [each for each in volumes if each["source"].endswith("-secrets")]
        self.data = [each for each in volumes if each not in self.secrets]
        self.port = int(composed.instruction(self.options, "EXPOSE"))
        aliases = [
            name for each in self.options["networks"].values() for name in (each or {}).get("aliases", [])
        ]
        self.host: str = (aliases or [self.name])[0]
        self.is_door = "ports" in self.options
        # One Redis has the data, and the door is for everybody: they have an address that stays. Of the
        # others nginx knows every pod.
        self.is_followed = not self.data and not self.is_door
        self.patience = 0 if self.data else TELL_SECONDS if self.is_door else FOLLOW_SECONDS
        self.labels = labels(self.name)

    def manifest(self, kind: str, version: str, spec: Manifest, name: str = "") -> Manifest:
        """An object of Kubernetes with this service's name and labels."""
        metadata = {"name": name or self.name, "labels": self.labels}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def labels(name: str) -> dict[str, str]:
    """What the pods of a service are found by."""
    return {"app.kubernetes.io/part-of": "corkboard", "app.kubernetes.io/component": name}

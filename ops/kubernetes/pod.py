"""The pod of a service: its container, environment, probes and volumes."""

from __future__ import annotations

import re

from ops.composed import instruction, mebibytes, seconds
from ops.kubernetes.service import Manifest, Service

SOCKETS = {"APP_SOCKETS", "ASGI_SOCKETS", "SOCKET_FOLDER", "SOCKET_SLOTS"}
CPU_REQUEST = "100m"  # Compose reserves none


def pod(service: Service) -> Manifest:
    """The specification of a pod."""
    options = service.options
    security: Manifest = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if service.data:
        security |= {"fsGroup": int(instruction(options, "USER")), "fsGroupChangePolicy": "OnRootMismatch"}
    volumes = [_in_memory(each) for each in options.get("tmpfs", [])]
    volumes += [
        {"name": each["source"], "secret": {"secretName": each["source"]}} for each in service.secrets
    ]
    lookups = [each.partition(":") for each in options["dns_opt"]]
    return {
        # Kubernetes would tell each pod of all services, in variables such as NGINX_PORT, which is a setting.
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        # Somebody must wait for processes whose parent has ended.
        "shareProcessNamespace": options["init"],
        "terminationGracePeriodSeconds": service.patience + seconds(options["stop_grace_period"]),
        "securityContext": security,
        "dnsConfig": {"options": [{"name": name, "value": value} for name, _, value in lookups]},
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": service.labels},
            }
        ],
        "containers": [_container(service)],
        "volumes": volumes,
    }


def _container(service: Service) -> Manifest:
    options = service.options
    memory = f"{mebibytes(options['mem_limit'])}Mi"
    mounts = [
        {"name": _volume(each), "mountPath": each.partition(":")[0]} for each in options.get("tmpfs", [])
    ]
    for each in (*service.secrets, *service.data):
        mounts.append({"name": each["source"], "mountPath": each["target"]})
        if each.get("read_only"):
            mounts[-1]["readOnly"] = True
    container: Manifest = {
        "name": service.name,
        "image": f"corkboard-{service.name}",
        "ports": [{"name": "main", "containerPort": service.port}],
        "env": _environment(service),
        **_probes(service),
        "resources": {
            "requests": {"cpu": CPU_REQUEST, "memory": memory},
            "limits": {
                "cpu": f"{int(options['cpu_quota']) / int(options['cpu_period']):g}",
                "memory": memory,
            },
        },
        "securityContext": {
            "readOnlyRootFilesystem": options["read_only"],
            "allowPrivilegeEscalation": "no-new-privileges:true" not in options["security_opt"],
            "capabilities": {"drop": options["cap_drop"]},
        },
        "volumeMounts": mounts,
    }
    if service.patience:
        # It serves on until nobody is sent to it any more.
        container["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", str(service.patience)]}}}
    return container


def _environment(service: Service) -> list[Manifest]:
    found: list[Manifest] = []
    for name, value in sorted(service.options.get("environment", {}).items()):
        server = re.fullmatch(r"(\w+)(:\d+)", value or "")
        if name in SOCKETS:
            continue
        if name == "UPSTREAM_SOCKETS":
            found.append({"name": name, "value": "tcp"})
        elif not value:
            # A setting, which the overlay may have.
            setting = {"name": "settings", "key": name, "optional": True}
            found.append({"name": name, "valueFrom": {"configMapKeyRef": setting}})
        elif server and server[1] in service.everything["services"]:
            # nginx looks up whole names only.
            found.append({"name": name, "value": f"{server[1]}.$(NAMESPACE).svc.cluster.local{server[2]}"})
        else:
            found.append({"name": name, "value": value})
    if any("$(NAMESPACE)" in each.get("value", "") for each in found):
        # It must come before those that contain it.
        namespace = {"fieldRef": {"fieldPath": "metadata.namespace"}}
        found.insert(0, {"name": "NAMESPACE", "valueFrom": namespace})
    return found


def _probes(service: Service) -> Manifest:
    check = service.options["healthcheck"]
    kind, *test = check["test"]
    every = {"timeoutSeconds": seconds(check["timeout"]), "periodSeconds": seconds(check["interval"])}
    every["failureThreshold"] = check["retries"]
    if test[0] == "bash":  # which asks for a page, as a kubelet does by itself
        port, path = test[-2:]
        ready: Manifest = {"httpGet": {"port": int(port), "path": path}}
        alive: Manifest = {"httpGet": {"port": int(port), "path": path.replace("readyz", "healthz")}}
    else:
        ready = alive = {"exec": {"command": ["sh", "-c", *test] if kind == "CMD-SHELL" else test}}
    probes = {"readinessProbe": {**ready, **every}}
    if not service.data:  # which may take long to read, and would be ended again and again meanwhile
        fast = seconds(check["start_interval"])
        start = {"periodSeconds": fast, "failureThreshold": seconds(check["start_period"]) // fast}
        probes |= {"livenessProbe": {**alive, **every}, "startupProbe": {**alive, **every, **start}}
    return probes


def _in_memory(tmpfs: str) -> Manifest:
    size = re.search(r"size=(\d+)m", tmpfs)
    bound = {"sizeLimit": f"{size[1]}Mi"} if size else {}
    return {"name": _volume(tmpfs), "emptyDir": {"medium": "Memory", **bound}}


def _volume(tmpfs: str) -> str:
    return tmpfs.partition(":")[0].strip("/").replace("/", "-")

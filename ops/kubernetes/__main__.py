"""Writes base/ anew from docker-compose.yml: `python -m ops.kubernetes [FOLDER]`.

Limits, environment, ports, probes, replicas, files and who may reach whom are those of the Compose file
and of the Dockerfiles that it names. What is left out is printed, with the reason.
docs/how-to/kubernetes.md says how the manifests are used.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from ops import composed
from ops.kubernetes.pod import pod
from ops.kubernetes.service import LEFT_OUT, Manifest, Service, labels

HEADER = "# Made from docker-compose.yml by `python -m ops.kubernetes`; an overlay has what differs.\n"
# The log of Redis may be twice its data and more while it is rewritten.
STORAGE = "4Gi"


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    def ignore_aliases(self, _data: object) -> bool:
        return True


def manifests(service: Service) -> list[Manifest]:
    """Everything that Kubernetes needs to know of a service."""
    found = [_service(service), _workload(service), _policy(service)]
    if not service.data:
        budget = {"maxUnavailable": 1, "selector": {"matchLabels": service.labels}}
        found.append(service.manifest("PodDisruptionBudget", "policy/v1", budget))
    return found


def _service(service: Service) -> Manifest:
    spec: Manifest = {"selector": service.labels}
    if service.is_followed:
        spec["clusterIP"] = "None"
    if service.data:
        # Who asks is told that it still reads its data.
        spec["publishNotReadyAddresses"] = True
    spec["ports"] = [{"name": "main", "port": 80 if service.is_door else service.port, "targetPort": "main"}]
    return service.manifest("Service", "v1", spec, service.host)


def _workload(service: Service) -> Manifest:
    spec: Manifest = {
        "replicas": service.options.get("deploy", {}).get("replicas", 1),
        "selector": {"matchLabels": service.labels},
        "template": {"metadata": {"labels": service.labels}, "spec": pod(service)},
    }
    if service.data:
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": STORAGE}}}
        spec["serviceName"] = service.host
        spec["volumeClaimTemplates"] = [
            {"metadata": {"name": each["source"]}, "spec": claim} for each in service.data
        ]
        return service.manifest("StatefulSet", "apps/v1", spec)
    # The old one stays until everybody knows the new one.
    spec["minReadySeconds"] = service.patience
    spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    return service.manifest("Deployment", "apps/v1", spec)


def _policy(service: Service) -> Manifest:
    """Who depends on a service may reach it; where its networks lead nowhere, it may not reach anything."""
    spec: Manifest = {"podSelector": {"matchLabels": service.labels}, "policyTypes": ["Ingress"]}
    everything = service.everything
    rule: Manifest = {"ports": [{"port": "main"}]}
    if not service.is_door:
        rule["from"] = [
            {"podSelector": {"matchLabels": labels(name)}}
            for name, other in sorted(everything["services"].items())
            if service.name in other.get("depends_on", {})
        ]
    spec["ingress"] = [rule]
    if all(everything["networks"][name].get("internal") for name in service.options["networks"]):
        spec["policyTypes"].append("Egress")
        spec["egress"] = []
    return service.manifest("NetworkPolicy", "networking.k8s.io/v1", spec)


def main(folder: Path) -> None:
    """Writes a file for each service into `folder`."""
    everything = composed.read(settings={})
    for name in everything["services"]:
        if f"service {name}" not in LEFT_OUT:
            made = manifests(Service(name, everything))
            text = yaml.dump_all(made, Dumper=_Dumper, sort_keys=False, width=120)
            (folder / f"{name}.yaml").write_text(HEADER + text)
    for what, why in LEFT_OUT.items():
        print(f"left out: {what}: {why}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "base")

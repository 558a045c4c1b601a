"""The manifests for Kubernetes: what docker-compose.yml says today, valid, and of one piece."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from local.settings import ROOT

MANIFESTS = ROOT / "ops" / "kubernetes"
VERSIONS = ("1.29", "1.37")
BUILDERS = (("kustomize", "build"), ("kubectl", "kustomize"))


def test_the_manifests_are_what_the_compose_file_makes_today(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ops.kubernetes", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text() for path in (MANIFESTS / "base").iterdir()}
    del kept["kustomization.yaml"]
    assert kept == made, "run `python -m ops.kubernetes`"


def test_what_the_example_makes_is_valid_and_fits_together(tmp_path: Path) -> None:
    objects = built(tmp_path)
    for version in VERSIONS:
        for each in objects:
            kubernetes_validate.validate(each, version, strict=True)
    names = {(each["kind"], each["metadata"]["name"]) for each in objects}
    workloads = [each for each in objects if each["kind"] in ("Deployment", "StatefulSet")]
    pods = [each["spec"]["template"] for each in workloads]
    # Whatever looks for pods finds some: a policy with a wrong label would do nothing, and say nothing.
    for each in objects:
        for selector in selectors(each.get("spec", {})):
            assert any(selector.items() <= pod["metadata"]["labels"].items() for pod in pods), each
        for target in values(each, "scaleTargetRef"):
            assert (target["kind"], target["name"]) in names
    for pod in pods:
        (container,) = pod["spec"]["containers"]
        assert container["image"].startswith("registry.example.com/")
        volumes = {each["name"] for each in pod["spec"]["volumes"]} | {"redis-data"}
        assert {each["name"] for each in container["volumeMounts"]} <= volumes
        assert all(("Secret", name) in names for name in values(pod, "secretName"))
        assert all(("ConfigMap", each["name"]) in names for each in values(pod, "configMapKeyRef"))
        # Every file that a setting names is in the Secret.
        secret = next(each for each in objects if (each["kind"], each["metadata"]["name"]) in secrets_of(pod))
        for setting in container["env"]:
            folder, _, file = setting.get("value", "").rpartition("/")
            assert folder != "/run/secrets" or file in secret["data"], setting


def built(folder: Path) -> list[dict[str, Any]]:
    """What kustomize makes of the example, with new secrets."""
    builder = next((each for each in BUILDERS if shutil.which(each[0])), None)
    if builder is None:
        pytest.skip("neither kustomize nor kubectl is on PATH")
    shutil.copytree(MANIFESTS, folder, dirs_exist_ok=True)
    example = folder / "example"
    secrets = ["sh", str(ROOT / "redis" / "secrets.sh"), str(example / "secrets"), "corkboard-redis:6379"]
    subprocess.run(secrets, check=True, env={"PATH": os.environ["PATH"]})
    said = subprocess.run([*builder, str(example)], check=True, capture_output=True, text=True).stdout
    return list(yaml.safe_load_all(said))


def selectors(spec: dict[str, Any]) -> Iterator[dict[str, str]]:
    """The labels that a Service, a workload, a budget or a policy looks for."""
    for key in ("selector", "podSelector"):
        for found in values(spec, key):
            labels = found.get("matchLabels", {} if "matchExpressions" in found else found)
            if any(name.startswith("app.kubernetes.io/") for name in labels):
                yield labels


def values(there: Any, key: str) -> Iterator[Any]:
    """What is under `key`, at any depth."""
    if isinstance(there, dict):
        if key in there:
            yield there[key]
        there = list(there.values())
    if isinstance(there, list):
        for each in there:
            yield from values(each, key)


def secrets_of(pod: dict[str, Any]) -> set[tuple[str, str]]:
    """The kind and name of each Secret of a pod, or of the settings where it has none."""
    found = {("Secret", name) for name in values(pod, "secretName")}
    return found or {("ConfigMap", each["name"]) for each in values(pod, "configMapKeyRef")}

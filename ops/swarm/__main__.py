"""The stack for a Docker Swarm: derived, pushed, deployed (docs/how-to/swarm.md).

python3 -m ops.swarm show [FILE ...]      prints the stack, and says on stderr what it leaves out and why
python3 -m ops.swarm push [FILE ...]      builds the images, and pushes them to REGISTRY
python3 -m ops.swarm deploy [FILE ...]    gives the stack to the Swarm, and waits until it runs

FILEs are further Compose files. It needs no package; `deploy` needs a manager of the Swarm as the engine.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from ops import composed
from ops.swarm.stack import Refused, derive

OVERLAY = "docker-compose.swarm.yml"
SECRETS = composed.ROOT / ".corkboard" / "swarm"


def push(config: composed.Options, services: list[str], files: list[str]) -> None:
    """Builds the images of those services that are built here, and pushes them."""
    built = [name for name in services if "build" in config["services"][name]]
    for step in ("build", "push"):
        _run([*composed.compose(OVERLAY, *files), step, *built])


def make_secrets(config: composed.Options) -> None:
    """Runs redis/secrets.sh as the one-shot service would. What it has made before stays."""
    service = config["services"]["secrets"]
    settings = {name: value for name, value in service["environment"].items() if value}
    if "SECRET_KEY_FILE" in settings:
        target = settings["SECRET_KEY_FILE"]
        settings["SECRET_KEY_FILE"] = next(
            mount["source"] for mount in service["volumes"] if mount["target"] == target
        )
    found = re.search(r"secrets\.sh \S+ (\S+)", " ".join(service["command"]))
    if not found:
        raise Refused("secrets: its command no longer says where Redis is")
    SECRETS.mkdir(mode=0o700, parents=True, exist_ok=True)
    script = ["sh", str(composed.ROOT / "redis" / "secrets.sh"), str(SECRETS), found[1]]
    subprocess.run(script, check=True, env={"PATH": os.environ["PATH"], **settings})


def name_secrets(stack: composed.Options, name: str) -> None:
    """Gives each secret a name that changes with it: a Swarm changes none, but services take others."""
    for key, secret in stack.get("secrets", {}).items():
        if "file" in secret:
            digest = hashlib.sha256(Path(secret["file"]).read_bytes()).hexdigest()
            secret["name"] = f"{name}_{key}_{digest[:12]}"


def main(what: str, files: list[str]) -> None:
    """Does one of the three.

    Raises:
        Refused: there is no stack for this.
        subprocess.CalledProcessError: a command failed, and has said why.
    """
    config = composed.read(OVERLAY, *files)
    stack, left_out = derive(config)
    if what == "push":
        push(config, list(stack["services"]), files)
        return
    make_secrets(config)
    name_secrets(stack, config["name"])
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    text = json.dumps(stack, indent=2)
    if what == "show":
        print(text)
        return
    deploy = ["docker", "stack", "deploy", "--prune", "--with-registry-auth", "--detach=false", "-c", "-"]
    _run([*deploy, config["name"]], text)


def _run(command: list[str], text: str | None = None) -> None:
    subprocess.run(command, cwd=composed.ROOT, check=True, input=text, text=True)


if __name__ == "__main__":
    if sys.argv[1:2] not in (["show"], ["push"], ["deploy"]):
        sys.exit(__doc__)
    try:
        main(sys.argv[1], sys.argv[2:])
    except Refused as refused:
        sys.exit(str(refused))
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)

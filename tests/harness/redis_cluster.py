"""A Redis Cluster on this machine: three masters, each with a replica, with the deployment's users."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from local import binaries
from local.settings import ROOT
from redis import Redis, RedisError
from tests.harness.clients import wait_for
from tests.harness.local import free_port

MASTERS = 3
# After this silence of a master its replica takes its place.
TIMEOUT_MILLISECONDS = 1000


class ClusterNode:
    """One of the servers."""

    def __init__(self, folder: Path, number: int) -> None:
        self.port = free_port()
        self._secrets = folder
        self._data = folder / f"node-{number}"
        self._data.mkdir()
        self._bus = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; returns when it answers."""
        replica = (self._secrets / "redis" / "replica_password").read_text()
        options = {
            "bind": "127.0.0.1",
            "port": self.port,
            "dir": self._data,
            "aclfile": self._secrets / "redis" / "users.acl",
            "appendfsync": "no",
            "masteruser": "replica",
            "masterauth": replica,
            "cluster-enabled": "yes",
            "cluster-port": self._bus,
            "cluster-node-timeout": TIMEOUT_MILLISECONDS,
            "repl-diskless-sync-delay": 0,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        command = [binaries.redis(), ROOT / "redis" / "redis.conf", *words]
        self._process = subprocess.Popen(command, stdout=(self._data / "log").open("ab"))
        wait_for(lambda: self.said("PING"), "a server")

    def kill(self) -> None:
        """SIGKILL; the data stays."""
        if self._process:
            self._process.kill()
            self._process.wait(30)

    def client(self, user: str = "admin") -> Redis:
        """A client as one of the users: admin, app or asgi."""
        file = "redis/admin_password" if user == "admin" else f"{user}/redis_password"
        password = (self._secrets / file).read_text()
        return Redis(port=self.port, username=user, password=password, socket_timeout=5)

    def said(self, *words: Any) -> Any:
        """The answer to the admin's command; None when there is none."""
        try:
            with self.client() as client:
                return client.execute_command(*words)
        except RedisError:
            return None

    def meet(self, other: ClusterNode) -> None:
        """Tells them of each other."""
        with self.client() as client:
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", other.port, other._bus)

    @property
    def id(self) -> str:
        """By which the others know it."""
        with self.client() as client:
            return str(client.execute_command("CLUSTER", "MYID").decode())


class RedisCluster:
    """The servers, in a folder that goes with them. `app_env` is for CORKBOARD_ENV_FILE."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="corkboard-cluster-")).resolve()
        self.app_env = self.folder / "app.env"
        self.nodes: list[ClusterNode] = []

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, port: int | None = None) -> str:
        """As REDIS_URL has it. `port`: of one server, as if it were no cluster."""
        return f"redis://127.0.0.1:{port}/0" if port else f"redis+cluster://{self.places}"

    @property
    def places(self) -> str:
        """As REDIS_URL has them: one is dead after a while, so all are there."""
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def master_of(self, key: str) -> ClusterNode:
        """The master that has a key, as most of the servers that answer say."""
        slot = key_slot(key.encode())
        said = [port for node in self.nodes if (port := _port(node, slot))]
        port = max(set(said), key=said.count)
        return next(node for node in self.nodes if node.port == port)

    def masters(self) -> list[ClusterNode]:
        """Those that say that they are."""
        return [node for node in self.nodes if (node.said("ROLE") or [b""])[0] == b"master"]

    def begin_move(self, key: str, target: ClusterNode) -> ClusterNode:
        """Begins to move the slot of a key; returns where it was."""
        slot, origin = key_slot(key.encode()), self.master_of(key)
        with target.client() as there, origin.client() as here:
            there.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", origin.id)
            here.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        return origin

    def keys_of_slot(self, node: ClusterNode, key: str) -> list[bytes]:
        """The keys in the slot of a key, on one server."""
        with node.client() as client:
            found: list[bytes] = client.execute_command(
                "CLUSTER", "GETKEYSINSLOT", key_slot(key.encode()), 1000
            )
        return sorted(found)

    def move_keys(self, origin: ClusterNode, target: ClusterNode, keys: list[bytes]) -> None:
        """Moves keys of a slot whose move has begun."""
        password = (self.folder / "redis" / "admin_password").read_text()
        words = ["127.0.0.1", target.port, "", 0, 5000, "AUTH2", "admin", password, "KEYS", *keys]
        with origin.client() as client:
            client.execute_command("MIGRATE", *words)

    def end_move(self, key: str, origin: ClusterNode, target: ClusterNode) -> None:
        """Ends the move of a slot without keys on the server where it was."""
        slot, owner = key_slot(key.encode()), target.id
        for node in (target, origin, *self.masters()):
            with node.client() as client:
                client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", owner)

    def _begin(self) -> None:
        # Secrets first: the servers need them. What the app finds is written once the ports are known.
        self._write_secrets("127.0.0.1:1,127.0.0.1:2")
        self.nodes = [ClusterNode(self.folder, number) for number in range(2 * MASTERS)]
        self._write_secrets(self.places)
        for node in self.nodes:
            node.start()
        masters, replicas = self.nodes[:MASTERS], self.nodes[MASTERS:]
        for number, node in enumerate(masters):
            first = REDIS_CLUSTER_HASH_SLOTS * number // MASTERS
            last = REDIS_CLUSTER_HASH_SLOTS * (number + 1) // MASTERS - 1
            node.client().execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            node.client().execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            self.nodes[0].meet(node)
        for master, replica in zip(masters, replicas, strict=True):
            wait_for(lambda: replica.said("CLUSTER", "REPLICATE", master.id), "a replica")  # noqa: B023
        wait_for(self._is_whole, "the cluster")

    def _write_secrets(self, places: str) -> None:
        script = ROOT / "redis" / "secrets.sh"
        subprocess.run(["sh", script, self.folder, places, self.app_env], check=True)

    def _is_whole(self) -> bool:
        return all(
            b"cluster_state:ok" in (node.said("CLUSTER", "INFO") or b"")
            and len(node.said("CLUSTER", "SLOTS") or ()) == MASTERS
            and all(len(each) == 4 for each in node.client().execute_command("CLUSTER", "SLOTS"))
            for node in self.nodes
        ) and all(
            replica.client().info("replication")["master_link_status"] == "up"
            for replica in self.nodes[MASTERS:]
        )


def _port(node: ClusterNode, slot: int) -> int | None:
    for first, last, (_, port, *_), *_ in node.said("CLUSTER", "SLOTS") or ():
        if first <= slot <= last:
            return int(port)
    return None

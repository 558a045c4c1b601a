"""A master, a replica and three Sentinels in a temporary folder, with proxies that can cut them off."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self
from weakref import WeakSet

from redis.exceptions import RedisError

from local import binaries
from local.settings import ROOT
from local.state import free_port
from prove.relay import Relay
from redis import Redis

NAME = "corkboard"
PATIENCE = 60.0
# After this silence the Sentinels consider a master down.
DOWN_MILLISECONDS = 500


def wait(condition: Callable[[], object], what: str) -> None:
    """Returns when the condition is true. A server that does not answer counts as false.

    Raises:
        TimeoutError: it was not true within a minute; the message has `what`.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(RedisError, OSError):
            if condition():
                return
        time.sleep(0.05)
    raise TimeoutError(f"waited in vain: {what}")


class Way(Relay):
    """A relay in front of a server. Its replication traffic can be dropped separately."""

    def __init__(self, target: int) -> None:
        self._partitioned = threading.Event()
        self._replicating: WeakSet[socket.socket] = WeakSet()
        super().__init__(target)

    def partition(self) -> None:
        """Drops all replication traffic from now on; the connections stay open."""
        self._partitioned.set()

    def mend(self) -> None:
        """Ends `partition`, and closes all connections, so that replicas synchronize anew."""
        self.cut()
        self._partitioned.clear()

    def carry(self, near: socket.socket, far: socket.socket, data: bytes, *, asked: bool) -> bool:
        """As of Relay. While partitioned, what replicates is dropped, as if no packet arrived."""
        if asked and b"REPLCONF" in data:
            self._replicating.add(near)
        if near in self._replicating and self._partitioned.is_set():
            return True
        return super().carry(near, far, data, asked=asked)


class Node:
    """A Redis server with the deployment's configuration and users, and the proxy in front of it."""

    def __init__(self, folder: Path, secrets: Path, name: str) -> None:
        self._port, self._secrets = free_port(), secrets
        self.way = Way(self._port)
        self._data = folder / name
        self._data.mkdir()
        # As in docker-compose.sentinel.yml: the name of the configuration is the node's.
        self._config = self._data / f"node-{self._port:x}.conf"
        replica = (secrets / "redis" / "replica_password").read_text()
        self._config.write_text(
            f"include {ROOT / 'redis' / 'redis.conf'}\n"
            f"bind 127.0.0.1\nport {self._port}\ndir {self._data}\nappendfsync no\n"
            f"aclfile {secrets / 'redis' / 'users.acl'}\nmasteruser replica\nmasterauth {replica}\n"
            f"replica-announce-ip 127.0.0.1\nreplica-announce-port {self.way.port}\n"
            "repl-diskless-sync-delay 0\nrepl-timeout 5\nrepl-ping-replica-period 1\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, master: Node | None = None) -> None:
        """Starts the server, as a replica if `master` is given; returns when it answers.

        Raises:
            TimeoutError: it does not answer within a minute.
        """
        words = [binaries.redis(), str(self._config)]
        if master:
            words += ["--replicaof", "127.0.0.1", str(master.way.port)]
        self._process = subprocess.Popen(words, stdout=(self._data / "log").open("ab"))
        wait(lambda: self.admin().ping(), "a server")

    def kill(self) -> None:
        """Kills the server with SIGKILL, and closes all connections to it."""
        if self._process:
            self._process.kill()
            self._process.wait(30)
            self.way.cut()

    def freeze(self) -> None:
        """Stops the process with SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Ends `freeze`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(number)

    def admin(self) -> Redis:
        """A client of the user `admin`, which goes past the proxy."""
        password = (self._secrets / "redis" / "admin_password").read_text()
        return Redis(port=self._port, username="admin", password=password, socket_timeout=5)

    def is_master(self) -> bool:
        """Whether the server says that it is the master.

        Raises:
            RedisError: it does not answer.
        """
        return bool(self.admin().info("replication")["role"] == "master")


class Group:
    """Two servers, and three Sentinels for the failover. `app_env` is the file that the kit reads."""

    def __init__(self, wait_replicas: int = 0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="corkboard-group-")).resolve()
        self.app_env = self.folder / "app.env"
        self._ports = [free_port() for _ in range(3)]
        self.sentinels = ",".join(f"127.0.0.1:{port}" for port in self._ports) + f"/{NAME}"
        subprocess.run(
            ["sh", ROOT / "redis" / "secrets.sh", self.folder, self.sentinels, self.app_env],
            check=True,
            env={"PATH": "/usr/bin:/bin", "WAIT_REPLICAS": str(wait_replicas)},
        )
        self.nodes = [Node(self.folder, self.folder, name) for name in ("one", "two")]
        self._sentinels: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        first, second = self.nodes
        try:
            first.start()
            second.start(first)
            for port in self._ports:
                self._start_sentinel(port, first.way.port)
            wait(self._is_whole, "the Sentinels to know everybody")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._sentinels:
            process.kill()
            process.wait(30)
        for node in self.nodes:
            node.kill()
            node.way.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def master(self) -> Node:
        """The server that the first Sentinel names as the master.

        Raises:
            RedisError: the Sentinel does not answer.
        """
        with Redis(port=self._ports[0], socket_timeout=5) as sentinel:
            _, port = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return next(node for node in self.nodes if node.way.port == int(port))

    def other(self, node: Node) -> Node:
        """The server that is not `node`."""
        return next(each for each in self.nodes if each is not node)

    def settle(self) -> None:
        """Returns when one server is the master, the other one its replica, and all Sentinels know it.

        Raises:
            TimeoutError: it was not so within a minute.
        """
        wait(self._is_whole, "the group to be whole again")

    def _is_whole(self) -> bool:
        master = self.master()
        replica = self.other(master).admin().info("replication")
        return (
            master.is_master()
            and replica["role"] == "slave"
            and replica["master_link_status"] == "up"
            and replica["master_port"] == master.way.port
            and all(self._knows(port, master) for port in self._ports)
        )

    def _knows(self, port: int, master: Node) -> bool:
        password = (self.folder / "redis" / "admin_password").read_text()
        with Redis(port=port, socket_timeout=5, username="admin", password=password) as sentinel:
            _, known = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
            quorum = sentinel.execute_command("SENTINEL", "CKQUORUM", NAME)
            replicas = sentinel.execute_command("SENTINEL", "REPLICAS", NAME)
        return int(known) == master.way.port and b"OK 3" in _bytes(quorum) and len(replicas) == 1

    def _start_sentinel(self, port: int, master: int) -> None:
        file = self.folder / f"sentinel-{port}.conf"
        password = (self.folder / "redis" / "sentinel_password").read_text()
        file.write_text(
            f"bind 127.0.0.1\nport {port}\ndir {self.folder}\nprotected-mode no\n"
            f"sentinel monitor {NAME} 127.0.0.1 {master} 2\n"
            f"sentinel auth-user {NAME} sentinel\nsentinel auth-pass {NAME} {password}\n"
            f"sentinel down-after-milliseconds {NAME} {DOWN_MILLISECONDS}\n"
            f"sentinel failover-timeout {NAME} 3000\n"
            f"aclfile {self.folder / 'redis' / 'sentinel-users.acl'}\n"
            f"sentinel sentinel-user sentinel\nsentinel sentinel-pass {password}\n"
        )
        words: Sequence[str] = [binaries.redis(), str(file), "--sentinel"]
        self._sentinels.append(
            subprocess.Popen(words, stdout=(self.folder / f"sentinel-{port}.log").open("ab"))
        )


def _bytes(answer: object) -> bytes:
    return answer if isinstance(answer, bytes) else str(answer).encode()

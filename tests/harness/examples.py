"""Starts a step with the very command that its first lines give."""

from __future__ import annotations

import ast
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from local.settings import ROOT
from tests.harness.clients import wait_for
from tests.harness.local import free_port

PORT_OPTION = {"uvicorn": "--port {}", "gunicorn": "--no-control-socket --bind 127.0.0.1:{}", "python": "{}"}
STEPS = sorted(path.stem for path in (ROOT / "examples").glob("step*.py"))


def commands(step: str) -> list[str]:
    """The commands of a step, as its docstring has them; the first one runs it."""
    docstring = ast.get_docstring(ast.parse((ROOT / "examples" / f"{step}.py").read_text())) or ""
    lines = [line for line in docstring.splitlines() if line.startswith("    ")]
    return [line.partition("  # ")[0].strip() for line in lines]


def environment() -> dict[str, str]:
    """This one's, with the tests' own Python first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}


class Server:
    """A step that runs."""

    def __init__(self, command: str, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}"
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `stop`)
        words = shlex.split(command)
        options = shlex.split(PORT_OPTION[words[0]].format(port))
        self._process = subprocess.Popen(
            [*words, *options],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def answers(self) -> bool:
        """It does, whatever it says.

        Raises:
            AssertionError: it has ended.
        """
        assert self._process.poll() is None, self.output()
        return bool(httpx.get(self.url, trust_env=False, timeout=60).status_code)

    def output(self) -> str:
        """All that it wrote so far."""
        return os.pread(self._output.fileno(), 1 << 20, 0).decode()

    def end(self) -> str:
        """Stops it as a supervisor does; all that it wrote."""
        self._process.terminate()
        self._process.wait(60)
        return self.output()

    def stop(self) -> None:
        """Leaves nothing of it."""
        try:
            if self._process.poll() is None:
                self.end()
        finally:
            with suppress(ProcessLookupError):  # the usual case: it took its workers with it
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._output.close()


@contextmanager
def serving(step: str, *options: str) -> Iterator[Server]:
    """The step's first command, on a port of its own, with more options; ready."""
    with serving_with(shlex.join([*shlex.split(commands(step)[0]), *options])) as server:
        yield server


@contextmanager
def serving_with(command: str) -> Iterator[Server]:
    """A command that the steps mention, on a port of its own; ready."""
    server = Server(command, free_port())
    try:
        wait_for(server.answers, f"an answer from {command}", seconds=90)
        yield server
    finally:
        server.stop()

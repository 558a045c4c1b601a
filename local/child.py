"""Starts one service in the place of this process: `python -m local.child RUN_FOLDER SERVICE`.

Supervisor calls it on every start, so that what an earlier incarnation left behind is gone first: workers
of an nginx whose master was killed still hold its port.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from local import processes


def main(run: Path, service: str) -> None:
    """Never returns: the process becomes the service."""
    pid_file = run / f"{service}.pid"
    processes.end([pid_file], seconds=0.5)
    processes.record(pid_file)
    program = json.loads((run / f"{service}.json").read_text())
    os.execve(program["command"][0], program["command"], program["environment"])  # noqa: S606


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

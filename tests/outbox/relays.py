"""The relay, as the command line starts it, in a process that a test has forked."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from corkboard.outbox import relay as command


def relay(url: str, folder: Path, *arguments: str) -> None:
    """Runs until it is killed; its log is in `folder`."""
    log = os.open(folder / "relay.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    parser = argparse.ArgumentParser()
    command.arguments(parser)
    raise SystemExit(command.main(parser.parse_args([url, "--poll", "0.1", "--verbose", *arguments])))

"""`python -m local COMMAND`; the Makefile's targets call it where there is no Docker."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from local import backup, commands, settings, table
from local.errors import LocalError
from local.settings import ROOT
from local.state import State


def main() -> int:
    """Runs one command; 0 when it worked, 2 when a setting is invalid, else 1."""
    arguments = _parser().parse_args()
    # Both end a start or `dev` in order; a shell's background jobs begin with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    state = State(arguments.state.resolve())
    try:
        match arguments.command:
            case "deploy":
                commands.deploy(settings.load(arguments.env_file), state, arguments.services)
            case "up":
                commands.up(settings.load(arguments.env_file), state)
            case "dev":
                commands.dev(settings.load(arguments.env_file), state)
            case "check":
                commands.check(settings.load(arguments.env_file))
            case "settings":
                table.write()
            case "down":
                commands.down(state)
            case "status":
                commands.status(state)
            case "logs":
                commands.show_logs(state, arguments.services, follow=not arguments.no_follow)
            case "backup":
                backup.backup(state, arguments.to)
            case "restore":
                backup.restore(state, arguments.file, arguments.to)
            case "redis-cli":
                commands.run_redis_cli(state, arguments.words)
    except LocalError as error:
        print(error, file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `... logs | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--state", type=Path, default=ROOT / ".corkboard", help="the folder of this stack")
    parser.add_argument("--env-file", type=Path, default=ROOT / ".env", help="settings")
    names = parser.add_subparsers(dest="command", required=True)
    names.add_parser("up", help="start, or apply changes; returns when it serves")
    names.add_parser("deploy", help="apply changes").add_argument("services", nargs="*")
    names.add_parser("dev", help="the same with hot reload and logs, until interrupted")
    names.add_parser("check", help="check the settings and nginx's configuration, start nothing")
    names.add_parser("settings", help="write .env.example and docs/reference/settings.md")
    names.add_parser("down", help="stop, keep the data")
    names.add_parser("status", help="one line per service")
    logs = names.add_parser("logs", help="follow the logs")
    logs.add_argument("services", nargs="*")
    logs.add_argument("--no-follow", action="store_true", help="print what is there and return")
    copy = names.add_parser("backup", help="copy what Redis holds, while it runs")
    back = names.add_parser("restore", help="replace what Redis holds by a backup")
    back.add_argument("file", type=Path)
    for parser_of in (copy, back):
        parser_of.add_argument("--to", type=Path, default=ROOT / "backups", help="the folder for backups")
    redis = names.add_parser("redis-cli", help="talk to Redis as the operator")
    redis.add_argument("words", nargs=argparse.REMAINDER)
    return parser


if __name__ == "__main__":
    sys.exit(main())
